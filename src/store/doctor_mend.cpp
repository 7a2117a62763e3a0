// Searching the embedded migrations.
#include "store/doctor_mend.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>
#include <string_view>
#include <vector>

#include "store/migration_files.hpp"

namespace outbox::store::doctor {

namespace {

std::string upper(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return text;
}

/// One form for what the server and the migrations write in two: without white space and the schema
/// of types.
std::string squeezed(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (std::isspace(static_cast<unsigned char>(c)) == 0)
      out += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  for (const auto& [written, same] :
       {std::pair{"pg_catalog.", ""}, std::pair{"timestampwithtimezone", "timestamptz"}}) {
    const std::string_view what{written};
    for (auto at = out.find(what); at != std::string::npos; at = out.find(what, at))
      out.replace(at, what.size(), same);
  }
  return out;
}

bool at_line_start(std::string_view sql, std::size_t at) { return at == 0 || sql[at - 1] == '\n'; }

/// Statements of `sql` that begin with `head` at the start of a line, up to and with `tail`.
std::vector<std::string> statements_like(std::string_view sql, const std::string& head,
                                         std::string_view tail) {
  std::vector<std::string> out;
  for (auto at = sql.find(head); at != std::string_view::npos; at = sql.find(head, at + 1)) {
    const auto end = sql.find(tail, at);
    if (end == std::string_view::npos) break;
    if (at_line_start(sql, at)) out.emplace_back(sql.substr(at, end + tail.size() - at));
  }
  return out;
}

/// Newest first, those that the schema has.
std::vector<std::string> applied_sql(int version) {
  std::vector<std::string> out;
  for (const auto& migration : known_migrations()) {
    if (migration.version <= version) out.insert(out.begin(), checked_sql(migration.up));
  }
  return out;
}

void replace_first(std::string& text, std::string_view what, std::string_view with) {
  if (const auto at = text.find(what); at != std::string::npos) text.replace(at, what.size(), with);
}

std::string index_sql(std::string definition) {
  // A partitioned index is made whole, and not concurrently: the server allows no other way.
  constexpr std::string_view kOnly = " ON ONLY ";
  if (definition.find(kOnly) != std::string::npos)
    replace_first(definition, kOnly, " ON ");
  else
    replace_first(definition, "INDEX ", "INDEX CONCURRENTLY ");
  return definition + ";";
}

std::string constraint_sql(const std::string& identity, const std::string& definition) {
  const auto [table, name] = table_and_part(identity);
  const std::string add = "ALTER TABLE " + table + " ADD CONSTRAINT " + name + " " + definition;
  if (!definition.starts_with("CHECK")) return add + ";";
  return add + " NOT VALID;\nALTER TABLE " + table + " VALIDATE CONSTRAINT " + name + ";";
}

}  // namespace

std::pair<std::string, std::string> table_and_part(const std::string& identity) {
  const auto dot = identity.rfind('.');
  return {identity.substr(0, dot), identity.substr(dot + 1)};
}

std::string creating_sql(const std::string& kind, const std::string& name, int version) {
  const std::string what = upper(kind) + " " + name;
  const std::string after = kind == "view" ? " AS" : "(";
  const std::string_view tail = kind == "view" ? ";\n" : "$$;";
  for (const auto& sql : applied_sql(version)) {
    auto found = statements_like(sql, "CREATE OR REPLACE " + what + after, tail);
    for (auto& statement : statements_like(sql, "CREATE " + what + after, tail)) {
      replace_first(statement, "CREATE ", "CREATE OR REPLACE ");
      found.push_back(std::move(statement));
    }
    if (found.empty()) continue;
    std::string out;
    for (auto& statement : found) {
      if (statement.ends_with('\n')) statement.pop_back();
      out += (out.empty() ? "" : "\n") + statement;
    }
    return out;
  }
  return {};
}

std::string comment_sql(const std::string& object, int version) {
  std::string_view target{object};
  for (const std::string_view prefix : {"table ", "view "}) {
    const std::string_view rest =
        target.starts_with(prefix) ? target.substr(prefix.size()) : std::string_view{};
    if (rest.starts_with("column ")) target = rest;
  }
  const auto wanted = squeezed(target);
  const std::string head{"COMMENT ON "};
  for (const auto& sql : applied_sql(version)) {
    for (auto& statement : statements_like(sql, head, ";\n")) {
      const auto is = statement.find(" IS");
      const std::string_view named{statement};
      if (is == std::string::npos ||
          squeezed(named.substr(head.size(), is - head.size())) != wanted)
        continue;
      statement.pop_back();
      return statement;
    }
  }
  return {};
}

std::string making_sql(const std::string& kind, const std::string& identity,
                       const std::string& definition, int version) {
  if (kind == "index") return index_sql(definition);
  if (kind == "trigger") return definition + ";";
  if (kind == "constraint") return constraint_sql(identity, definition);
  if (kind == "function" || kind == "view")
    return creating_sql(kind, identity.substr(0, identity.find('(')), version);
  return {};
}

std::string removing_sql(const std::string& kind, const std::string& identity) {
  const auto [table, part] = table_and_part(identity);
  if (kind == "index") return "DROP INDEX CONCURRENTLY " + identity + ";";
  if (kind == "constraint") return "ALTER TABLE " + table + " DROP CONSTRAINT " + part + ";";
  if (kind == "trigger" || kind == "rule" || kind == "policy")
    return "DROP " + upper(kind) + " " + part + " ON " + table + ";";
  if (kind == "table" || kind == "view" || kind == "sequence" || kind == "function" ||
      kind == "procedure" || kind == "type")
    return "ALTER " + upper(kind) + " " + identity + " SET SCHEMA public;";
  return {};
}

}  // namespace outbox::store::doctor
