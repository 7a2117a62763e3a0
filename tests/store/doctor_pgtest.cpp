// The doctor: a healthy database has nothing to tell; each real problem gives its finding, and the
// fix that stands there, given to psql, clears it.
#include <algorithm>
#include <cstdio>
#include <set>
#include <string_view>
#include <thread>
#include <unistd.h>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "pg/session.hpp"
#include "store/doctor.hpp"
#include "store/doctor_plans.hpp"
#include "store/schema_version.hpp"
#include "store/statements.hpp"
#include "support/actor.hpp"
#include "support/database.hpp"

namespace doctor_pgtest {

using namespace outbox;
using store::doctor::Finding;
using store::doctor::Settings;
using store::doctor::Status;
using test::TestDatabase;
using namespace std::chrono_literals;

std::string told(const Finding& finding) {
  return finding.check + ": " + finding.what + " -> " + finding.fix;
}

bool is_bad(const Finding& finding) {
  return finding.status == Status::warning || finding.status == Status::problem;
}

std::vector<Finding> look_at(const core::DatabaseOptions& options, const Settings& settings = {}) {
  store::Database database{options, "doctor", store::Use::people};
  return store::doctor::examine(
      database,
      [&](store::Use use) {
        return store::Database{options, "doctor", use};
      },
      settings);
}

/// As a person would: with psql, outside a transaction.
bool run_with_psql(const std::string& url, const std::string& sql) {
  const auto command = "psql -X -q -v ON_ERROR_STOP=1 -o /dev/null -d '" + url + "'";
  FILE* psql = ::popen(command.c_str(), "w");  // NOLINT(cert-env33-c)
  if (psql == nullptr) return false;
  const bool written = std::fputs((sql + "\n").c_str(), psql) >= 0;
  return ::pclose(psql) == 0 && written;
}

/// What would stay with the server when a test fails.
class AtEnd {
 public:
  AtEnd(TestDatabase& db, std::string sql) : db_{db}, sql_{std::move(sql)} {}
  ~AtEnd() {
    store::Database database{db_.options(), "test", store::Use::people};
    try {
      database.session().run_script(sql_);
    } catch (const core::DbError& e) {
      BOOST_TEST_MESSAGE(sql_ << ": " << e.what());
    }
  }
  AtEnd(const AtEnd&) = delete;
  AtEnd& operator=(const AtEnd&) = delete;

 private:
  TestDatabase& db_;
  std::string sql_;
};

struct Fixture {
  TestDatabase db;
  Settings settings;

  std::vector<Finding> bad() {
    auto found = look_at(db.options(test::Login::superuser), settings);
    found.erase(std::remove_if(found.begin(), found.end(),
                               [](const Finding& finding) { return !is_bad(finding); }),
                found.end());
    return found;
  }

  Finding of(const std::string& check) {
    for (auto& finding : look_at(db.options(test::Login::superuser), settings)) {
      if (finding.check == check) return finding;
    }
    BOOST_FAIL("no finding of check " + check);
    return {};
  }

  void expect_none() {
    for (const auto& finding : bad()) BOOST_ERROR(told(finding));
  }

  /// That one finding and no other; its fix clears it, run by the superuser or as `role`.
  void expect_and_mend(const std::string& check, Status status, const std::string& part,
                       const std::string& role = "none") {
    const auto found = bad();
    BOOST_REQUIRE_EQUAL(found.size(), 1U);
    BOOST_TEST(found[0].check == check);
    BOOST_TEST((found[0].status == status));
    BOOST_TEST(found[0].what.find(part) != std::string::npos, found[0].what);
    BOOST_TEST(!found[0].why.empty());
    BOOST_TEST(run_with_psql(db.url() + "&options=-c%20role%3D" + role, found[0].fix),
               found[0].fix);
    expect_none();
  }

  void expect_checks(std::set<std::string> checks) {
    std::set<std::string> found;
    for (const auto& finding : bad()) found.insert(finding.check);
    BOOST_TEST(found == checks, boost::test_tools::per_element());
  }
};

}  // namespace doctor_pgtest

BOOST_FIXTURE_TEST_SUITE(doctor_pgtest, Fixture)

