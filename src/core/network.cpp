// Networks of IP addresses; see the header.
#include "core/network.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <charconv>

namespace outbox::core {
namespace {

constexpr std::array<std::uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
constexpr const char* kNetworkHint =
    "write it as in 10.0.0.0/8 or \"fd00::/8\"; one address is /32 or /128";

ParsedNetwork refuse_network(std::string problem, std::string hint = kNetworkHint) {
  return {std::nullopt, std::move(problem), std::move(hint)};
}

std::uint8_t mask(int bits) {
  return static_cast<std::uint8_t>(0xFF00U >> static_cast<unsigned>(std::clamp(bits, 0, 8)));
}

std::string format_network(const Network& network) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  inet_ntop(network.v6 ? AF_INET6 : AF_INET, network.address.data(), text.data(), text.size());
  return std::string{text.data()} + "/" + std::to_string(network.bits);
}

}  // namespace

bool Network::contains(std::span<const std::uint8_t> bytes) const {
  if (bytes.size() != (v6 ? 16U : 4U)) return false;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const std::uint8_t wanted = mask(bits - static_cast<int>(i) * 8);
    if (((bytes[i] ^ address[i]) & wanted) != 0) return false;
  }
  return true;
}

ParsedNetwork parse_network(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return refuse_network("has no prefix length");
  const std::string address{text.substr(0, slash)};
  const std::string_view prefix = text.substr(slash + 1);
  Network network;
  network.v6 = address.find(':') != std::string::npos;
  if (address.find('\0') != std::string::npos ||
      inet_pton(network.v6 ? AF_INET6 : AF_INET, address.c_str(), network.address.data()) != 1) {
    return refuse_network("is no network of IP addresses");
  }
  const int most = network.v6 ? 128 : 32;
  const auto [end, error] =
      std::from_chars(prefix.data(), prefix.data() + prefix.size(), network.bits);
  const bool number = error == std::errc{} && end == prefix.data() + prefix.size() &&
                      (prefix.size() == 1 || prefix.front() != '0');
  if (!number || network.bits < 0 || network.bits > most) {
    return refuse_network("has a prefix length that is not 0 to " + std::to_string(most));
  }
  const bool mapped = std::equal(kMapped.begin(), kMapped.end(), network.address.begin());
  if (network.v6 && mapped) {
    return refuse_network("is IPv4 inside IPv6", "write the IPv4 network, as in 10.0.0.0/8");
  }
  Network clean = network;
  for (std::size_t i = 0; i < clean.address.size(); ++i) {
    clean.address[i] &= mask(network.bits - static_cast<int>(i) * 8);
  }
  if (clean.address != network.address) {
    return refuse_network("has bits behind its prefix", "write " + format_network(clean));
  }
  return {network, {}, {}};
}

}  // namespace outbox::core
