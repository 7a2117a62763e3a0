// Parts of a libpq connection string; follows the grammar of libpq's conninfo_parse and
// conninfo_uri_parse.
#include "core/conninfo.hpp"

#include <algorithm>
#include <cctype>

#include "core/url.hpp"

namespace outbox::core {
namespace {

using Parts = std::vector<ConninfoPart>;

bool is_space(char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; }

std::size_t scheme_length(std::string_view text) {
  for (const std::string_view scheme : {"postgresql://", "postgres://"}) {
    if (text.substr(0, scheme.size()) == scheme) return scheme.size();
  }
  return 0;
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string percent_decode(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool escape = text[i] == '%' && i + 2 < text.size();
    const int high = escape ? hex_value(text[i + 1]) : -1;
    const int low = escape ? hex_value(text[i + 2]) : -1;
    if (high < 0 || low < 0) {
      out += text[i];
    } else {
      out += static_cast<char>(high * 16 + low);
      i += 2;
    }
  }
  return out;
}

struct UrlMarks {
  std::size_t authority{};  // behind "//"
  std::size_t at{};         // the '@' that ends the user, or npos
  std::size_t query{};      // the '?', or the end
};

// libpq looks for '@' up to the first '/', so a '?' before it belongs to the password. We take the
// last '@' before the query instead of the first: what a person meant as password must not be
// shown, even if libpq refuses it.
UrlMarks find_marks(std::string_view text) {
  UrlMarks marks;
  marks.authority = scheme_length(text);
  const std::size_t first_at = text.find('@', marks.authority);
  const std::size_t slash = text.find('/', marks.authority);
  const bool user_given = first_at != std::string_view::npos && first_at < slash;
  marks.query = text.find('?', user_given ? first_at : marks.authority);
  if (marks.query == std::string_view::npos) marks.query = text.size();
  marks.at = text.substr(0, marks.query).rfind('@');
  if (marks.at != std::string_view::npos && marks.at < marks.authority) {
    marks.at = std::string_view::npos;
  }
  return marks;
}

std::optional<Parts> parse_database_url(std::string_view text) {
  const UrlMarks marks = find_marks(text);
  Parts parts;
  if (marks.at != std::string_view::npos) {
    const std::size_t colon = text.find(':', marks.authority);
    if (colon < marks.at) parts.push_back({"password", colon + 1, marks.at});
  }
  std::size_t begin = marks.query + 1;
  while (begin < text.size()) {
    const std::size_t end = std::min(text.find('&', begin), text.size());
    const std::size_t equals = text.find('=', begin);
    if (equals >= end) return std::nullopt;
    parts.push_back({percent_decode(text.substr(begin, equals - begin)), equals + 1, end});
    begin = end + 1;
  }
  return parts;
}

std::size_t skip_spaces(std::string_view text, std::size_t i) {
  while (i < text.size() && is_space(text[i])) ++i;
  return i;
}

// The end of the value that begins at i, or npos when its quote is not closed.
std::size_t value_end(std::string_view text, std::size_t i) {
  const bool quoted = i < text.size() && text[i] == '\'';
  if (quoted) ++i;
  for (; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (quoted ? text[i] == '\'' : is_space(text[i])) {
      return quoted ? i + 1 : i;
    }
  }
  return quoted ? std::string_view::npos : text.size();
}

std::optional<Parts> parse_pairs(std::string_view text) {
  Parts parts;
  for (std::size_t i = skip_spaces(text, 0); i < text.size(); i = skip_spaces(text, i)) {
    std::size_t key_end = i;
    while (key_end < text.size() && text[key_end] != '=' && !is_space(text[key_end])) ++key_end;
    const std::size_t equals = skip_spaces(text, key_end);
    if (key_end == i || equals >= text.size() || text[equals] != '=') return std::nullopt;
    const std::size_t begin = skip_spaces(text, equals + 1);
    const std::size_t end = value_end(text, begin);
    if (end == std::string_view::npos) return std::nullopt;
    parts.push_back({std::string{text.substr(i, key_end - i)}, begin, end});
    i = end;
  }
  return parts;
}

}  // namespace

bool is_database_url(std::string_view text) { return scheme_length(text) > 0; }

std::optional<std::vector<ConninfoPart>> parse_conninfo(std::string_view text) {
  return is_database_url(text) ? parse_database_url(text) : parse_pairs(text);
}

std::string with_password(std::string_view text, std::string_view password) {
  std::string out{text};
  if (is_database_url(text)) {
    // A query setting, not the user part: it needs no user, and works with several hosts.
    const bool has_query = find_marks(text).query < text.size();
    if (!has_query) {
      out += '?';
    } else if (out.back() != '?' && out.back() != '&') {
      out += '&';
    }
    return out + "password=" + percent_encode(password);
  }
  out += " password='";
  for (const char c : password) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out + "'";
}

}  // namespace outbox::core