BOOST_AUTO_TEST_CASE(a_healthy_database_has_no_findings) {
  db.exec(R"(
    INSERT INTO outbox.jobs (kind) SELECT 'act' FROM generate_series(1, 100);
    INSERT INTO outbox.processors (name, version, built_for, pid, queues, kinds, session_lock, dead_after)
      VALUES ('p', '1', 4, 1, '{}', '{}', true, '10 s'))");
  const auto found = look_at(db.options(test::Login::superuser));
  std::set<std::string> checks;
  for (const auto& finding : found) {
    checks.insert(finding.check);
    BOOST_TEST((finding.status == Status::ok), told(finding));
    BOOST_TEST(!finding.what.empty());
    BOOST_TEST(finding.fix.empty(), told(finding));
  }
  BOOST_TEST(checks.size() == 24U);
}

BOOST_AUTO_TEST_CASE(a_database_without_the_schema_needs_migrations) {
  db.exec("DROP SCHEMA outbox CASCADE");
  expect_checks({"schema"});
  BOOST_TEST(of("schema").fix == "outboxd migrate up");
  BOOST_TEST((of("drift").status == Status::skipped));
  BOOST_TEST((of("plans").status == Status::skipped));
}

BOOST_AUTO_TEST_CASE(an_older_a_newer_and_a_breaking_schema_are_told_apart) {
  const auto next = std::to_string(store::schema_built_for() + 1);
  db.exec("INSERT INTO outbox.schema_migrations (version, name, min_reader) VALUES (" + next +
          ", 'next', 1)");
  BOOST_TEST(of("schema").what.find("compatible") != std::string::npos);
  BOOST_TEST((of("drift").status == Status::skipped));  // nobody knows what it consists of
  expect_checks({});
  db.exec("UPDATE outbox.schema_migrations SET min_reader = version WHERE version = " + next);
  expect_checks({"schema"});
  BOOST_TEST(of("schema").fix.find("deploy the newer program") != std::string::npos);
  BOOST_TEST((of("plans").status == Status::skipped));
  db.exec("DELETE FROM outbox.schema_migrations WHERE version > 1");
  BOOST_TEST((of("schema").status == Status::problem));
  BOOST_TEST(of("schema").fix == "outboxd migrate up");
}

BOOST_AUTO_TEST_CASE(a_missing_index_is_drift_and_comes_back_with_its_comment) {
  db.exec("DROP INDEX outbox.dead_jobs_died_at_idx");
  BOOST_TEST(of("drift").fix.find("CREATE INDEX CONCURRENTLY dead_jobs_died_at_idx") == 0U);
  expect_and_mend("drift", Status::problem, "index outbox.dead_jobs_died_at_idx is missing");
}

BOOST_AUTO_TEST_CASE(a_missing_index_of_the_claim_spoils_its_plan) {
  db.exec("DROP INDEX outbox.jobs_claim_idx");
  expect_checks({"drift", "plans"});
  BOOST_TEST(of("plans").what.find("statement claim sorts, does not use jobs_claim_idx") == 0U);
  BOOST_TEST(run_with_psql(db.url(), of("drift").fix));
  expect_none();
}

BOOST_AUTO_TEST_CASE(a_missing_index_of_the_history_comes_back_on_every_partition) {
  db.exec("DROP INDEX outbox.finished_jobs_id_idx");
  for (const auto& finding : bad()) {
    BOOST_TEST(finding.check == "drift");
    if (finding.what.find("index outbox.finished_jobs_id_idx ") == 0)
      BOOST_TEST(run_with_psql(db.url(), finding.fix), finding.fix);
  }
  expect_none();
}

BOOST_AUTO_TEST_CASE(a_changed_function_is_drift) {
  db.exec(
      "CREATE OR REPLACE FUNCTION outbox.day_slot(at timestamptz) RETURNS smallint LANGUAGE sql "
      "STABLE PARALLEL SAFE AS 'SELECT 0::smallint'");
  expect_and_mend("drift", Status::problem,
                  "function outbox.day_slot(at timestamp with time zone)");
}

BOOST_AUTO_TEST_CASE(a_missing_view_is_drift) {
  db.exec("DROP VIEW outbox.running_jobs");
  BOOST_TEST(of("drift").fix.find("CREATE OR REPLACE VIEW outbox.running_jobs") == 0U);
  expect_and_mend("drift", Status::problem, "view outbox.running_jobs is missing", "outbox_owner");
}

BOOST_AUTO_TEST_CASE(a_missing_constraint_comes_back_without_a_long_lock) {
  db.exec("ALTER TABLE outbox.jobs DROP CONSTRAINT job_priority");
  BOOST_TEST(of("drift").fix.find("NOT VALID;\nALTER TABLE outbox.jobs VALIDATE") !=
             std::string::npos);
  expect_and_mend("drift", Status::problem, "constraint outbox.jobs.job_priority is missing");
}

