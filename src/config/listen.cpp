// The address of the HTTP endpoint as one text; see the header.
#include "config/listen.hpp"

#include "config/number.hpp"

namespace outbox::config {
namespace {

constexpr std::string_view kHostCharacters =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
constexpr std::string_view kAddress6Characters = "0123456789abcdefABCDEF:.%";
constexpr std::string_view kForms = "write off, a port, 127.0.0.1:9464 or \"[::1]:9464\"";

ParsedListen refuse(std::string problem, std::string hint) {
  return {std::nullopt, std::move(problem), std::move(hint)};
}

bool consists_of(std::string_view text, std::string_view characters) {
  return !text.empty() && text.find_first_not_of(characters) == std::string_view::npos;
}

ParsedListen with_port(std::string host, std::string_view port_text) {
  const std::optional<int> port = parse_int(port_text);
  if (!port) return refuse("has no port that is a whole number", std::string{kForms});
  if (*port < 0 || *port > 65'535) {
    return refuse("has a port out of range, expected 0 to 65535",
                  "0 picks a free port and logs it");
  }
  core::AdminOptions admin;
  if (!host.empty()) admin.host = std::move(host);
  admin.port = port;
  return {admin, {}, {}};
}

}  // namespace

ParsedListen parse_listen(std::string_view text) {
  if (text == "off") return {core::AdminOptions{}, {}, {}};
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return with_port({}, text);
  const std::string_view host = text.substr(0, colon);
  const std::string_view port = text.substr(colon + 1);
  if (!host.empty() && host.front() == '[') {
    const bool closed = host.size() > 2 && host.back() == ']';
    const std::string_view address = closed ? host.substr(1, host.size() - 2) : std::string_view{};
    if (!consists_of(address, kAddress6Characters) || address.find(':') == std::string_view::npos) {
      return refuse("has no IPv6 address in the brackets", "write \"[::1]:9464\", in quotes");
    }
    return with_port(std::string{address}, port);
  }
  if (host.find(':') != std::string_view::npos) {
    return refuse("has more than one colon", "an IPv6 address needs brackets: \"[::1]:9464\"");
  }
  if (host.empty() || host == "*") {
    return refuse("names no address", "write 0.0.0.0:" + std::string{port} +
                                          " for every address, 127.0.0.1:" + std::string{port} +
                                          " for this machine only");
  }
  if (!consists_of(host, kHostCharacters)) {
    return refuse("has a character that no host name has", std::string{kForms});
  }
  return with_port(std::string{host}, port);
}

std::string format_listen(const core::AdminOptions& admin) {
  if (!admin.port) return "off";
  const bool v6 = admin.host.find(':') != std::string::npos;
  return (v6 ? "[" + admin.host + "]" : admin.host) + ":" + std::to_string(*admin.port);
}

}  // namespace outbox::config
