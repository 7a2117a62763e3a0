// A URL with {placeholders} for values of a job's payload, checked when the configuration is read
// and filled for each job. Pure; const members from any thread. No text here quotes the URL or a
// value, which may be secrets.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace outbox::core {

/// `{order.id}` is the member id of the member order; `{{` and `}}` are braces. Either one
/// placeholder as a whole, whose value is a whole URL, or a URL whose scheme and port are written
/// out.
class UrlTemplate {
 public:
  struct Parsed;
  /// At most 8,192 bytes and 32 placeholders. What is written out follows the rules of parse_url.
  [[nodiscard]] static Parsed parse(std::string_view text);

  /// Whether expand() looks at the payload at all.
  [[nodiscard]] bool has_placeholders() const;
  /// The host, or the whole URL, depends on the payload: who writes jobs says where requests go.
  [[nodiscard]] bool host_from_payload() const { return host_from_payload_; }
  /// "https://host:443", lower case and always with the port; empty when host_from_payload().
  [[nodiscard]] const std::string& origin() const { return origin_; }
  /// The scheme is written out, and it is http.
  [[nodiscard]] bool plain_http() const { return plain_http_; }

  /// Either `url` and its `origin`, or `problem`, which names the placeholder.
  struct Expanded {
    std::string url;
    std::string origin;
    std::string problem;
  };
  /// Values are texts, numbers or booleans of 1 to 2,048 bytes, not "." or "..", and are
  /// percent-encoded. In the host: one DNS label each, or a host when the placeholder is all of it.
  /// A whole URL: up to 8,192 bytes by the rules of parse_url, as is the result.
  [[nodiscard]] Expanded expand(const nlohmann::json& payload) const;

 private:
  enum class Place { literal, url, host, label, rest };
  struct Piece {
    Place place{Place::literal};
    std::string text;  // itself, or the placeholder's name: "order.id"
  };

  static std::string cut(std::string_view text, std::vector<Piece>& pieces);
  void set_places();
  [[nodiscard]] static std::string fill(const Piece& piece, const std::string& value,
                                        std::string& url);

  std::vector<Piece> pieces_;
  bool host_from_payload_{};
  bool plain_http_{};
  std::string origin_;
};

struct UrlTemplate::Parsed {
  std::optional<UrlTemplate> url;
  std::string problem;  ///< As in "has no host".
  std::string hint;
};

}  // namespace outbox::core
