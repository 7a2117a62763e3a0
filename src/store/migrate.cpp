// Lock, compare the ledger with the program, run files as they are, and keep their texts.
#include "store/migrate.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "core/fault.hpp"
#include "pg/session.hpp"
#include "store/catalog.hpp"
#include "store/ledger.hpp"
#include "store/live_processors.hpp"
#include "store/migrate_state.hpp"
#include "store/migration_lock.hpp"
#include "store/schema_version.hpp"

namespace outbox::store {

namespace {

using core::DbError;
using core::Error;
using core::ExitCode;
using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

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

milliseconds since(Clock::time_point start) {
  return std::chrono::duration_cast<milliseconds>(Clock::now() - start);
}

void report(const MigrateOptions& options, MigrationStep step) {
  if (options.on_step) options.on_step(step);
}

void refuse_changed_files(Database& database) {
  for (const auto& state : migration_status(database)) {
    if (state.checksum_ok) continue;
    throw Error{ExitCode::drift,
                "migration " + migration_label(state.version, state.name) +
                    " in the database is not the one in this program",
                "a released file was changed, or the database belongs to another build: deploy the "
                "program that applied it; retrying does not help"};
  }
}

void check_target(int to) {
  const int newest = schema_built_for();
  if (to >= 1 && to <= newest) return;
  throw Error{ExitCode::usage, "there is no migration " + std::to_string(to) +
                                   ": this program has 1 to " + std::to_string(newest)};
}

SchemaVersion numbers_of(const std::vector<LedgerRow>& ledger, int up_to) {
  SchemaVersion numbers;
  for (const auto& row : ledger) {
    if (row.version > up_to) break;
    numbers.version = row.version;
    numbers.min_reader = std::max(numbers.min_reader, row.min_reader);
  }
  return numbers;
}

// A migration that shuts no program out has nobody to look for, and then locks nothing.
void apply(pg::Session& session, const Migration& migration, const SchemaVersion& before,
           bool force) {
  const SchemaVersion after{
      .version = migration.version,
      .min_reader = std::max(before.min_reader, header_of(migration.up).min_reader)};
  session.transact([&](auto& tx) {
    tx.exec("SET LOCAL statement_timeout = 0");
    if (!force && after.min_reader > before.min_reader) refuse_live_processors(session, tx, after);
    tx.exec(std::string{migration.up});
    keep_texts(session, tx, migration);
  });
}

void begin_rollback(pqxx::transaction_base& tx, bool allow_data_loss) {
  tx.exec("SET LOCAL statement_timeout = 0");
  tx.exec(allow_data_loss ? "SET LOCAL outbox.allow_data_loss = on"
                          : "SET LOCAL outbox.allow_data_loss = off");
}

std::vector<MigrationStep> roll_back(pg::Session& session, const std::vector<LedgerRow>& ledger,
                                     const DownOptions& down, bool force) {
  return session.transact([&](auto& tx) {
    begin_rollback(tx, down.allow_data_loss);
    if (!force) refuse_live_processors(session, tx, numbers_of(ledger, down.to));
    std::vector<MigrationStep> steps;
    for (auto row = ledger.rbegin(); row != ledger.rend() && row->version > down.to; ++row) {
      const auto start = Clock::now();
      tx.exec(way_back(*row));
      steps.push_back(
          {.version = row->version, .name = row->name, .up = false, .took = since(start)});
    }
    return steps;
  });
}

const LedgerRow& newest(const std::vector<LedgerRow>& ledger) {
  if (ledger.empty()) {
    throw Error{ExitCode::pending, "the database has no schema outbox: nothing is applied",
                "outboxd migrate up"};
  }
  return ledger.back();
}

void refuse_drift(Database& database) {
  for (const auto& verified : migrate_verify(database)) {
    if (verified.problem.empty()) continue;
    throw Error{ExitCode::drift,
                "migration " + migration_label(verified.version, verified.name) +
                    " is not as it should be: " + verified.problem,
                "run the right file by hand, then outboxd migrate adopt again"};
  }
  const auto drift = catalog_drift(database);
  if (drift.none() && drift.unknown_why.empty()) return;
  std::string what = drift.unknown_why;
  for (const auto& line : drift.missing) what += "\n  missing: " + line;
  for (const auto& line : drift.unexpected) what += "\n  unexpected: " + line;
  throw Error{ExitCode::drift, "the schema is not as this program's migrations make it:" + what,
              "mend it, then outboxd migrate adopt again; outboxd doctor says more"};
}

}  // namespace

int migrate_up(Database& database, std::optional<int> to, const MigrateOptions& options) {
  auto& session = database.session();
  const int target = to.value_or(schema_built_for());
  check_target(target);
  Patience patience{session, options.lock_wait, options.on_wait};
  const MigrationLock lock{session, patience};
  refuse_changed_files(database);
  const auto schema = schema_version(database);
  if (schema) {
    if (const auto problem = compatible(schema, schema_built_for(), 0)) throw Error{*problem};
  }
  SchemaVersion at{.version = schema ? schema->version : 0,
                   .min_reader = schema ? schema->min_reader : 0};
  for (const auto& migration : known_migrations()) {
    if (migration.version <= at.version || migration.version > target) continue;
    auto start = Clock::now();
    run_step(patience, "migration " + migration_label(migration.version, migration.name), [&] {
      start = Clock::now();
      apply(session, migration, at, options.force);
    });
    at = {.version = migration.version,
          .min_reader = std::max(at.min_reader, header_of(migration.up).min_reader)};
    report(options, {migration.version, migration.name, true, since(start)});
  }
  return at.version;
}

int migrate_down(Database& database, const DownOptions& down, const MigrateOptions& options) {
  auto& session = database.session();
  if (down.to < 0)
    throw Error{ExitCode::usage,
                "there is no schema version " + std::to_string(down.to) + "; 0 removes the schema"};
  Patience patience{session, options.lock_wait, options.on_wait};
  const MigrationLock lock{session, patience};
  const auto ledger = read_ledger(session);
  const int version = ledger.empty() ? 0 : ledger.back().version;
  if (down.to > version) {
    throw Error{ExitCode::usage,
                "the schema is at version " + std::to_string(version) + ", below " +
                    std::to_string(down.to),
                "to go up: outboxd migrate up --to " + std::to_string(down.to)};
  }
  if (down.to == version) return version;
  std::vector<MigrationStep> steps;
  run_step(patience, "rolling back to version " + std::to_string(down.to),
           [&] { steps = roll_back(session, ledger, down, options.force); });
  for (auto& step : steps) report(options, std::move(step));
  return down.to;
}

int migrate_redo(Database& database, const MigrateOptions& options) {
  auto& session = database.session();
  Patience patience{session, options.lock_wait, options.on_wait};
  const MigrationLock lock{session, patience};
  const auto ledger = read_ledger(session);
  const auto& row = newest(ledger);
  const auto* migration = find_migration(row.version);
  if (migration == nullptr) {
    throw Error{ExitCode::schema_newer,
                "migration " + migration_label(row.version, row.name) +
                    " is unknown to this program: it can roll it back, but not apply it again",
                "use the program that contains it"};
  }
  auto start = Clock::now();
  run_step(patience, "migration " + migration_label(row.version, row.name), [&] {
    start = Clock::now();
    session.transact([&](auto& tx) {
      begin_rollback(tx, false);
      tx.exec(way_back(row));
      tx.exec(std::string{migration->up});
      keep_texts(session, tx, *migration);
    });
  });
  report(options, {row.version, row.name, true, since(start)});
  return row.version;
}

int migrate_adopt(Database& database, const MigrateOptions& options) {
  auto& session = database.session();
  Patience patience{session, options.lock_wait, options.on_wait};
  const MigrationLock lock{session, patience};
  const auto ledger = read_ledger(session);
  static_cast<void>(newest(ledger));
  refuse_drift(database);
  int adopted = 0;
  run_step(patience, "adopting", [&] {
    adopted = session.transact([&](auto& tx) {
      int count = 0;
      for (const auto& row : ledger) {
        if (!row.up_sha256.empty()) continue;
        keep_texts(session, tx, *find_migration(row.version));
        ++count;
      }
      return count;
    });
  });
  return adopted;
}

}  // namespace outbox::store
