// The ranges that are not public.
#include "core/address_guard.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cstring>
#include <span>

namespace outbox::core {

namespace {

using Bytes = std::span<const std::uint8_t>;

struct Range {
  const char* network;
  const char* what;
};

constexpr std::array<Range, 17> kNotPublic4{{{"0.0.0.0/8", "an address of this host"},
                                             {"10.0.0.0/8", "a private address"},
                                             {"100.64.0.0/10", "a carrier's shared address"},
                                             {"127.0.0.0/8", "a loopback address"},
                                             {"168.63.129.16/32", "a cloud's metadata address"},
                                             {"169.254.0.0/16", "a link-local or metadata address"},
                                             {"172.16.0.0/12", "a private address"},
                                             {"192.0.0.0/24", "a special-purpose address"},
                                             {"192.0.2.0/24", "a documentation address"},
                                             {"192.88.99.0/24", "a special-purpose address"},
                                             {"192.168.0.0/16", "a private address"},
                                             {"198.18.0.0/15", "a benchmarking address"},
                                             {"198.51.100.0/24", "a documentation address"},
                                             {"203.0.113.0/24", "a documentation address"},
                                             {"224.0.0.0/4", "a multicast address"},
                                             {"240.0.0.0/4", "a reserved address"},
                                             {"255.255.255.255/32", "the broadcast address"}}};
constexpr std::array<Range, 9> kNotPublic6{{{"::/128", "an address of this host"},
                                            {"::1/128", "a loopback address"},
                                            {"fc00::/7", "a private address"},
                                            {"fe80::/10", "a link-local address"},
                                            {"fec0::/10", "a private address"},
                                            {"ff00::/8", "a multicast address"},
                                            {"2001::/23", "a special-purpose address"},
                                            {"2001:db8::/32", "a documentation address"},
                                            {"3fff::/20", "a documentation address"}}};

template <std::size_t N>
std::vector<std::pair<Network, const char*>> parsed(const std::array<Range, N>& ranges) {
  std::vector<std::pair<Network, const char*>> out;
  for (const auto& range : ranges)
    out.emplace_back(*parse_network(range.network).network, range.what);
  return out;
}

std::string what_is(Bytes bytes) {
  static const auto ranges4 = parsed(kNotPublic4);
  static const auto ranges6 = parsed(kNotPublic6);
  for (const auto& [network, what] : bytes.size() == 4 ? ranges4 : ranges6) {
    if (network.contains(bytes)) return what;
  }
  const bool public6 = bytes.size() == 4 || (bytes[0] & 0xE0U) == 0x20U;
  return public6 ? "" : "no public address";
}

bool starts(Bytes bytes, std::initializer_list<std::uint8_t> with) {
  return std::equal(with.begin(), with.end(), bytes.begin());
}

/// The IPv4 address that an IPv6 one stands for; else itself.
Bytes unwrapped(Bytes bytes) {
  if (bytes.size() == 4) return bytes;
  if (starts(bytes, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF})) return bytes.subspan(12);
  if (starts(bytes, {0, 0x64, 0xFF, 0x9B, 0, 0, 0, 0, 0, 0, 0, 0})) return bytes.subspan(12);
  if (starts(bytes, {0x20, 0x02})) return bytes.subspan(2, 4);
  return bytes;
}

}  // namespace

std::string AddressGuard::refuse(const sockaddr& address) const {
  std::array<std::uint8_t, 16> storage{};
  Bytes bytes;
  if (address.sa_family == AF_INET) {
    sockaddr_in in{};
    std::memcpy(&in, &address, sizeof in);
    std::memcpy(storage.data(), &in.sin_addr, 4);
    bytes = Bytes{storage}.first(4);
  } else if (address.sa_family == AF_INET6) {
    sockaddr_in6 in{};
    std::memcpy(&in, &address, sizeof in);
    std::memcpy(storage.data(), &in.sin6_addr, 16);
    bytes = storage;
  } else {
    return "no IP address";
  }
  bytes = unwrapped(bytes);
  for (const auto& network : allowed_) {
    if (network.contains(bytes)) return {};
  }
  return what_is(bytes);
}

std::string AddressGuard::refuse(const char* address) const {
  sockaddr_in in4{};
  sockaddr_in6 in6{};
  in4.sin_family = AF_INET;
  in6.sin6_family = AF_INET6;
  sockaddr_storage storage{};
  if (inet_pton(AF_INET, address, &in4.sin_addr) == 1) {
    std::memcpy(&storage, &in4, sizeof in4);
  } else if (inet_pton(AF_INET6, address, &in6.sin6_addr) == 1) {
    std::memcpy(&storage, &in6, sizeof in6);
  }
  if (storage.ss_family == AF_UNSPEC) return "no IP address";
  return refuse(reinterpret_cast<const sockaddr&>(storage));
}

}  // namespace outbox::core
