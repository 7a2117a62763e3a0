// Networks of IP addresses, "10.0.0.0/8" and "fd00::/8". Pure.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace outbox::core {

struct Network {
  bool v6{};
  std::array<std::uint8_t, 16> address{};  ///< In network order; IPv4 fills the first four.
  int bits{};                              ///< Of the prefix: 0 to 32 or 128.

  /// `bytes` are the 4 or 16 of an address in network order; one of the other family is never in.
  /// Who may be given IPv4 inside IPv6 (::ffff:10.0.0.1) unwraps it first.
  [[nodiscard]] bool contains(std::span<const std::uint8_t> bytes) const;
};

/// Either `network`, or `problem` ("is ...", "has ...") and `hint`.
struct ParsedNetwork {
  std::optional<Network> network;
  std::string problem;
  std::string hint;
};

/// An address, '/', and the prefix; bits behind the prefix must be zero. IPv4 inside IPv6 is
/// refused: write the IPv4 network.
[[nodiscard]] ParsedNetwork parse_network(std::string_view text);

}  // namespace outbox::core
