// The migrator: lock, compare the ledger with the program, run files as they are, and keep checksum
// and way back with them.
#include "store/migrate.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "core/fault.hpp"
#include "pg/session.hpp"
#include "store/migration_files.hpp"
#include "store/migration_lock.hpp"
#include "store/schema_version.hpp"

namespace outbox::store {

namespace {

using core::DbError;
using core::Error;
using core::ExitCode;
using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr pg::Statement kHasTable{"migrate_has_table",
                                  "SELECT pg_catalog.to_regclass($1::text) IS NOT NULL"};

constexpr pg::Statement kLedger{"migrate_ledger", R"(
  SELECT version, name, to_char(applied_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), up_sha256, down_sql
    FROM outbox.schema_migrations ORDER BY version)"};

constexpr pg::Statement kChecksum{"migrate_checksum",
                                  "SELECT encode(sha256(convert_to($1::text, 'UTF8')), 'hex')"};

constexpr pg::Statement kRecord{"migrate_record", R"(
  UPDATE outbox.schema_migrations SET up_sha256 = encode(sha256(convert_to($2::text, 'UTF8')), 'hex'), down_sql = $3::text
   WHERE version = $1::integer)"};

constexpr pg::Statement kAlive{"migrate_alive", R"(
  SELECT count(*), string_agg(format('%s (%s, outboxd %s, heartbeat %s s ago)', id, name, version,
                                     round(extract(epoch FROM clock_timestamp() - heartbeat_at)::numeric, 1)), ', ' ORDER BY id)
    FROM outbox.processors WHERE dead_at IS NULL AND heartbeat_at > clock_timestamp() - dead_after)"};

struct LedgerRow {
  int version{};
  std::string name;
  std::string applied_at;
  std::string up_sha256;  // empty: applied by hand
  std::string down_sql;   // empty: applied by hand
};

std::vector<LedgerRow> read_ledger(pg::Session& session) {
  std::vector<LedgerRow> ledger;
  if (!session.run(kHasTable, "outbox.schema_migrations")[0][0].as<bool>()) return ledger;
  for (const auto& row : session.run(kLedger)) {
    ledger.push_back({.version = row[0].as<int>(),
                      .name = pg::text(row[1]),
                      .applied_at = pg::text(row[2]),
                      .up_sha256 = pg::text(row[3]),
                      .down_sql = pg::text(row[4])});
  }
  return ledger;
}

MigrationState applied_state(pg::Session& session, const LedgerRow& row) {
  MigrationState state{
      .version = row.version, .name = row.name, .applied = true, .applied_at = row.applied_at};
  state.by_hand = row.up_sha256.empty();
  if (const auto* migration = find_migration(row.version)) {
    state.known = true;
    state.checksum_ok = migration->name == row.name;
    if (state.checksum_ok && !state.by_hand) {
      state.checksum_ok =
          pg::text(session.run(kChecksum, checked_sql(migration->up))[0][0]) == row.up_sha256;
    }
  }
  return state;
}

// The server's text, taken apart. Translated servers have other words for HINT: then the message
// keeps all of it.
struct ServerText {
  std::string message;
  std::string hint;
};

ServerText take_apart(const std::string& text) {
  ServerText out;
  const auto hint = text.find("\nHINT:  ");
  const auto context = text.find("\nCONTEXT:  ");
  out.message = text.substr(0, std::min(hint, context));
  if (out.message.starts_with("ERROR:  ")) out.message.erase(0, 8);
  while (out.message.ends_with('\n')) out.message.pop_back();
  if (hint != std::string::npos) {
    out.hint = text.substr(hint + 8, text.find('\n', hint + 8) - hint - 8);
  }
  return out;
}

[[noreturn]] void fail(const std::string& what, const DbError& e) {
  if (e.session_lost()) throw e;
  auto server = take_apart(e.what());
  if (e.sqlstate() == "OB001") throw Error{ExitCode::refused, server.message, server.hint};
  throw Error{ExitCode::failed, what + " failed and changed nothing: " + server.message,
              server.hint};
}

// Runs one step until no lock is in its way, and names it when it fails.
template <class Body>
void run_step(Patience& patience, const std::string& what, Body&& body) {
  try {
    patience.run(what, body);
  } catch (const DbError& e) {
    fail(what, e);
  }
}

void refuse_changed_files(const std::vector<MigrationState>& states) {
  for (const auto& state : states) {
    if (state.checksum_ok) continue;
    throw Error{ExitCode::failed,
                "migration " + migration_label(state.version, state.name) +
                    " in the database is not the one in this program",
                "a released file was changed, or the database belongs to another build: deploy the "
                "program that applied it; "
                "retrying does not help"};
  }
}

void check_target(int to, int lowest) {
  const int newest = known_migrations().back().version;
  if (to >= lowest && to <= newest) return;
  throw Error{ExitCode::usage, "there is no migration " + std::to_string(to) +
                                   ": this program has " + std::to_string(lowest) + " to " +
                                   std::to_string(newest)};
}

void apply(pg::Session& session, const Migration& migration) {
  session.transact([&](auto& tx) {
    tx.exec("SET LOCAL statement_timeout = 0");
    tx.exec(std::string{migration.up});
    session.call(tx, kRecord, migration.version, checked_sql(migration.up), migration.down);
  });
}

// Inside the rollback's transaction, with the table locked: nobody registers between the look and
// the commit.
void refuse_live_processors(pg::Session& session, pqxx::transaction_base& tx) {
  if (!session.call(tx, kHasTable, "outbox.processors")[0][0].as<bool>()) return;
  tx.exec("SET LOCAL lock_timeout = '2s'; LOCK TABLE outbox.processors IN SHARE MODE");
  const auto row = session.call(tx, kAlive)[0];
  if (row[0].as<int>() == 0) return;
  throw Error{
      ExitCode::refused, "processors are alive and would lose their schema: " + pg::text(row[1]),
      "stop them first (a killed one counts as live until its heartbeat is late), or give --force"};
}

std::string way_back(const LedgerRow& row) {
  if (!row.down_sql.empty()) return row.down_sql;
  if (const auto* migration = find_migration(row.version)) return std::string{migration->down};
  throw Error{ExitCode::failed,
              "migration " + migration_label(row.version, row.name) +
                  " was applied by hand and this program does not contain its way back",
              "run its down file by hand, or use the program that contains it"};
}

std::vector<MigrationStep> roll_back(pg::Session& session,
                                     const std::vector<LedgerRow>& newest_first,
                                     const DownOptions& down) {
  return session.transact([&](auto& tx) {
    tx.exec("SET LOCAL statement_timeout = 0");
    tx.exec(down.allow_data_loss ? "SET LOCAL outbox.allow_data_loss = on"
                                 : "SET LOCAL outbox.allow_data_loss = off");
    if (!down.force) refuse_live_processors(session, tx);
    std::vector<MigrationStep> steps;
    for (const auto& row : newest_first) {
      const auto start = Clock::now();
      tx.exec(way_back(row));
      steps.push_back(
          {row.version, row.name, std::chrono::duration_cast<milliseconds>(Clock::now() - start)});
    }
    return steps;
  });
}

}  // namespace

std::vector<MigrationState> migration_status(Database& database) {
  auto& session = database.session();
  std::vector<MigrationState> states;
  for (const auto& row : read_ledger(session)) states.push_back(applied_state(session, row));
  for (const auto& migration : known_migrations()) {
    const auto same = [&](const auto& state) { return state.version == migration.version; };
    if (std::none_of(states.begin(), states.end(), same)) {
      states.push_back(
          {.version = migration.version, .name = migration.name, .known = true, .applied_at = {}});
    }
  }
  std::sort(states.begin(), states.end(),
            [](const auto& a, const auto& b) { return a.version < b.version; });
  return states;
}

int migrate_up(Database& database, std::optional<int> to, const MigrateOptions& options) {
  auto& session = database.session();
  const int target = to.value_or(known_migrations().back().version);
  check_target(target, 1);
  Patience patience{session, options.lock_wait, options.on_wait};
  const MigrationLock lock{session, patience};
  refuse_changed_files(migration_status(database));
  const auto schema = schema_version(database);
  if (schema) {
    if (const auto problem = compatible(schema, known_migrations().back().version, 0))
      throw Error{*problem};
  }
  int version = schema ? schema->version : 0;
  for (const auto& migration : known_migrations()) {
    if (migration.version <= version || migration.version > target) continue;
    auto start = Clock::now();
    run_step(patience, "migration " + migration_label(migration.version, migration.name), [&] {
      start = Clock::now();
      apply(session, migration);
    });
    version = migration.version;
    if (options.on_step) {
      options.on_step({version, migration.name,
                       std::chrono::duration_cast<milliseconds>(Clock::now() - start)});
    }
  }
  return version;
}

int migrate_down(Database& database, const DownOptions& down, const MigrateOptions& options) {
  auto& session = database.session();
  if (down.to < 0)
    throw Error{ExitCode::usage,
                "there is no schema version " + std::to_string(down.to) + "; 0 removes the schema"};
  Patience patience{session, options.lock_wait, options.on_wait};
  const MigrationLock lock{session, patience};
  auto ledger = read_ledger(session);
  const int version = ledger.empty() ? 0 : ledger.back().version;
  if (down.to > version) {
    throw Error{ExitCode::usage,
                "the schema is at version " + std::to_string(version) + ", below " +
                    std::to_string(down.to),
                "to go up: outboxd migrate up --to " + std::to_string(down.to)};
  }
  std::reverse(ledger.begin(), ledger.end());
  ledger.erase(std::remove_if(ledger.begin(), ledger.end(),
                              [&](const auto& row) { return row.version <= down.to; }),
               ledger.end());
  if (ledger.empty()) return version;
  std::vector<MigrationStep> steps;
  run_step(patience, "rolling back to version " + std::to_string(down.to),
           [&] { steps = roll_back(session, ledger, down); });
  if (options.on_step) std::for_each(steps.begin(), steps.end(), options.on_step);
  return down.to;
}

}  // namespace outbox::store
