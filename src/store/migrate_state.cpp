// Comparing the ledger with the program, and running the verify scripts.
#include "store/migrate_state.hpp"

#include <algorithm>

#include "core/fault.hpp"
#include "pg/session.hpp"
#include "store/ledger.hpp"

namespace outbox::store {

namespace {

MigrationState applied_state(pg::Session& session, const LedgerRow& row) {
  MigrationState state{.version = row.version,
                       .name = row.name,
                       .min_reader = row.min_reader,
                       .applied = true,
                       .applied_at = row.applied_at,
                       .applied_by = row.applied_by,
                       .applied_via = row.applied_via};
  state.by_hand = row.up_sha256.empty();
  if (const auto* migration = find_migration(row.version)) {
    state.known = true;
    state.checksum_ok = migration->name == row.name;
    if (state.checksum_ok && !state.by_hand) {
      state.checksum_ok = checksum(session, migration->up) == row.up_sha256;
    }
  }
  return state;
}

std::string run_verify(pg::Session& session, const std::string& sql) {
  try {
    session.transact([&](auto& tx) {
      tx.exec("SET TRANSACTION READ ONLY");
      tx.exec(sql);
    });
    return {};
  } catch (const core::DbError& e) {
    if (e.session_lost()) throw;
    return server_message(e.what());
  }
}

Verified verify_one(pg::Session& session, const LedgerRow& row) {
  Verified out{.version = row.version, .name = row.name, .problem = {}};
  const auto state = applied_state(session, row);
  if (!state.checksum_ok) {
    out.problem = "what was applied is not this program's file";
    return out;
  }
  const auto* known = find_migration(row.version);
  const std::string sql = known != nullptr ? std::string{known->verify} : row.verify_sql;
  out.problem = sql.empty() ? "unknown to this program, and applied by hand: no script to verify it"
                            : run_verify(session, sql);
  return out;
}

}  // namespace

std::vector<MigrationState> migration_status(Database& database) {
  auto& session = database.session();
  std::vector<MigrationState> states;
  for (const auto& row : read_ledger(session)) states.push_back(applied_state(session, row));
  for (const auto& migration : known_migrations()) {
    const auto same = [&](const auto& state) { return state.version == migration.version; };
    if (std::none_of(states.begin(), states.end(), same)) {
      states.push_back({.version = migration.version,
                        .name = migration.name,
                        .min_reader = header_of(migration.up).min_reader,
                        .known = true,
                        .applied_at = {},
                        .applied_by = {},
                        .applied_via = {}});
    }
  }
  std::sort(states.begin(), states.end(),
            [](const auto& a, const auto& b) { return a.version < b.version; });
  return states;
}

std::vector<Verified> migrate_verify(Database& database) {
  auto& session = database.session();
  std::vector<Verified> out;
  for (const auto& row : read_ledger(session)) out.push_back(verify_one(session, row));
  return out;
}

std::string server_message(const std::string& text) {
  std::string message = text.substr(0, text.find('\n'));
  if (message.starts_with("ERROR:  ")) message.erase(0, 8);
  return message;
}

}  // namespace outbox::store
