// What the doctor's checks share, and the list of them. A check returns at least one finding and
// throws core::DbError when it could not look; examine() turns that into a finding.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "pg/session.hpp"
#include "store/catalog.hpp"
#include "store/doctor.hpp"
#include "store/schema_version.hpp"

namespace outbox::store::doctor {

/// How far the schema can be looked at.
enum class Fit {
  absent,   ///< There is none.
  unknown,  ///< The role may not read the ledger.
  other,    ///< This program must not run on it: older, or newer and breaking.
  fit,
};

struct Checkup {
  Database& database;
  const Open& open;
  const Settings& settings;
  std::optional<SchemaVersion> schema;
  Fit fit{Fit::absent};

  /// Looked at once, for the checks drift and storage. Throws core::DbError.
  const CatalogDrift& drift() {
    if (!drift_found) drift_found = catalog_drift(database);
    return *drift_found;
  }
  std::optional<CatalogDrift> drift_found{};
};

using Findings = std::vector<Finding>;

inline Finding ok(const char* check, std::string what) {
  return {check, Status::ok, std::move(what), {}, {}};
}
inline Finding skipped(const char* check, std::string what, std::string fix) {
  return {check, Status::skipped, std::move(what), {}, std::move(fix)};
}
inline Finding warning(const char* check, std::string what, std::string why, std::string fix) {
  return {check, Status::warning, std::move(what), std::move(why), std::move(fix)};
}
inline Finding problem(const char* check, std::string what, std::string why, std::string fix) {
  return {check, Status::problem, std::move(what), std::move(why), std::move(fix)};
}

/// `found`, or one ok finding when that is empty.
inline Findings or_ok(Findings found, const char* check, std::string what) {
  if (found.empty()) found.push_back(ok(check, std::move(what)));
  return found;
}

/// Of a session that a pooler shares nothing may last, and another's settings may stand there: so
/// each statement has a transaction with its own. Names are written with their schema.
inline constexpr const char* kBounded =
    "SET TRANSACTION READ ONLY; SET LOCAL statement_timeout = '5s'; SET LOCAL lock_timeout = '1s'; "
    "SET LOCAL search_path = pg_catalog, pg_temp; SET LOCAL jit = off";

/// One statement, bounded and read-only. Throws core::DbError.
template <class... Args>
pqxx::result ask(Database& database, const pg::Statement& statement, const Args&... args) {
  auto& session = database.session();
  return session.transact([&](pqxx::work& tx) {
    tx.exec(kBounded);
    return session.call(tx, statement, args...);
  });
}

/// `text` as an SQL literal.
inline std::string literal(const std::string& text) {
  std::string out{"'"};
  for (const char c : text) {
    if (c == '\'') out += c;
    out += c;
  }
  return out += '\'';
}

/// The server's message alone, in one line.
inline std::string message_of(const core::DbError& error) {
  std::string text{error.what()};
  if (const auto at = text.find(":  "); at != std::string::npos && at < text.find(' '))
    text.erase(0, at + 3);
  return text.substr(0, text.find('\n'));
}

/// "a, b, c and 4 more".
inline std::string enumerated(const std::vector<std::string>& names, std::size_t most = 5) {
  std::string out;
  for (std::size_t i = 0; i < std::min(names.size(), most); ++i)
    out += (i == 0 ? "" : ", ") + names[i];
  if (names.size() > most) out += " and " + std::to_string(names.size() - most) + " more";
  return out;
}

Findings check_server(Checkup& checkup);
Findings check_schema(Checkup& checkup);
Findings check_drift(Checkup& checkup);
Findings check_roles(Checkup& checkup);
Findings check_grants(Checkup& checkup);
Findings check_definers(Checkup& checkup);
Findings check_owners(Checkup& checkup);
Findings check_login(Checkup& checkup);
Findings check_settings(Checkup& checkup);
Findings check_storage(Checkup& checkup);
Findings check_indexes(Checkup& checkup);
Findings check_constraints(Checkup& checkup);
Findings check_triggers(Checkup& checkup);
Findings check_plans(Checkup& checkup);
Findings check_horizon(Checkup& checkup);
Findings check_slots(Checkup& checkup);
Findings check_clock(Checkup& checkup);
Findings check_heartbeats(Checkup& checkup);
Findings check_pooler(Checkup& checkup);
Findings check_notify(Checkup& checkup);
Findings check_locks(Checkup& checkup);
Findings check_sequences(Checkup& checkup);
Findings check_wraparound(Checkup& checkup);
Findings check_connections(Checkup& checkup);

}  // namespace outbox::store::doctor
