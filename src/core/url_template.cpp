// Filling URLs from payloads. Both the template and every result go through parse_url, so that no
// combination of text and values gets around its rules.
#include "core/url_template.hpp"

#include <algorithm>
#include <cmath>
#include <variant>

#include <nlohmann/json.hpp>

#include "core/url.hpp"

namespace outbox::core {
namespace {

constexpr std::size_t kMostPlaceholders = 32;
constexpr std::size_t kLongestPlaceholder = 256;
constexpr std::size_t kLongestValue = 2'048;
constexpr double kExactIntegers = 9'007'199'254'740'992.0;  // 2^53
constexpr std::string_view kNameCharacters =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
constexpr const char* kPlaceholderHint =
    "a placeholder is {id} or {order.id}, of letters, digits, _ and -; write {{ or }} for a brace";

bool is_placeholder_name(std::string_view name) {
  return !name.empty() && name.size() <= kLongestPlaceholder && name.front() != '.' &&
         name.back() != '.' && name.find("..") == std::string_view::npos &&
         name.find_first_not_of(kNameCharacters) == std::string_view::npos;
}

const nlohmann::json* find_member(const nlohmann::json& payload, std::string_view name) {
  const nlohmann::json* at = &payload;
  while (true) {
    const std::size_t dot = std::min(name.find('.'), name.size());
    if (!at->is_object()) return nullptr;
    const auto member = at->find(std::string{name.substr(0, dot)});
    if (member == at->end()) return nullptr;
    at = &*member;
    if (dot == name.size()) return at;
    name.remove_prefix(dot + 1);
  }
}

struct ValueProblem {
  std::string text;
};

std::variant<std::string, ValueProblem> value_text(const nlohmann::json& value) {
  std::string text;
  if (value.is_string()) {
    text = value.get<std::string>();
  } else if (value.is_number_float() && std::abs(value.get<double>()) >= kExactIntegers) {
    // A double, so its last digits are gone already: another order's number would be asked for.
    return ValueProblem{"is a number too large to be exact; send it as text"};
  } else if (value.is_number() || value.is_boolean()) {
    text = value.dump();
  } else {
    return ValueProblem{std::string{"is "} + (value.is_null() ? "null" : "a list or an object") +
                        ", expected text, a number, true or false"};
  }
  if (text.empty()) return ValueProblem{"is empty"};
  if (text == "." || text == "..") return ValueProblem{"is . or .., which would leave the path"};
  return text;
}

std::string about(const std::string& name, const std::string& problem) {
  return "'" + name + "' of the payload, for the url, " + problem;
}

}  // namespace

// Empty when the text was cut into pieces; else what is wrong. Braces that are meant stand in the
// pieces as their percent-code: a URL holds no others.
std::string UrlTemplate::cut(std::string_view text, std::vector<Piece>& pieces) {
  std::size_t placeholders = 0;
  std::string literal;
  while (!text.empty()) {
    const std::string_view two = text.substr(0, 2);
    if (two == "{{" || two == "}}") {
      literal += two == "{{" ? "%7B" : "%7D";
      text.remove_prefix(2);
    } else if (text.front() == '}') {
      return "has a } without a { before it";
    } else if (text.front() == '{') {
      const std::size_t end = text.find('}');
      if (end == std::string_view::npos) return "has a { without a } after it";
      const std::string_view name = text.substr(1, end - 1);
      if (!is_placeholder_name(name)) return "has a placeholder that is no name";
      if (++placeholders > kMostPlaceholders) return "has more than 32 placeholders";
      if (!literal.empty()) pieces.push_back({Place::literal, std::exchange(literal, {})});
      pieces.push_back({Place::rest, std::string{name}});
      text.remove_prefix(end + 1);
    } else {
      literal += text.front();
      text.remove_prefix(1);
    }
  }
  if (!literal.empty()) pieces.push_back({Place::literal, std::move(literal)});
  return {};
}

void UrlTemplate::set_places() {
  if (pieces_.size() == 1 && pieces_[0].place != Place::literal) {
    pieces_[0].place = Place::url;
    host_from_payload_ = true;
    return;
  }
  const std::size_t host = pieces_[0].text.find("://") + 3;
  for (std::size_t i = 0; i < pieces_.size(); ++i) {
    Piece& piece = pieces_[i];
    if (piece.place == Place::literal) {
      if (piece.text.find_first_of("/?", i == 0 ? host : 0) != std::string::npos) return;
      continue;
    }
    host_from_payload_ = true;
    const bool first = i == 1 && pieces_[0].text.size() == host;
    const bool last = i + 1 == pieces_.size() || (pieces_[i + 1].place == Place::literal &&
                                                  pieces_[i + 1].text.find_first_of("/?:") == 0);
    piece.place = first && last ? Place::host : Place::label;
  }
}

UrlTemplate::Parsed UrlTemplate::parse(std::string_view text) {
  if (text.size() > kUrlBytesMax) {
    return {std::nullopt, "has more than 8192 bytes", "put the data into the payload"};
  }
  UrlTemplate made;
  std::string problem = cut(text, made.pieces_);
  if (!problem.empty()) return {std::nullopt, std::move(problem), kPlaceholderHint};
  const bool whole = made.pieces_.size() == 1 && made.pieces_[0].place != Place::literal;
  if (!whole) {
    // x is a letter of a host and of a path, and neither of a scheme, a port, an IPv6 address nor
    // of a percent-code: where those are not written out, this is refused.
    std::string sample;
    for (const Piece& piece : made.pieces_) {
      sample += piece.place == Place::literal ? piece.text : "x";
    }
    ParsedUrl parsed = parse_url(sample);
    if (!parsed.problem.empty()) {
      return {std::nullopt, std::move(parsed.problem), std::move(parsed.hint)};
    }
    made.origin_ = std::move(parsed.origin);
    made.plain_http_ = made.origin_.compare(0, 5, "http:") == 0;
  }
  made.set_places();
  if (made.host_from_payload_) made.origin_.clear();
  return {std::move(made), {}, {}};
}

// Empty when the value was added to the URL; else what is wrong with it.
std::string UrlTemplate::fill(const Piece& piece, const std::string& value, std::string& url) {
  const bool encoded = piece.place == Place::rest;
  if (piece.place != Place::url && value.size() > kLongestValue) {
    return "has " + std::to_string(value.size()) + " bytes, expected at most 2048";
  }
  if (piece.place == Place::label && !is_dns_label(value)) {
    return "is not one label of a host name: 1 to 63 letters, digits, _ and -";
  }
  if (piece.place == Place::host) {
    const ParsedHost host = parse_host(value);
    if (!host.problem.empty()) return host.problem;
  }
  url += encoded ? percent_encode(value) : value;
  return {};
}

bool UrlTemplate::has_placeholders() const {
  return std::any_of(pieces_.begin(), pieces_.end(),
                     [](const Piece& piece) { return piece.place != Place::literal; });
}

UrlTemplate::Expanded UrlTemplate::expand(const nlohmann::json& payload) const {
  std::string url;
  for (const Piece& piece : pieces_) {
    if (piece.place == Place::literal) {
      url += piece.text;
      continue;
    }
    const nlohmann::json* member = find_member(payload, piece.text);
    if (member == nullptr) {
      return {{}, {}, "the payload has no '" + piece.text + "', which the url needs"};
    }
    const auto value = value_text(*member);
    const auto* wrong = std::get_if<ValueProblem>(&value);
    const std::string problem =
        wrong != nullptr ? wrong->text : fill(piece, std::get<std::string>(value), url);
    if (!problem.empty()) return {{}, {}, about(piece.text, problem)};
  }
  ParsedUrl parsed = parse_url(url);
  if (parsed.problem.empty()) return {std::move(parsed.url), std::move(parsed.origin), {}};
  if (pieces_[0].place == Place::url) return {{}, {}, about(pieces_[0].text, parsed.problem)};
  return {{}, {}, "with the values of this payload the url " + parsed.problem};
}

}  // namespace outbox::core
