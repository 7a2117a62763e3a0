// Strict parsing of URLs; see the header.
#include "core/url.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <charconv>
#include <optional>

#include "core/http_rules.hpp"

namespace outbox::core {
namespace {

constexpr std::size_t kLongestHost = 253;
constexpr std::size_t kLongestLabel = 63;
constexpr std::string_view kDigits = "0123456789";
constexpr std::string_view kUnreserved =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
constexpr std::string_view kReserved = "/?:@!$&'()*+,;=%";  // Those of a path and a query.
constexpr const char* kUrlForm = "write it as in https://example.com:8443/path?query";

ParsedUrl refuse_url(std::string problem, std::string hint = kUrlForm) {
  return {{}, {}, std::move(problem), std::move(hint)};
}

ParsedHost refuse_host(std::string problem, std::string hint) {
  return {{}, std::move(problem), std::move(hint)};
}

bool is_number(std::string_view text) {
  return !text.empty() && text.find_first_not_of(kDigits) == std::string_view::npos;
}

bool is_hex(char c) {
  return kDigits.find(c) != std::string_view::npos || (c >= 'a' && c <= 'f') ||
         (c >= 'A' && c <= 'F');
}

ParsedHost parse_address6(std::string_view text) {
  const bool closed = text.size() > 2 && text.back() == ']';
  const std::string inner{closed ? text.substr(1, text.size() - 2) : std::string_view{}};
  in6_addr address{};
  std::array<char, INET6_ADDRSTRLEN> shortest{};
  const bool plain = inner.find('\0') == std::string::npos;
  if (!plain || inet_pton(AF_INET6, inner.c_str(), &address) != 1 ||
      inet_ntop(AF_INET6, &address, shortest.data(), shortest.size()) == nullptr) {
    return refuse_host("has no IPv6 address in the brackets of its host", "write it as in [::1]");
  }
  return {"[" + std::string{shortest.data()} + "]", {}, {}};
}

// "0x7f.1" and "2130706433" are 127.0.0.1 to resolvers: whatever ends like a number must be one
// address in the one form that everybody reads alike.
bool ends_in_number(std::string_view host) {
  const std::string_view last = host.substr(host.rfind('.') + 1);
  return is_number(last) || (last.size() > 1 && last[0] == '0' && last[1] == 'x');
}

// What stands before the first '/' or '?', split at its port.
struct Authority {
  std::string_view host;
  std::optional<std::string_view> port;
};

Authority split_authority(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  const std::size_t bracket = text.rfind(']');
  const bool has_port =
      colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket);
  if (!has_port) return {text, std::nullopt};
  return {text.substr(0, colon), text.substr(colon + 1)};
}

bool is_port(std::string_view text) {
  if (!is_number(text) || text.size() > 5 || text.front() == '0') return false;
  int port = 0;
  std::from_chars(text.data(), text.data() + text.size(), port);
  return port <= 65'535;
}

// "." and ".." as a segment, whichever way they are encoded.
bool has_dot_segment(std::string_view path) {
  while (!path.empty()) {
    const std::size_t slash = std::min(path.find('/'), path.size());
    std::string segment = lower_case(path.substr(0, slash));
    for (std::size_t at = 0; (at = segment.find("%2e", at)) != std::string::npos;) {
      segment.replace(at, 3, ".");
    }
    if (segment == "." || segment == "..") return true;
    path.remove_prefix(std::min(slash + 1, path.size()));
  }
  return false;
}

// Of path and query.
std::string rest_problem(std::string_view rest) {
  for (std::size_t i = 0; i < rest.size(); ++i) {
    const char c = rest[i];
    if (c == '#') return "has a fragment";
    if (kUnreserved.find(c) == std::string_view::npos &&
        kReserved.find(c) == std::string_view::npos) {
      return "has a character that must be percent-encoded";
    }
    if (c == '%' && (i + 2 >= rest.size() || !is_hex(rest[i + 1]) || !is_hex(rest[i + 2]))) {
      return "has a % without two hex digits after it";
    }
  }
  if (has_dot_segment(rest.substr(0, rest.find('?')))) return "has . or .. in its path";
  return {};
}

}  // namespace

