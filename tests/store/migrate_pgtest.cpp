// The migrator against real databases: up, down, refusals, locks, two at once.
#include <algorithm>
#include <future>
#include <thread>

#include <boost/test/unit_test.hpp>
#include <pqxx/pqxx>

#include "core/error.hpp"
#include "core/fault.hpp"
#include "store/migrate.hpp"
#include "store/migrate_state.hpp"
#include "store/migration_files.hpp"
#include "store/schema_version.hpp"
#include "support/database.hpp"
#include "support/eventually.hpp"

namespace migrate_pgtest {

using namespace std::chrono_literals;
using outbox::core::Error;
using outbox::core::ExitCode;
using outbox::store::Database;
using outbox::store::DownOptions;
using outbox::store::MigrateOptions;
using outbox::store::schema_built_for;
using outbox::store::Use;
using outbox::test::Login;
using outbox::test::Schema;
using outbox::test::TestDatabase;

Database open(const TestDatabase& test) {
  return {test.options(Login::superuser), "migrate", Use::people};
}

/// Versions that were applied or rolled back, in order.
struct Log {
  std::vector<int> steps;
  [[nodiscard]] MigrateOptions options() {
    return {.lock_wait = 10s,
            .force = false,
            .on_step = [this](const auto& step) { steps.push_back(step.version); },
            .on_wait = {}};
  }
};

int up(const TestDatabase& test) {
  auto database = open(test);
  return migrate_up(database, std::nullopt, {});
}

DownOptions down_to(int version) { return {.to = version, .allow_data_loss = false}; }

template <class F>
Error error_of(F&& f) {
  try {
    f();
  } catch (const Error& e) {
    return e;
  }
  return Error{ExitCode::ok, "no error"};
}

bool says(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

const char* const kLedger =
    "SELECT string_agg(concat_ws(' ', version, name, min_reader), ', ' ORDER BY version) FROM "
    "outbox.schema_migrations";

std::vector<int> all_versions() {
  std::vector<int> all;
  for (const auto& migration : outbox::store::known_migrations()) all.push_back(migration.version);
  return all;
}

/// What kLedger gives when all of this program's migrations are applied.
std::string whole_ledger() {
  std::string text;
  for (const auto& migration : outbox::store::known_migrations()) {
    text += (text.empty() ? "" : ", ") + std::to_string(migration.version) + " " + migration.name +
            " " + std::to_string(outbox::store::header_of(migration.up).min_reader);
  }
  return text;
}

const int kNewest = outbox::store::schema_built_for();
const std::string kNext = std::to_string(kNewest + 1);

const char* const kLock = "SELECT pg_advisory_lock(7306803, 0)";

}  // namespace migrate_pgtest

BOOST_AUTO_TEST_SUITE(migrate_pgtest)

BOOST_AUTO_TEST_CASE(up_from_empty_applies_all_in_order_and_then_nothing) {
  TestDatabase test{Schema::empty};
  auto database = open(test);
  Log log;
  BOOST_TEST(migrate_up(database, std::nullopt, log.options()) == schema_built_for());
  BOOST_TEST(log.steps == all_versions());
  BOOST_TEST(migrate_up(database, std::nullopt, log.options()) == schema_built_for());
  BOOST_TEST(log.steps == all_versions());
  BOOST_TEST(test.number("SELECT count(*) FROM outbox.enqueue('k')") == 1);
}

BOOST_AUTO_TEST_CASE(up_keeps_checksum_and_way_back) {
  TestDatabase test{Schema::empty};
  up(test);
  BOOST_TEST(
      test.number(
          "SELECT count(*) FROM outbox.schema_migrations WHERE up_sha256 ~ '^[0-9a-f]{64}$'") ==
      schema_built_for());
  for (const auto& migration : outbox::store::known_migrations()) {
    const auto row =
        " FROM outbox.schema_migrations WHERE version = " + std::to_string(migration.version);
    BOOST_TEST((test.value("SELECT down_sql" + row) == migration.down));
    BOOST_TEST(says(test.value("SELECT applied_via" + row), "outboxd "));
  }
}

BOOST_AUTO_TEST_CASE(the_checksum_does_not_cover_the_header) {
  TestDatabase test{Schema::empty};
  up(test);
  const std::string_view file = outbox::store::known_migrations()[1].up;
  const auto sql = file.substr(file.find("==== SQL ====\n") + 14);
  pqxx::connection connection{test.url()};
  pqxx::work tx{connection};
  const auto expected = tx.exec("SELECT encode(sha256(convert_to(" + tx.quote(std::string{sql}) +
                                ", 'UTF8')), 'hex')");
  BOOST_TEST(expected[0][0].c_str() ==
             test.value("SELECT up_sha256 FROM outbox.schema_migrations WHERE version = 2"));
}

BOOST_AUTO_TEST_CASE(files_run_by_hand_leave_the_same_ledger_without_checksums) {
  TestDatabase by_hand;  // the template runs the files as psql would
  TestDatabase by_outboxd{Schema::empty};
  up(by_outboxd);
  BOOST_TEST(by_hand.value(kLedger) == by_outboxd.value(kLedger));
  auto database = open(by_hand);
  for (const auto& state : migration_status(database)) {
    BOOST_TEST(state.applied);
    BOOST_TEST(state.by_hand);
    BOOST_TEST(state.checksum_ok);
  }
  Log log;
  migrate_up(database, std::nullopt, log.options());
  BOOST_TEST(log.steps.empty());
}

BOOST_AUTO_TEST_CASE(up_stops_where_it_is_told) {
  TestDatabase test{Schema::empty};
  auto database = open(test);
  BOOST_TEST(migrate_up(database, 2, {}) == 2);
  BOOST_TEST(schema_version(database)->version == 2);
  const auto states = migration_status(database);
  BOOST_REQUIRE(states.size() == all_versions().size());
  BOOST_TEST(states[1].applied);
  BOOST_TEST(!states[1].by_hand);
  BOOST_TEST(states[1].applied_at.size() == 20U);
  BOOST_TEST(!states[2].applied);
  BOOST_TEST(states[2].name == "functions");
  BOOST_TEST(states[2].applied_at.empty());
  BOOST_TEST(migrate_up(database, 1, {}) == 2);  // already beyond it
  for (const int bad : {0, kNewest + 1}) {
    BOOST_CHECK(error_of([&] { migrate_up(database, bad, {}); }).code() == ExitCode::usage);
  }
}

BOOST_AUTO_TEST_CASE(a_changed_file_is_seen_and_refused) {
  TestDatabase test{Schema::empty};
  auto database = open(test);
  migrate_up(database, 2, {});
  test.exec("UPDATE outbox.schema_migrations SET up_sha256 = repeat('0', 64) WHERE version = 2");
  BOOST_TEST(migration_status(database)[0].checksum_ok);
  BOOST_TEST(!migration_status(database)[1].checksum_ok);
  const auto error = error_of([&] { migrate_up(database, std::nullopt, {}); });
  BOOST_CHECK(error.code() == ExitCode::drift);
  BOOST_TEST(
      says(error.what(), "migration 0002_jobs in the database is not the one in this program"));
  BOOST_TEST(schema_version(database)->version == 2);
}

BOOST_AUTO_TEST_CASE(a_failing_migration_is_named_and_changes_nothing) {
  TestDatabase test{Schema::empty};
  test.exec("CREATE SCHEMA outbox; CREATE TABLE outbox.theirs ()");
  const auto error = error_of([&] { up(test); });
  BOOST_CHECK(error.code() == ExitCode::failed);
  BOOST_TEST(error.what() ==
             std::string{"migration 0001_ledger failed and changed nothing: outbox 0001 up: schema "
                         "outbox exists and holds objects that are not ours"});
  test.exec("DROP TABLE outbox.theirs");  // a schema that a DBA made and that is empty will do
  BOOST_TEST(up(test) == schema_built_for());
}

BOOST_AUTO_TEST_CASE(a_lost_connection_is_met_by_running_it_again) {
  TestDatabase test{Schema::empty};
  auto database = open(test);
  const auto kill = [&](const auto&) {
    test.exec("SELECT pg_terminate_backend(" + std::to_string(database.backend_pid()) + ", 5000)");
  };
  BOOST_CHECK_EXCEPTION(
      migrate_up(database, std::nullopt, {.force = false, .on_step = kill, .on_wait = {}}),
      outbox::core::DbError,
      [](const auto& e) { return e.fault() == outbox::core::Fault::outage; });
  BOOST_TEST(test.value(kLedger) == "1 ledger 1");
  BOOST_TEST(up(test) == schema_built_for());
}

BOOST_AUTO_TEST_CASE(a_newer_schema_stops_it_only_when_it_is_breaking) {
  TestDatabase test{Schema::empty};
  up(test);
  auto database = open(test);
  test.exec(
      "INSERT INTO outbox.schema_migrations (version, name, min_reader) VALUES (99, 'future', 1)");
  BOOST_TEST(migrate_up(database, std::nullopt, {}) == 99);
  const auto states = migration_status(database);
  BOOST_REQUIRE(states.size() == all_versions().size() + 1);
  BOOST_TEST(!states.back().known);
  test.exec("UPDATE outbox.schema_migrations SET min_reader = 99 WHERE version = 99");
  BOOST_CHECK(error_of([&] { migrate_up(database, std::nullopt, {}); }).code() ==
              ExitCode::schema_newer);
}

BOOST_AUTO_TEST_CASE(down_to_nothing_and_up_again) {
  TestDatabase test{Schema::empty};
  auto database = open(test);
  Log log;
  migrate_up(database, std::nullopt, {});
  BOOST_TEST(migrate_down(database, down_to(2), log.options()) == 2);
  BOOST_TEST(migrate_down(database, down_to(2), log.options()) == 2);
  BOOST_TEST(migrate_down(database, down_to(0), log.options()) == 0);
  auto down = all_versions();
  std::reverse(down.begin(), down.end());
  BOOST_TEST(log.steps == down);
  BOOST_TEST(test.value("SELECT to_regnamespace('outbox')") == "");
  BOOST_TEST(migrate_down(database, down_to(0), log.options()) == 0);
  BOOST_TEST(migrate_up(database, std::nullopt, {}) == schema_built_for());
}

BOOST_AUTO_TEST_CASE(down_does_not_go_up) {
  TestDatabase test;
  auto database = open(test);
  BOOST_CHECK(error_of([&] { migrate_down(database, down_to(-1), {}); }).code() == ExitCode::usage);
  const auto error = error_of([&] { migrate_down(database, down_to(7), {}); });
  BOOST_CHECK(error.code() == ExitCode::usage);
  BOOST_TEST(says(error.hint(), "migrate up --to 7"));
}

BOOST_AUTO_TEST_CASE(losing_data_is_refused_with_a_count_and_nothing_is_changed) {
  TestDatabase test;
  test.exec("ALTER DATABASE " + test.name() +
            " SET outbox.allow_data_loss = on");  // only the caller may allow it
  test.exec("SELECT outbox.enqueue('k') FROM generate_series(1, 2)");
  auto database = open(test);
  const auto error = error_of([&] { migrate_down(database, down_to(0), {}); });
  BOOST_CHECK(error.code() == ExitCode::refused);
  BOOST_TEST(
      says(error.what(), "outbox 0002 down: would discard 2 live, 0 dead and 0 finished jobs"));
  BOOST_TEST(says(error.hint(), "--allow-data-loss"));
  BOOST_TEST(schema_version(database)->version ==
             schema_built_for());  // 0003 was not rolled back either
  BOOST_TEST(migrate_down(database, {.to = 1, .allow_data_loss = true}, {}) == 1);
}

BOOST_AUTO_TEST_CASE(live_processors_are_listed_and_stop_it) {
  TestDatabase test;
  test.exec(
      "INSERT INTO outbox.processors (name, version, built_for, pid, queues, kinds, session_lock, "
      "heartbeat_at, dead_after, dead_at, "
      "dead_reason) VALUES ('alive', '0.1.0', 3, 1, '{}', '{}', true, clock_timestamp(), '10s', "
      "NULL, NULL), "
      "('late', '0.1.0', 3, 1, '{}', '{}', true, clock_timestamp() - interval '11s', '10s', NULL, "
      "NULL), "
      "('marked', '0.1.0', 3, 1, '{}', '{}', true, clock_timestamp(), '10s', clock_timestamp(), "
      "'gone')");
  auto database = open(test);
  const auto error = error_of([&] { migrate_down(database, down_to(2), {}); });
  BOOST_CHECK(error.code() == ExitCode::live_processors);
  BOOST_TEST(
      says(error.what(),
           "processors are alive that could not live with schema 2: 1 (alive, outboxd 0.1.0, "
           "runs on schema 3 to 3, heartbeat "));
  BOOST_TEST(!says(error.what(), "marked"));
  BOOST_TEST(!says(error.what(), "late"));
  BOOST_TEST(says(error.hint(), "--force"));
  BOOST_TEST(schema_version(database)->version == schema_built_for());
  MigrateOptions force;
  force.force = true;
  BOOST_TEST(migrate_down(database, down_to(2), force) == 2);
}

BOOST_AUTO_TEST_CASE(an_older_program_rolls_back_what_it_does_not_contain) {
  TestDatabase test;
  test.exec(
      "SET LOCAL ROLE outbox_owner; CREATE TABLE outbox.extra (); INSERT INTO "
      "outbox.schema_migrations (version, name, "
      "min_reader, down_sql) VALUES "
      "(" +
      kNext + ", 'extra', " + kNext +
      ", 'DROP TABLE outbox.extra; DELETE FROM outbox.schema_migrations WHERE "
      "version = " +
      kNext + "')");
  auto database = open(test);
  BOOST_TEST(migrate_down(database, down_to(kNewest), {}) == kNewest);
  BOOST_TEST(test.value("SELECT to_regclass('outbox.extra')") == "");
  BOOST_TEST(test.value(kLedger) == whole_ledger());
}

BOOST_AUTO_TEST_CASE(the_ledgers_way_back_is_preferred_to_the_programs) {
  TestDatabase test{Schema::empty};
  up(test);
  test.exec(
      "UPDATE outbox.schema_migrations SET down_sql = 'CREATE TABLE public.seen (); ' || down_sql "
      "WHERE version = " +
      std::to_string(kNewest));
  auto database = open(test);
  migrate_down(database, down_to(kNewest - 1), {});
  BOOST_TEST(test.value("SELECT to_regclass('public.seen')") == "seen");
}

BOOST_AUTO_TEST_CASE(without_any_way_back_nothing_is_changed) {
  TestDatabase test;
  test.exec("INSERT INTO outbox.schema_migrations (version, name, min_reader) VALUES (" + kNext +
            ", 'extra', " + kNext + ")");
  auto database = open(test);
  const auto error = error_of([&] { migrate_down(database, down_to(0), {}); });
  BOOST_CHECK(error.code() == ExitCode::failed);
  BOOST_TEST(says(error.what(), "_extra was applied by hand"));
  BOOST_TEST(schema_version(database)->version == kNewest + 1);
}

BOOST_AUTO_TEST_CASE(of_two_migrators_one_works_and_the_other_finds_nothing_to_do) {
  TestDatabase test{Schema::empty};
  pqxx::connection gate{test.url()};
  pqxx::nontransaction{gate}.exec(kLock);
  const auto migrate = [&] {
    Log log;
    auto database = open(test);
    const int version = migrate_up(database, std::nullopt, log.options());
    return std::pair{version, log.steps.size()};
  };
  auto first = std::async(std::launch::async, migrate);
  auto second = std::async(std::launch::async, migrate);
  BOOST_TEST(outbox::test::eventually(10s, [&] {
    return test.number(
               "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND "
               "application_name LIKE 'outboxd %' AND query LIKE '%pg_stat_activity%'") == 2;
  }));
  pqxx::nontransaction{gate}.exec("SELECT pg_advisory_unlock_all()");
  const auto a = first.get();
  const auto b = second.get();
  BOOST_TEST(a.first == schema_built_for());
  BOOST_TEST(b.first == schema_built_for());
  BOOST_TEST(std::max(a.second, b.second) == all_versions().size());
  BOOST_TEST(std::min(a.second, b.second) == 0U);
}

BOOST_AUTO_TEST_CASE(the_lock_is_given_back_after_success_and_failure) {
  TestDatabase test;
  auto database = open(test);
  const auto held =
      "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = 7306803";
  migrate_up(database, std::nullopt, {});
  BOOST_TEST(test.number(held) == 0);
  BOOST_CHECK(error_of([&] { migrate_down(database, down_to(7), {}); }).code() == ExitCode::usage);
  BOOST_TEST(test.number(held) == 0);
}

BOOST_AUTO_TEST_CASE(another_migrator_that_does_not_end_is_busy_within_bounds) {
  TestDatabase test;
  pqxx::connection other{test.url() + "&application_name=deploy-7"};
  pqxx::nontransaction{other}.exec(kLock);
  auto database = open(test);
  std::vector<std::string> waits;
  const auto start = std::chrono::steady_clock::now();
  const auto error = error_of([&] {
    migrate_up(
        database, std::nullopt,
        {.lock_wait = 300ms, .force = false, .on_step = {}, .on_wait = [&](const auto& text) {
           waits.push_back(text);
         }});
  });
  BOOST_CHECK(error.code() == ExitCode::busy);
  BOOST_TEST(says(error.what(), "another migration is running: still held by pid "));
  BOOST_TEST(says(error.what(), "deploy-7"));
  BOOST_TEST(waits.size() == 1U);
  BOOST_CHECK(std::chrono::steady_clock::now() - start < 5s);
}

BOOST_AUTO_TEST_CASE(a_busy_table_is_tried_again_until_it_is_free) {
  TestDatabase test;
  pqxx::connection other{test.url() + "&application_name=report"};
  auto reader = std::make_unique<pqxx::work>(other);
  reader->exec("SELECT count(*) FROM outbox.jobs");
  auto database = open(test);
  const auto busy = error_of([&] {
    migrate_down(database, down_to(2),
                 {.lock_wait = 0ms, .force = false, .on_step = {}, .on_wait = {}});
  });
  BOOST_CHECK(busy.code() == ExitCode::busy);
  BOOST_TEST(says(busy.what(), "rolling back to version 2 needs a lock: still held by pid "));
  BOOST_TEST(says(busy.what(), "report, in a transaction for "));
  BOOST_TEST(schema_version(database)->version == schema_built_for());
  const auto free_it = [&](const std::string&) { reader.reset(); };
  BOOST_TEST(migrate_down(database, down_to(2),
                          {.lock_wait = 20s, .force = false, .on_step = {}, .on_wait = free_it}) ==
             2);
}

BOOST_AUTO_TEST_CASE(a_slow_migration_is_not_cut_by_the_statement_timeout) {
  TestDatabase test{Schema::empty};
  up(test);
  test.exec(
      "UPDATE outbox.schema_migrations SET down_sql = 'SELECT pg_sleep(0.3); ' || down_sql WHERE "
      "version = 3");
  auto options = test.options();
  options.statement_timeout = 100ms;
  Database database{options, "migrate", Use::people};
  BOOST_TEST(migrate_down(database, down_to(2), {}) == 2);
}

// Partitions and their indexes are described by their parents.
BOOST_AUTO_TEST_CASE(everything_in_the_schema_has_a_comment) {
  TestDatabase test;
  const std::string silent = R"(SELECT coalesce(string_agg(what, ', '), 'none') FROM (
    SELECT 'relation ' || relname AS what FROM pg_class
     WHERE relnamespace = 'outbox'::regnamespace AND (relkind IN ('r', 'p', 'v') OR (relkind IN ('i', 'I') AND NOT relispartition))
       AND obj_description(oid, 'pg_class') IS NULL
    UNION ALL
    SELECT 'column ' || relname || '.' || attname FROM pg_attribute JOIN pg_class c ON c.oid = attrelid
     WHERE relnamespace = 'outbox'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition AND attnum > 0 AND NOT attisdropped
       AND col_description(attrelid, attnum) IS NULL
    UNION ALL
    SELECT 'function ' || proname FROM pg_proc WHERE pronamespace = 'outbox'::regnamespace AND obj_description(oid, 'pg_proc') IS NULL
    UNION ALL
    SELECT 'trigger ' || tgname FROM pg_trigger JOIN pg_class c ON c.oid = tgrelid
     WHERE relnamespace = 'outbox'::regnamespace AND NOT tgisinternal AND obj_description(pg_trigger.oid, 'pg_trigger') IS NULL
    UNION ALL
    SELECT 'schema' WHERE obj_description('outbox'::regnamespace, 'pg_namespace') IS NULL) q)";
  BOOST_TEST(test.value(silent) == "none");
  test.exec(
      "COMMENT ON COLUMN outbox.jobs.kind IS NULL; COMMENT ON INDEX outbox.jobs_claim_idx IS NULL");
  BOOST_TEST(says(test.value(silent), "column jobs.kind"));
  BOOST_TEST(says(test.value(silent), "relation jobs_claim_idx"));
}

BOOST_AUTO_TEST_SUITE_END()
