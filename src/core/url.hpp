// The URLs that outboxd requests: http and https, strictly. Pure. No text here quotes a URL, which
// may be a secret.
#pragma once

#include <string>
#include <string_view>

namespace outbox::core {

inline constexpr std::size_t kUrlBytesMax = 8'192;

/// Either `host`, or `problem` ("has ...", "is ...") and `hint`.
struct ParsedHost {
  std::string host;
  std::string problem;
  std::string hint;
};

/// A DNS name without trailing dot, an IPv4 address as four plain numbers (no other form that a
/// resolver would take for one), or an IPv6 address in brackets without zone. Gives it in lower
/// case, IPv6 in its shortest form.
[[nodiscard]] ParsedHost parse_host(std::string_view text);

/// 1 to 63 letters, digits, '-' and '_', no '-' at either end.
[[nodiscard]] bool is_dns_label(std::string_view text);

/// Either `url` and `origin`, or `problem` and `hint`.
struct ParsedUrl {
  std::string url;     ///< As given, with scheme and host as in `origin` and at least "/" as path.
  std::string origin;  ///< "https://host:443": lower case, always with the port.
  std::string problem;
  std::string hint;
};

/// At most 8,192 bytes: http or https, host, port 1 to 65535 if any, path, query. Refused: a user,
/// a fragment, "." and ".." in the path (encoded, too), and characters that RFC 3986 does not
/// allow.
[[nodiscard]] ParsedUrl parse_url(std::string_view text);

/// Only A-Z a-z 0-9 - . _ ~ stay as they are.
[[nodiscard]] std::string percent_encode(std::string_view text);
/// Only what `stays` allows.
[[nodiscard]] std::string percent_encode(std::string_view text, bool (*stays)(char));

}  // namespace outbox::core