bool is_dns_label(std::string_view text) {
  if (text.empty() || text.size() > kLongestLabel || text.front() == '-' || text.back() == '-') {
    return false;
  }
  return std::all_of(text.begin(), text.end(), [](char c) {
    return c != '.' && c != '~' && kUnreserved.find(c) != std::string_view::npos;
  });
}

ParsedHost parse_host(std::string_view text) {
  if (text.empty()) return refuse_host("has no host", kUrlForm);
  if (text.front() == '[') return parse_address6(text);
  if (text.size() > kLongestHost) {
    return refuse_host("has a host of more than 253 bytes", "is it the right one?");
  }
  if (text.back() == '.') return refuse_host("has a host that ends in a dot", "remove the dot");
  std::string_view left = text;
  while (true) {
    const std::size_t dot = std::min(left.find('.'), left.size());
    if (!is_dns_label(left.substr(0, dot))) {
      return refuse_host("has a host that is no DNS name",
                         "write names that are not ASCII in their xn-- form, IPv6 as in [::1]");
    }
    if (dot == left.size()) break;
    left.remove_prefix(dot + 1);
  }
  std::string host = lower_case(text);
  in_addr address{};
  if (ends_in_number(host) && inet_pton(AF_INET, host.c_str(), &address) != 1) {
    return refuse_host("has a host that ends in a number, but is no IPv4 address",
                       "write four numbers from 0 to 255, as in 192.0.2.1");
  }
  return {std::move(host), {}, {}};
}

ParsedUrl parse_url(std::string_view text) {
  if (text.empty()) return refuse_url("is empty");
  if (text.size() > kUrlBytesMax) {
    return refuse_url("has " + std::to_string(text.size()) + " bytes, expected at most 8192",
                      "put the data into the payload");
  }
  const std::size_t colon = text.find("://");
  const std::string scheme =
      lower_case(text.substr(0, colon == std::string_view::npos ? 0 : colon));
  if (scheme != "http" && scheme != "https") return refuse_url("is neither https:// nor http://");
  text.remove_prefix(colon + 3);
  const std::size_t end = std::min(text.find_first_of("/?#"), text.size());
  const std::string_view before_path = text.substr(0, end);
  if (before_path.find('@') != std::string_view::npos) {
    return refuse_url("has a user or password", "remove what stands before the @");
  }
  const Authority authority = split_authority(before_path);
  ParsedHost host = parse_host(authority.host);
  if (!host.problem.empty()) return refuse_url(std::move(host.problem), std::move(host.hint));
  if (authority.port && !is_port(*authority.port)) {
    return refuse_url("has a port that is not a number from 1 to 65535",
                      "remove it with its colon for the usual one");
  }
  const std::string_view rest = text.substr(end);
  std::string problem = rest_problem(rest);
  if (!problem.empty()) return refuse_url(std::move(problem));
  const std::string base = scheme + "://" + host.host;
  const std::string usual = scheme == "https" ? "443" : "80";
  const std::string slash = rest.substr(0, 1) == "/" ? "" : "/";
  const std::string port = authority.port ? std::string{*authority.port} : usual;
  return {base + (authority.port ? ":" + port : "") + slash + std::string{rest},
          base + ":" + port,
          {},
          {}};
}

std::string percent_encode(std::string_view text) {
  return percent_encode(text, [](char c) { return kUnreserved.find(c) != std::string_view::npos; });
}

std::string percent_encode(std::string_view text, bool (*stays)(char)) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    if (stays(c)) {
      out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += '%';
    out += kHex[byte / 16U];
    out += kHex[byte % 16U];
  }
  return out;
}

}  // namespace outbox::core
