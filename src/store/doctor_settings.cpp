// The doctor on settings: the server's, and the storage settings of our tables. Reports, never
// resets: a DBA may have had a reason.
#include <map>
#include <sstream>

#include "store/doctor_check.hpp"

namespace outbox::store::doctor {

namespace {

constexpr const char* kRelied =
    "'{autovacuum,track_counts,fsync,full_page_writes,synchronous_commit}'";

// Of pg_settings the server's own value; of pg_db_role_setting what databases and roles have
// instead. Both can be read by everybody. No locks.
const std::string kRelyText =
    std::string{R"(/* outbox:doctor_settings */
SELECT s.name, CASE s.source WHEN 'client' THEN 'this connection' WHEN 'session' THEN 'this connection' ELSE 'the server' END,
       CASE WHEN s.source IN ('client', 'session') THEN 'take it out of the options in the URL'
            WHEN s.source IN ('command line', 'environment variable') THEN format('start the server without it: %s', s.source)
            ELSE format('ALTER SYSTEM SET %s = on; SELECT pg_reload_conf();', s.name) END
  FROM pg_settings s
 WHERE s.name = ANY ()"} +
    kRelied +
    R"(::text[]) AND s.setting = 'off' AND s.source NOT IN ('database', 'user', 'database user')
UNION ALL
SELECT c.name, concat_ws(' in ', 'role ' || r.rolname, 'database ' || d.datname),
       format('ALTER %s RESET %s;', CASE WHEN r.oid IS NULL THEN format('DATABASE %I', d.datname)
                                         WHEN d.oid IS NULL THEN format('ROLE %I', r.rolname)
                                         ELSE format('ROLE %I IN DATABASE %I', r.rolname, d.datname) END, c.name)
  FROM pg_db_role_setting o
  LEFT JOIN pg_roles r ON r.oid = o.setrole
  LEFT JOIN pg_database d ON d.oid = o.setdatabase,
       LATERAL (SELECT split_part(e, '=', 1) AS name, split_part(e, '=', 2) AS value FROM unnest(o.setconfig) e) c
 WHERE (o.setdatabase = 0 OR d.datname = current_database()) AND (r.oid IS NOT NULL OR d.oid IS NOT NULL)
   AND c.name = ANY ()" +
    kRelied + R"(::text[]) AND lower(c.value) IN ('off', 'false', 'no', '0')
 ORDER BY 1, 2)";

const char* why_of(const std::string& setting) {
  if (setting == "autovacuum" || setting == "track_counts")
    return "nothing cleans the jobs table up: dead rows pile up until claims take seconds";
  return "a crash of the server loses jobs whose COMMIT was acknowledged, or runs finished ones "
         "again";
}

/// Names and values of one table.
using Options = std::map<std::string, std::string>;

void add_option(Options& options, const std::string& option) {
  const auto equals = option.find('=');
  if (equals != std::string::npos) options[option.substr(0, equals)] = option.substr(equals + 1);
}

/// From catalog lines "storage outbox.jobs: fillfactor=45, ...".
std::map<std::string, Options> storage_of(const std::vector<std::string>& lines) {
  constexpr std::string_view kHead = "storage ";
  std::map<std::string, Options> tables;
  for (const auto& line : lines) {
    const auto colon = line.find(": ");
    if (!line.starts_with(kHead) || colon == std::string::npos) continue;
    std::istringstream options{line.substr(colon + 2)};
    for (std::string option; std::getline(options >> std::ws, option, ',');)
      add_option(tables[line.substr(kHead.size(), colon - kHead.size())], option);
  }
  return tables;
}

std::optional<Finding> compared(const std::string& table, const Options& expected,
                                const Options& found) {
  std::vector<std::string> differences;
  std::string set;
  std::string reset;
  for (const auto& [name, value] : expected) {
    const auto other = found.find(name);
    if (other != found.end() && other->second == value) continue;
    differences.push_back(name + " is " + (other == found.end() ? "not set" : other->second) +
                          ", the migrations set " + value);
    set += (set.empty() ? "" : ", ") + name + " = " + value;
  }
  for (const auto& [name, value] : found) {
    if (expected.count(name) > 0) continue;
    differences.push_back(name + " is " + value + ", the migrations do not set it");
    reset += (reset.empty() ? "" : ", ") + name;
  }
  if (differences.empty()) return std::nullopt;
  std::string fix;
  if (!set.empty()) fix = "ALTER TABLE " + table + " SET (" + set + ");";
  if (!reset.empty())
    fix += (fix.empty() ? "" : "\n") + ("ALTER TABLE " + table + " RESET (" + reset + ");");
  return warning(
      "storage", table + ": " + enumerated(differences, differences.size()),
      "the values of the migrations were measured: claims stay HOT, and autovacuum comes "
      "in time; keep yours if you measured, too",
      fix);
}

}  // namespace

Findings check_settings(Checkup& checkup) {
  static const pg::Statement kRely{"doctor_settings", kRelyText.c_str()};
  Findings out;
  for (const auto& row : ask(checkup.database, kRely)) {
    const auto setting = pg::text(row[0]);
    out.push_back(problem("settings", setting + " is off for " + pg::text(row[1]), why_of(setting),
                          pg::text(row[2])));
  }
  return or_ok(std::move(out), "settings",
               "autovacuum, track_counts, fsync, full_page_writes and synchronous_commit are on");
}

Findings check_storage(Checkup& checkup) {
  const auto& drift = checkup.drift();
  if (!drift.unknown_why.empty()) {
    return {skipped("storage", "this program does not know what the migrations of this schema set",
                    "run doctor of the program that is built for this schema")};
  }
  const auto expected = storage_of(drift.missing);
  auto found = storage_of(drift.unexpected);
  for (const auto& [table, options] : expected) found[table];
  Findings out;
  for (const auto& [table, options] : found) {
    const auto wanted = expected.find(table);
    auto finding = compared(table, wanted == expected.end() ? Options{} : wanted->second, options);
    if (finding) out.push_back(std::move(*finding));
  }
  return or_ok(std::move(out), "storage", "storage settings are those of the migrations");
}

}  // namespace outbox::store::doctor