BOOST_AUTO_TEST_CASE(a_missing_trigger_is_drift) {
  db.exec("DROP TRIGGER jobs_inserted ON outbox.jobs");
  expect_and_mend("drift", Status::problem, "trigger outbox.jobs.jobs_inserted is missing");
}

BOOST_AUTO_TEST_CASE(a_changed_comment_is_a_warning) {
  db.exec(
      "COMMENT ON COLUMN outbox.jobs.kind IS 'x'; COMMENT ON FUNCTION outbox.undo(text) IS NULL");
  expect_and_mend("drift", Status::warning, "table column outbox.jobs.kind");
}

BOOST_AUTO_TEST_CASE(what_no_migration_made_is_a_warning) {
  db.exec(
      "CREATE INDEX by_hand ON outbox.jobs (created_at); COMMENT ON INDEX outbox.by_hand IS 'x'");
  expect_and_mend("drift", Status::warning, "index outbox.by_hand is there");
  db.exec(
      "SET LOCAL ROLE outbox_owner; CREATE TABLE outbox.mine (id integer PRIMARY KEY, n integer "
      "CHECK (n > 0))");
  expect_and_mend("drift", Status::warning, "table outbox.mine is there");
  BOOST_TEST(db.number("SELECT count(*) FROM public.mine") == 0);
}

BOOST_AUTO_TEST_CASE(an_invalid_index_is_told_with_the_way_to_rebuild_it) {
  db.exec(
      "UPDATE pg_index SET indisvalid = false WHERE indexrelid = "
      "'outbox.jobs_suspect_idx'::regclass");
  for (const auto& finding : bad()) BOOST_TEST(finding.check != "drift", told(finding));
  BOOST_TEST((of("indexes").status == Status::problem));
  BOOST_TEST(run_with_psql(db.url(), of("indexes").fix));
  expect_none();
}

BOOST_AUTO_TEST_CASE(a_constraint_that_is_not_validated_is_a_warning) {
  db.exec(
      "ALTER TABLE outbox.processors DROP CONSTRAINT processor_dead, ADD CONSTRAINT processor_dead "
      "CHECK ((dead_at IS NULL) = (dead_reason IS NULL)) NOT VALID");
  expect_and_mend("constraints", Status::warning, "processor_dead on outbox.processors");
}

BOOST_AUTO_TEST_CASE(the_trigger_that_wakes_is_only_a_warning_when_disabled) {
  db.exec("ALTER TABLE outbox.jobs DISABLE TRIGGER jobs_inserted");
  expect_and_mend("triggers", Status::warning, "jobs_inserted");
  db.exec("ALTER TABLE outbox.jobs DISABLE TRIGGER jobs_payload_size");
  expect_and_mend("triggers", Status::problem, "jobs_payload_size");
}

BOOST_AUTO_TEST_CASE(storage_settings_of_a_dba_are_told_with_both_values) {
  db.exec(
      "ALTER TABLE outbox.jobs SET (fillfactor = 90, autovacuum_enabled = off); ALTER TABLE "
      "outbox.processors RESET (fillfactor)");
  const auto found = bad();
  BOOST_REQUIRE_EQUAL(found.size(), 2U);
  BOOST_TEST(found[0].what.find("fillfactor is 90, the migrations set 45") != std::string::npos);
  BOOST_TEST(found[0].what.find("autovacuum_enabled is off, the migrations do not set it") !=
             std::string::npos);
  BOOST_TEST(found[1].what.find("fillfactor is not set, the migrations set 50") !=
             std::string::npos);
  for (const auto& finding : found) {
    BOOST_TEST(finding.check == "storage");
    BOOST_TEST((finding.status == Status::warning));
    BOOST_TEST(run_with_psql(db.url(), finding.fix));
  }
  expect_none();
}

BOOST_AUTO_TEST_CASE(a_setting_that_loses_acknowledged_work_is_a_problem) {
  db.exec("ALTER DATABASE " + db.name() + " SET synchronous_commit = off");
  expect_and_mend("settings", Status::problem,
                  "synchronous_commit is off for database " + db.name());
  auto options = db.options(test::Login::superuser);
  options.url += "&options=-c%20synchronous_commit%3Doff";
  const auto found = look_at(options);
  BOOST_TEST(std::any_of(found.begin(), found.end(), [](const Finding& finding) {
    return finding.check == "settings" && finding.what.find("this connection") != std::string::npos;
  }));
}

