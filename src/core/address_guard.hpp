// Which addresses a URL that somebody else wrote may lead to: only public ones, against requests
// that are forged on the server's side (SSRF). Pure.
#pragma once

#include <netinet/in.h>
#include <string>
#include <vector>

#include "core/network.hpp"

namespace outbox::core {

class AddressGuard {
 public:
  /// `allowed` may be reached although they are not public.
  explicit AddressGuard(std::vector<Network> allowed) : allowed_{std::move(allowed)} {}

  /// Empty: it may be reached. Else what it is, as in "a private address". IPv4 inside IPv6
  /// (mapped, NAT64, 6to4) counts as that IPv4. Ranges: the IANA special-purpose registries, RFC
  /// 6890; outside 2000::/3 no IPv6 is public.
  [[nodiscard]] std::string refuse(const sockaddr& address) const;
  /// The same for an address as text; what is no address is refused.
  [[nodiscard]] std::string refuse(const char* address) const;

 private:
  std::vector<Network> allowed_;
};

}  // namespace outbox::core
