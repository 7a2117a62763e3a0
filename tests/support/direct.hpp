// What the tests of the direct lane share: jobs of kind "act" that write to a table.
#pragma once

#include <stdexcept>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "pg/session.hpp"
#include "store/direct.hpp"
#include "support/actor.hpp"
#include "support/database.hpp"
#include "support/emptied.hpp"

namespace outbox::test {

using core::DbError;
using core::Fault;
using store::DirectJob;
using store::DirectOutcome;
using store::From;

inline constexpr const char* kAct =
    "INSERT INTO acts (job, attempt, payload, headers, role) "
    "VALUES ($2, $3, $1, $4, current_user)";

/// Job 1 waits at the gate.
inline constexpr const char* kActAtGate =
    "WITH a AS (INSERT INTO acts (job) VALUES ($2)) "
    "SELECT pg_advisory_xact_lock(CASE $2 WHEN 1 THEN 4711 ELSE $2 END)";

inline store::DirectKind kind(std::string name, std::string statement, std::string role = {}) {
  store::DirectKind out;
  out.kind = std::move(name);
  out.body = {std::move(statement), std::move(role)};
  return out;
}

struct DirectFixture {
  TestDatabase& db = emptied_database();
  store::Database database{db.options(), "test", store::Use::claims};
  store::Cursor cursor;
  store::DirectRequest request{.processor = 7, .queue = "default", .most = 10, .history = true};
  std::vector<store::DirectKind> kinds{kind("act", kAct)};

  DirectFixture() {
    db.exec(
        "CREATE TABLE acts (job bigint, attempt int, payload jsonb, headers jsonb, role text, "
        "note text)");
  }

  std::vector<DirectJob> run() { return run_on(database); }
  std::vector<DirectJob> run_on(store::Database& on) {
    return store::run_group(on, request, store::DirectKinds{kinds}, From::start, cursor);
  }
  /// One job of a kind with this statement, run once.
  DirectJob run_one(const std::string& statement) {
    kinds = {kind("act", statement)};
    jobs(1);
    const auto got = run();
    BOOST_REQUIRE(got.size() == 1U);
    return got[0];
  }
  Fault fault_of_run(store::Database& on) {
    try {
      static_cast<void>(run_on(on));
    } catch (const DbError& e) {
      return e.fault();
    }
    throw std::logic_error{"nothing was thrown"};
  }

  void jobs(int count) {
    db.exec("INSERT INTO outbox.jobs (kind) SELECT 'act' FROM generate_series(1, " +
            std::to_string(count) + ")");
  }
  static std::int64_t live_by(store::Database& mine) {
    constexpr pg::Statement kLive{"test_live", "SELECT count(*) FROM outbox.jobs"};
    return mine.session().run(kLive)[0][0].as<std::int64_t>();
  }
  void make_due() { db.exec("UPDATE outbox.jobs SET run_at = clock_timestamp()"); }
  std::int64_t acts() { return db.number("SELECT count(*) FROM acts"); }
  std::int64_t live() { return db.number("SELECT count(*) FROM outbox.jobs"); }
  std::int64_t finished() { return db.number("SELECT count(*) FROM outbox.finished_jobs"); }
  std::int64_t failures() { return db.number("SELECT count(*) FROM outbox.job_failures"); }
  std::int64_t dead() { return db.number("SELECT count(*) FROM outbox.dead_jobs"); }
  /// Milliseconds from now to the one job's run_at.
  std::int64_t delay_ms() {
    return db.number(
        "SELECT (extract(epoch FROM run_at - clock_timestamp()) * 1000)::bigint FROM outbox.jobs");
  }
};

/// A role that the worker may take, as long as the test lives: roles belong to the server, not to
/// the database.
struct Role {
  Role(TestDatabase& database, const std::string& suffix, const std::string& grants)
      : db{database}, name{database.name() + "_" + suffix} {
    db.exec("CREATE ROLE " + name + " ROLE outbox_test_worker; " + grants + " TO " + name);
  }
  ~Role() { db.exec("DROP OWNED BY " + name + "; DROP ROLE " + name); }
  Role(const Role&) = delete;
  Role& operator=(const Role&) = delete;
  TestDatabase& db;
  std::string name;
};

}  // namespace outbox::test