BOOST_AUTO_TEST_CASE(a_long_transaction_is_a_warning_then_a_problem) {
  const test::Transaction old{
      db, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT FROM outbox.jobs"};
  std::this_thread::sleep_for(1'100ms);
  expect_none();
  settings.pinned_warning = 1s;
  BOOST_TEST((of("horizon").status == Status::warning));
  settings.pinned_problem = 1s;
  expect_and_mend("horizon", Status::problem, "holds the xmin horizon");
}

BOOST_AUTO_TEST_CASE(a_transaction_far_behind_is_a_problem_however_young) {
  const test::Transaction old{db, "SELECT pg_current_xact_id()"};
  for (int i = 0; i < 5; ++i) db.exec("SELECT pg_current_xact_id()");
  settings.pinned_ids = 3;
  BOOST_TEST((of("horizon").status == Status::problem));
}

BOOST_AUTO_TEST_CASE(a_prepared_transaction_that_stays_is_told) {
  if (db.number("SELECT current_setting('max_prepared_transactions')::int") == 0) {
    BOOST_TEST_MESSAGE("skipped: max_prepared_transactions is 0 here");
    return;
  }
  store::Database other{db.options(test::Login::superuser), "test", store::Use::people};
  other.session().run_script(
      "BEGIN; SELECT pg_current_xact_id(); PREPARE TRANSACTION 'it''s mine'");
  const AtEnd tidy{db, "ROLLBACK PREPARED 'it''s mine'"};
  std::this_thread::sleep_for(1'100ms);
  settings.pinned_problem = 1s;
  expect_and_mend("horizon", Status::problem, "it's mine");
}

BOOST_AUTO_TEST_CASE(a_slot_that_nobody_reads_is_told) {
  const auto slot = "outbox_doctor_" + std::to_string(::getpid());
  db.exec("SELECT pg_create_physical_replication_slot('" + slot + "', true)");
  const AtEnd tidy{
      db,
      "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = '" +
          slot + "'"};
  expect_and_mend("slots", Status::warning, "physical slot " + slot + " is read by nobody");
}

BOOST_AUTO_TEST_CASE(a_heartbeat_in_the_future_says_that_the_clock_jumped) {
  db.exec(
      R"(INSERT INTO outbox.processors (name, version, built_for, pid, queues, kinds, session_lock, dead_after, heartbeat_at)
      VALUES ('p', '1', 4, 1, '{}', '{}', true, '10 s', clock_timestamp() + interval '1 h'))");
  expect_checks({"heartbeats"});
  BOOST_TEST(of("heartbeats").what.find(" s in the future") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(sequences_near_their_end_are_told_and_set_back) {
  db.exec("SELECT setval('outbox.processors_id_seq', 1800000000)");
  expect_and_mend("sequences", Status::warning, "outbox.processors_id_seq is at 1800000000, 83 %");
  db.exec("INSERT INTO outbox.jobs (kind) VALUES ('act')");
  db.exec("SELECT setval('outbox.jobs_id_seq', 9223372036854775800)");
  expect_and_mend("sequences", Status::problem, "100 %");
  db.exec("INSERT INTO outbox.jobs (kind) VALUES ('act')");
  BOOST_TEST(db.number("SELECT max(id) FROM outbox.jobs") == 2);
}

BOOST_AUTO_TEST_CASE(what_public_may_do_is_a_problem) {
  db.exec(
      "GRANT SELECT ON outbox.jobs TO PUBLIC; GRANT EXECUTE ON FUNCTION outbox.wake() TO PUBLIC");
  expect_and_mend("grants", Status::problem,
                  "PUBLIC holds EXECUTE on function outbox.wake(), SELECT on table outbox.jobs");
  db.exec(
      "GRANT SELECT (payload) ON outbox.jobs TO PUBLIC; GRANT USAGE ON SCHEMA outbox TO PUBLIC");
  expect_and_mend("grants", Status::problem, "SELECT on column outbox.jobs.payload");
}

BOOST_AUTO_TEST_CASE(a_definer_function_without_a_safe_path_is_a_problem) {
  db.exec(
      "SET LOCAL ROLE outbox_owner; CREATE FUNCTION outbox.risky(n integer) RETURNS integer "
      "LANGUAGE sql SECURITY DEFINER SET "
      "search_path = pg_temp, outbox AS 'SELECT 1'; REVOKE ALL ON FUNCTION outbox.risky(integer) "
      "FROM PUBLIC");
  expect_checks({"definers", "drift"});
  BOOST_TEST((of("definers").status == Status::problem));
  BOOST_TEST(run_with_psql(db.url(), of("definers").fix));
  expect_checks({"drift"});
  BOOST_TEST(run_with_psql(db.url(), of("drift").fix));
  expect_none();
}

BOOST_AUTO_TEST_CASE(objects_of_another_owner_are_a_problem) {
  const auto role = "outbox_test_owner_" + std::to_string(::getpid());
  db.exec("CREATE ROLE " + role);
  const AtEnd tidy{db, "DROP OWNED BY " + role + " CASCADE; DROP ROLE " + role};
  db.exec("ALTER TABLE outbox.queues OWNER TO " + role +
          "; ALTER FUNCTION outbox.wake() OWNER TO " + role +
          "; ALTER VIEW outbox.queue_health OWNER TO " + role);
  expect_and_mend("owners", Status::problem, "TABLE outbox.queues (" + role + ")");
}

BOOST_AUTO_TEST_CASE(a_processor_that_runs_as_superuser_is_a_warning) {
  settings.as_processor = true;
  expect_checks({"login"});
  settings.as_processor = false;
  expect_none();
  const store::Database processor{db.options(test::Login::superuser), "heartbeat",
                                  store::Use::people};
  expect_checks({"login"});
  BOOST_TEST(of("login").what.find("is a superuser") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_role_that_may_see_little_gets_findings_or_reasons) {
  const auto role = "outbox_test_viewer_" + std::to_string(::getpid());
  db.exec("CREATE ROLE " + role + " LOGIN; GRANT CONNECT ON DATABASE " + db.name() + " TO " + role);
  const AtEnd tidy{db, "DROP OWNED BY " + role + "; DROP ROLE " + role};
  auto options = db.options(test::Login::superuser);
  options.url += "&user=" + role;
  const auto statuses = [&] {
    std::set<std::string> skipped;
    for (const auto& finding : look_at(options)) {
      BOOST_TEST(!is_bad(finding), told(finding));
      if (finding.status != Status::skipped) continue;
      skipped.insert(finding.check);
      BOOST_TEST(!finding.fix.empty(), told(finding));
    }
    return skipped;
  };
  const auto blind = statuses();
  BOOST_TEST(blind.count("schema") == 1U);
  BOOST_TEST(blind.count("plans") == 1U);
  db.exec("GRANT USAGE ON SCHEMA outbox TO " + role +
          "; GRANT SELECT ON outbox.schema_migrations, "
          "outbox.processors TO " +
          role);
  BOOST_TEST(statuses() == (std::set<std::string>{"horizon", "plans", "sequences"}),
             boost::test_tools::per_element());
  for (const auto& finding : look_at(options, {.as_processor = true})) {
    BOOST_TEST((finding.status == Status::problem) == (finding.check == "plans"), told(finding));
  }
}

BOOST_AUTO_TEST_CASE(a_locked_table_delays_nothing_but_its_check) {
  const test::Transaction ddl{db, "LOCK TABLE outbox.processors IN ACCESS EXCLUSIVE MODE"};
  const auto begin = std::chrono::steady_clock::now();
  BOOST_TEST((of("heartbeats").status == Status::skipped));
  BOOST_TEST((std::chrono::steady_clock::now() - begin < 8s));
}

BOOST_AUTO_TEST_CASE(a_refused_second_connection_is_a_finding_a_lost_first_one_an_error) {
  store::Database database{db.options(test::Login::superuser), "doctor", store::Use::people};
  const store::doctor::Open refused = [](store::Use) -> store::Database {
    throw core::DbError{core::Fault::outage, "53300", "too many clients"};
  };
  const auto found = store::doctor::examine(database, refused, {});
  BOOST_TEST(std::count_if(found.begin(), found.end(), is_bad) == 3);  // plans, notify, locks
  db.exec("SELECT pg_terminate_backend(" + std::to_string(database.backend_pid()) + ", 5000)");
  BOOST_CHECK_THROW(static_cast<void>(store::doctor::examine(database, refused, {})),
                    core::DbError);
}

BOOST_AUTO_TEST_CASE(the_plans_that_it_expects_are_those_of_real_statements) {
  std::set<std::string> names;
  for (const auto& statement : store::statements()) names.insert(statement.name);
  for (const auto& expected : store::doctor::kExpectedPlans)
    BOOST_TEST(names.count(expected.statement) == 1U, expected.statement);
}

BOOST_AUTO_TEST_SUITE_END()
