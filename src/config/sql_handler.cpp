// Reads the handler of an sql kind; see the header.
#include "config/sql_handler.hpp"

#include "config/text.hpp"

namespace outbox::config {
namespace {

constexpr std::size_t kLongestIdentifier = 63;  // PostgreSQL would cut it silently.

std::string trim(std::string_view text) {
  constexpr std::string_view kSpaces = " \t\r\n";
  const std::size_t begin = text.find_first_not_of(kSpaces);
  if (begin == std::string_view::npos) return {};
  return std::string{text.substr(begin, text.find_last_not_of(kSpaces) - begin + 1)};
}

bool starts_identifier(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || byte == '_' ||
         byte >= 0x80;
}

bool continues_identifier(char c) {
  return starts_identifier(c) || (c >= '0' && c <= '9') || c == '$';
}

// The identifier at the start of the text: its length as written, 0 when there is none.
std::size_t identifier_length(std::string_view text) {
  if (text.empty()) return 0;
  std::size_t i = 1;
  if (text.front() == '"') {
    for (; i < text.size(); ++i) {
      if (text[i] != '"') continue;
      if (i + 1 == text.size() || text[i + 1] != '"') return i > 1 ? i + 1 : 0;
      ++i;
    }
    return 0;
  }
  if (!starts_identifier(text.front())) return 0;
  while (i < text.size() && continues_identifier(text[i])) ++i;
  return i;
}

}  // namespace

std::string function_problem(std::string_view name) {
  if (name.find('(') != std::string_view::npos) return "must be a name without parentheses";
  const std::size_t schema = identifier_length(name);
  if (schema > 0 && schema == name.size()) return "has no schema";
  if (schema == 0 || name[schema] != '.') return "is not a function's name";
  const std::string_view rest = name.substr(schema + 1);
  if (identifier_length(rest) == 0 || identifier_length(rest) != rest.size()) {
    return "is not a function's name";
  }
  return {};
}

void read_sql_handler(Section& section, std::optional<core::SqlHandler>& sql) {
  core::SqlHandler handler;
  if (const Node* node = section.find_scalar("sql", "one SQL statement")) {
    handler.statement = trim(node->text);
    if (handler.statement.empty()) {
      section.refuse("sql", "is empty, expected one SQL statement",
                     "write it, as in sql: SELECT ledger.post($1)");
    }
  }
  if (const Node* node = section.find_scalar("function", "the name of a function")) {
    const std::string problem = function_problem(node->text);
    handler.function = node->text;
    if (!problem.empty()) {
      section.refuse(
          "function", show(node->text) + " " + problem + ", expected schema.function",
          "write function: ledger.post, or a whole statement as sql: SELECT ledger.post($1)");
    }
  }
  if (const Node* node = section.find_scalar("role", "the name of a role")) {
    handler.role = node->text;
    if (handler.role.size() > kLongestIdentifier) {
      section.refuse("role",
                     "has " + std::to_string(handler.role.size()) + " bytes, expected at most 63",
                     "write the name as CREATE ROLE knows it");
    }
  }
  if (section.given("sql") || section.given("function")) sql = std::move(handler);
}

}  // namespace outbox::config
