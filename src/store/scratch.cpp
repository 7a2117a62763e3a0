// SQL of the scratch database.
#include "store/scratch.hpp"

#include <array>
#include <random>
#include <set>
#include <unistd.h>

#include "core/error.hpp"
#include "core/fault.hpp"
#include "pg/session.hpp"

namespace outbox::store {

namespace {

using core::DbError;
using core::Error;
using core::ExitCode;

constexpr pg::Statement kHasJobs{"scratch_has_jobs",
                                 "SELECT pg_catalog.to_regclass('outbox.jobs') IS NOT NULL"};
constexpr pg::Statement kNoJobs{"scratch_no_jobs", "SELECT NOT EXISTS (SELECT FROM outbox.jobs)"};

// Columns that every schema from 0002 on has. Two queues, four priorities; a third is scheduled.
constexpr pg::Statement kFillLive{"scratch_fill_live", R"(/* outbox:scratch_fill_live */
INSERT INTO outbox.jobs (queue, kind, priority, run_at, payload, unique_key)
SELECT CASE n % 10 WHEN 0 THEN 'slow' ELSE 'default' END, 'rehearsal_' || n % 7, n % 4,
       clock_timestamp() + CASE WHEN n % 3 = 0 THEN n * interval '1 second' ELSE interval '0' END,
       jsonb_build_object('n', n, 'text', repeat('x', 100)), CASE WHEN n % 20 = 0 THEN 'key ' || n END
  FROM generate_series(1, $1::bigint) n)"};
constexpr pg::Statement kFillFinished{"scratch_fill_finished", R"(/* outbox:scratch_fill_finished */
INSERT INTO outbox.finished_jobs (slot, priority, attempt, crashes, processor_id, id, created_at, run_at, started_at, finished_at,
                                  queue, kind, payload)
SELECT outbox.day_slot(now()), 1, 1, 0, 1, 1000000000 + n, now(), now(), now(), now(), 'default', 'rehearsal_0', '{}'
  FROM generate_series(1, $1::bigint) n)"};
constexpr pg::Statement kFillDead{"scratch_fill_dead", R"(/* outbox:scratch_fill_dead */
WITH d AS (
  INSERT INTO outbox.dead_jobs (id, created_at, run_at, priority, attempt, max_attempts, crashes, reason, queue, kind, payload, last_error)
  SELECT 2000000000 + n, now(), now(), 1, 20, 20, 0, 'attempts', 'default', 'rehearsal_0', '{}', 'made for the rehearsal'
    FROM generate_series(1, $1::bigint) n RETURNING id, queue, kind)
INSERT INTO outbox.job_failures (job_id, queue, kind, processor_id, attempt, reason, error)
SELECT id, queue, kind, 1, 20, 'error', 'made for the rehearsal' FROM d)"};

// All of the table, on purpose: nothing may be missing. The sum does not depend on the order.
constexpr pg::Statement kFingerprint{"scratch_fingerprint", R"(/* outbox:scratch_fingerprint */
SELECT format('%s %s', count(*), sum(hashtextextended(concat_ws('|', id, run_at, created_at, expires_at, priority, attempt, max_attempts,
              crashes, queue, kind, unique_key, payload, headers, last_error), 0)))
  FROM outbox.jobs)"};

// One query for each table, made by the server, which knows how to quote.
constexpr pg::Statement kCount{"scratch_count", R"(/* outbox:scratch_count */
SELECT t.relname, format('SELECT count(*) FROM outbox.%I', t.relname)
  FROM pg_catalog.pg_class t
 WHERE t.relnamespace = pg_catalog.to_regnamespace('outbox') AND t.relkind IN ('r', 'p') AND NOT t.relispartition
 ORDER BY t.relname)"};

std::string scratch_name() {
  std::random_device random;
  return "outbox_rehearsal_" + std::to_string(::getpid()) + "_" +
         std::to_string(random() % 1000000);
}

void run_alone(const core::DatabaseOptions& options, const std::string& sql) {
  auto patient = options;
  patient.statement_timeout = std::chrono::hours{1};  // a copy takes as long as the disk does
  Database database{patient, "rehearse", Use::people};
  database.session().run_script(sql);
}

}  // namespace

ScratchDatabase::ScratchDatabase(const core::DatabaseOptions& options, Contents contents)
    : server_{options}, name_{scratch_name()} {
  static constexpr pg::Statement kHere{"scratch_here", "SELECT quote_ident(current_database())"};
  auto maintenance = options;
  std::string from = "template0";
  {
    Database here{options, "rehearse", Use::people};
    if (here.pooled()) {
      throw Error{ExitCode::refused, "a rehearsal does not run through a transaction pooler",
                  "give the server's own address with --url"};
    }
    if (contents == Contents::copy) {
      from = pg::text(here.session().run(kHere)[0][0]);
      maintenance.url = pg::with_database(options.url, "postgres");
    }
  }
  try {
    run_alone(maintenance, "CREATE DATABASE " + name_ + " TEMPLATE " + from);
  } catch (const DbError& e) {
    if (e.sqlstate() == "42501") {
      throw Error{ExitCode::refused,
                  "this role may not create the scratch database: " + std::string{e.what()},
                  "ALTER ROLE ... CREATEDB, or rehearse on a restored copy: --source restored"};
    }
    if (e.sqlstate() == "55006") {
      throw Error{ExitCode::refused,
                  "the database is in use and cannot be copied: " + std::string{e.what()},
                  "stop what is connected to it, or restore a dump elsewhere: --source restored"};
    }
    throw;
  }
  server_ = maintenance;
}

ScratchDatabase::~ScratchDatabase() {
  try {
    run_alone(server_, "DROP DATABASE IF EXISTS " + name_ + " WITH (FORCE)");
  } catch (...) {  // the server is away; its name says what it was for
  }
}

core::DatabaseOptions ScratchDatabase::options() const {
  auto options = server_;
  options.url = pg::with_database(server_.url, name_);
  return options;
}

bool fill_with_jobs(Database& database, std::int64_t live) {
  auto& session = database.session();
  if (live == 0 || !session.run(kHasJobs)[0][0].as<bool>() ||
      !session.run(kNoJobs)[0][0].as<bool>())
    return false;
  session.transact([&](pqxx::transaction_base& tx) {
    tx.exec("SET LOCAL statement_timeout = 0");
    session.call(tx, kFillLive, live);
    session.call(tx, kFillFinished, live / 10);
    session.call(tx, kFillDead, live / 100);
    tx.exec(
        "ANALYZE outbox.jobs; ANALYZE outbox.finished_jobs; ANALYZE outbox.dead_jobs; ANALYZE "
        "outbox.job_failures");
  });
  return true;
}

std::string live_jobs_fingerprint(Database& database) {
  auto& session = database.session();
  if (!session.run(kHasJobs)[0][0].as<bool>()) return {};
  return session.transact([&](pqxx::transaction_base& tx) {
    tx.exec("SET LOCAL statement_timeout = 0");
    return pg::text(session.call(tx, kFingerprint)[0][0]);
  });
}

std::vector<std::string> tables_lost_by(Database& database, const std::string& sql) {
  auto& session = database.session();
  const auto before = count_rows(database);
  std::set<std::string> left;
  try {
    session.transact([&](pqxx::transaction_base& tx) {
      tx.exec("SET LOCAL statement_timeout = 0; SET LOCAL outbox.allow_data_loss = off");
      tx.exec(sql);
      for (const auto& row : session.call(tx, kCount)) left.insert(pg::text(row[0]));
      tx.exec("DO $$ BEGIN RAISE SQLSTATE 'OB099'; END $$");
    });
  } catch (const DbError& e) {
    if (e.sqlstate() != "OB099") throw;
  }
  std::vector<std::string> lost;
  for (const auto& [table, rows] : before) {
    if (rows > 0 && left.count(table) == 0) lost.push_back(table);
  }
  return lost;
}

std::map<std::string, std::int64_t> count_rows(Database& database) {
  auto& session = database.session();
  return session.transact([&](pqxx::transaction_base& tx) {
    tx.exec("SET LOCAL statement_timeout = 0");
    std::map<std::string, std::int64_t> out;
    for (const auto& row : session.call(tx, kCount))
      out[pg::text(row[0])] = tx.exec(pg::text(row[1]))[0][0].as<std::int64_t>();
    return out;
  });
}

}  // namespace outbox::store
