// The doctor on drift: every object compared with what the migrations make. Storage settings,
// invalid indexes, constraints that are not validated and disabled triggers are told by checks of
// their own.
#include <map>
#include <set>

#include "store/doctor_check.hpp"
#include "store/doctor_mend.hpp"

namespace outbox::store::doctor {

namespace {

constexpr const char* kDriftWhy =
    "programs and migrations rely on the objects being as the migrations made them";

struct Object {
  std::string kind;
  std::string identity;
  std::string expected;  // definition; empty: it should not be there
  std::string found;     // empty: it is not there
};

void strip(std::string& text, std::string_view tail) {
  if (text.ends_with(tail)) text.resize(text.size() - tail.size());
}

/// Without what other checks tell.
std::string essence(const std::string& kind, std::string definition) {
  if (kind == "index") strip(definition, " INVALID");
  if (kind == "constraint") strip(definition, " NOT VALID");
  if (kind == "trigger") {
    for (const std::string_view state : {" DISABLED", " enabled R", " enabled A"})
      strip(definition, state);
  }
  return definition;
}

void add_lines(std::map<std::string, Object>& objects, const std::vector<std::string>& lines,
               std::string Object::*side) {
  for (const auto& line : lines) {
    const auto colon = line.find(": ");
    const auto key = line.substr(0, colon);
    const auto space = key.find(' ');
    auto& object = objects[key];
    object.kind = key.substr(0, space);
    object.identity = key.substr(space + 1);
    object.*side = colon == std::string::npos ? " " : essence(object.kind, line.substr(colon + 2));
  }
}

/// One form for all: "outbox.jobs.jobs_inserted", arguments left out.
std::string plain_name(const Object& object) {
  std::string name = object.identity;
  if (object.kind == "comment") {
    // "trigger jobs_inserted on outbox.jobs", "table column outbox.jobs.id", "function
    // outbox.f(text)"
    constexpr std::string_view kOn = " on outbox.";
    if (const auto on = name.find(kOn); on != std::string::npos) {
      const auto part = name.rfind(' ', on - 1) + 1;
      return name.substr(on + 4) + "." + name.substr(part, on - part);
    }
    if (const auto at = name.find("outbox"); at != std::string::npos) name.erase(0, at);
  }
  return name.substr(0, name.find('('));
}

/// Names of the objects that are on one side only; what belongs to them follows them.
std::set<std::string> whole(const std::map<std::string, Object>& objects) {
  std::set<std::string> names;
  for (const auto& [key, object] : objects) {
    if (object.kind == "comment" || (!object.expected.empty() && !object.found.empty())) continue;
    names.insert(plain_name(object));
    if (object.kind == "constraint") {  // of a primary key: the index of its name
      const auto [table, part] = table_and_part(object.identity);
      names.insert("index outbox." + part);
    }
  }
  return names;
}

bool follows(const Object& object, const std::set<std::string>& names) {
  const auto name = plain_name(object);
  if (object.kind == "comment" && names.count(name) > 0) return true;
  if (object.kind == "index") {
    if (names.count("index " + name) > 0) return true;
    const auto& definition = object.expected.empty() ? object.found : object.expected;
    const auto on = definition.find(" ON outbox.");
    const auto table = definition.find("outbox.", on == std::string::npos ? 0 : on);
    return table != std::string::npos &&
           names.count(definition.substr(table, definition.find(' ', table) - table)) > 0;
  }
  const auto [table, part] = table_and_part(name);
  return table != "outbox" && names.count(table) > 0;
}

std::string comments_of(const std::string& name, const std::map<std::string, Object>& objects,
                        int version) {
  std::string out;
  for (const auto& [key, object] : objects) {
    if (object.kind != "comment" || object.expected.empty() || plain_name(object) != name) continue;
    const auto sql = comment_sql(object.identity, version);
    if (!sql.empty()) out += "\n" + sql;
  }
  return out;
}

Finding finding_of(const Object& object, const std::map<std::string, Object>& objects,
                   int version) {
  const std::string name = object.kind + " " + object.identity;
  if (object.expected.empty()) {
    auto fix = removing_sql(object.kind, object.identity);
    if (fix.empty()) fix = "take it away, or leave it and expect migrations to meet it";
    return warning(
        "drift", name + " is there, and no migration made it",
        "later migrations and the programs do not know it; an index costs at every insert", fix);
  }
  auto fix = making_sql(object.kind, object.identity, object.expected, version);
  const bool replaced = object.kind == "function" || object.kind == "view";
  if (!object.found.empty()) {
    if (!fix.empty() && !replaced) fix = removing_sql(object.kind, object.identity) + "\n" + fix;
    if (fix.empty()) fix = "alter it so that it is again: " + object.expected;
    return problem("drift", name + " is not as expected: " + object.found, kDriftWhy, fix);
  }
  if (fix.empty()) {
    return problem("drift", name + " is missing; expected: " + object.expected, kDriftWhy,
                   "restore it from a backup: its rows or values are gone; its definition is in "
                   "migrations/");
  }
  fix += comments_of(plain_name(object), objects, version);
  if (replaced) fix += "\nSELECT outbox.grant_roles();";  // a new one can be executed by PUBLIC
  return problem("drift", name + " is missing", kDriftWhy, fix);
}

/// Comments of objects that are there, all in one.
Findings on_comments(const std::vector<const Object*>& comments, int version) {
  if (comments.empty()) return {};
  std::vector<std::string> names;
  std::string fix;
  for (const auto* object : comments) {
    names.push_back(object->identity);
    const auto sql = comment_sql(object->identity, version);
    if (!sql.empty()) fix += (fix.empty() ? "" : "\n") + sql;
  }
  if (fix.empty()) fix = "the texts are in migrations/; a comment of your own may stay";
  return {warning("drift", "comments are missing or changed: " + enumerated(names),
                  "they explain the tables to those who look at them", fix)};
}

}  // namespace

Findings check_drift(Checkup& checkup) {
  const auto& drift = checkup.drift();
  if (!drift.unknown_why.empty()) {
    return {skipped("drift", drift.unknown_why,
                    "run doctor of the program that is built for this schema")};
  }
  const int version = checkup.schema ? checkup.schema->version : schema_built_for();
  std::map<std::string, Object> objects;
  add_lines(objects, drift.missing, &Object::expected);
  add_lines(objects, drift.unexpected, &Object::found);
  const auto names = whole(objects);
  Findings out;
  std::vector<const Object*> comments;
  for (const auto& [key, object] : objects) {
    if (object.kind == "storage" || object.expected == object.found || follows(object, names))
      continue;
    if (object.kind == "comment")
      comments.push_back(&object);
    else
      out.push_back(finding_of(object, objects, version));
  }
  for (auto& finding : on_comments(comments, version)) out.push_back(std::move(finding));
  return or_ok(std::move(out), "drift", "every object is as the migrations made it");
}

}  // namespace outbox::store::doctor
