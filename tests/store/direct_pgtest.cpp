// The direct lane: whole groups in one statement, and what one job's failure does to its
// neighbours.
#include <algorithm>
#include <atomic>
#include <stdexcept>

#include <boost/test/unit_test.hpp>

#include "support/direct.hpp"

namespace direct_pgtest {

using namespace outbox;
using namespace outbox::test;

}  // namespace direct_pgtest

BOOST_FIXTURE_TEST_SUITE(direct_pgtest, DirectFixture)

BOOST_AUTO_TEST_CASE(a_group_takes_effect_and_leaves_history) {
  db.exec(R"(INSERT INTO outbox.jobs (kind, payload, headers, unique_key, priority, run_at)
             VALUES ('act', '{"n": 1}', '{"trace": "x"}', 'u', 2, clock_timestamp() - interval '3 s'), ('act', '2', NULL, NULL, 1, now()))");
  const auto got = run();
  BOOST_REQUIRE(got.size() == 2U);
  BOOST_TEST(got[0].id == 2);
  BOOST_TEST(got[1].id == 1);
  for (const auto& job : got) {
    BOOST_TEST((job.outcome == DirectOutcome::done));
    BOOST_TEST(job.kind == 0U);
    BOOST_TEST(job.attempt == 1);
    BOOST_TEST(job.ran.count() > 0);
    BOOST_TEST(job.error == "");
  }
  BOOST_TEST(got[1].waited.count() >= 3'000'000);
  BOOST_TEST(live() == 0);
  BOOST_TEST(db.value("SELECT string_agg(concat_ws(' ', job, attempt, payload, headers), ', ' "
                      "ORDER BY job) FROM acts") == R"(1 1 {"n": 1} {"trace": "x"}, 2 1 2 {})");
  BOOST_TEST(db.value("SELECT concat_ws(' ', priority, attempt, crashes, processor_id, queue, "
                      "kind, unique_key, payload, headers,"
                      " slot = outbox.day_slot(finished_at), started_at <= finished_at, created_at "
                      "<= started_at)"
                      " FROM outbox.finished_jobs WHERE id = 1") ==
             R"(2 1 0 7 default act u {"n": 1} {"trace": "x"} t t t)");
  BOOST_TEST(finished() == 2);
  BOOST_TEST(run().empty());
}

BOOST_AUTO_TEST_CASE(a_queue_without_history_keeps_none) {
  request.history = false;
  jobs(3);
  BOOST_TEST(run().size() == 3U);
  BOOST_TEST(acts() == 3);
  BOOST_TEST(finished() == 0);
  BOOST_TEST(live() == 0);
}

BOOST_AUTO_TEST_CASE(a_failure_undoes_only_its_own_job_and_is_kept_with_its_text) {
  kinds = {kind("act", "WITH a AS (INSERT INTO acts (job) VALUES ($2)) SELECT 1 / ($2 - 2)")};
  jobs(3);
  const auto got = run();
  BOOST_REQUIRE(got.size() == 3U);
  const auto& failed = got[1];
  BOOST_TEST(failed.id == 2);
  BOOST_TEST((failed.outcome == DirectOutcome::retry));
  BOOST_TEST(failed.sqlstate == "22012");
  BOOST_TEST(failed.error.starts_with("division by zero"));
  BOOST_TEST(failed.attempt == 1);
  BOOST_TEST(failed.delay.count() >= 900);
  BOOST_TEST(failed.delay.count() <= 1'100);
  BOOST_TEST(db.value("SELECT string_agg(job::text, ' ' ORDER BY job) FROM acts") == "1 3");
  BOOST_TEST(finished() == 2);
  BOOST_TEST(db.value("SELECT concat_ws(' ', id, attempt, claim_token, claimed_by IS NULL, "
                      "split_part(last_error, E'\\n', 1)) FROM outbox.jobs") ==
             "2 1 1 t division by zero");
  BOOST_TEST(delay_ms() <= failed.delay.count());
  BOOST_TEST(db.value("SELECT concat_ws(' ', job_id, processor_id, attempt, reason, sqlstate, "
                      "split_part(error, E'\\n', 1)) FROM outbox.job_failures") ==
             "2 7 1 error 22012 division by zero");
}

BOOST_AUTO_TEST_CASE(the_backoff_grows_with_the_attempts_up_to_its_cap) {
  using std::chrono::milliseconds;
  kinds = {kind("act", "SELECT 1 / 0")};
  kinds[0].backoff = {milliseconds{100}, 3.0, milliseconds{800}, 0.2};
  jobs(1);
  for (const std::int64_t plain : {100, 300, 800, 800}) {
    make_due();
    const auto got = run();
    BOOST_REQUIRE(got.size() == 1U);
    BOOST_TEST(got[0].delay.count() >= plain * 8 / 10);
    BOOST_TEST(got[0].delay.count() <= plain * 12 / 10 + 1);
  }
}

BOOST_AUTO_TEST_CASE(a_job_that_keeps_failing_dies_with_all_its_failures) {
  kinds = {kind("act", "WITH a AS (INSERT INTO acts (job) VALUES ($2)) SELECT 1 / 0")};
  db.exec(R"(INSERT INTO outbox.jobs (kind, max_attempts, payload, headers, unique_key, priority)
             VALUES ('act', 3, '{"n": 1}', '{"h": 2}', 'u', 3))");
  for (int attempt = 1; attempt <= 3; ++attempt) {
    make_due();
    const auto got = run();
    BOOST_REQUIRE(got.size() == 1U);
    BOOST_TEST(got[0].attempt == attempt);
    BOOST_TEST((got[0].outcome == (attempt < 3 ? DirectOutcome::retry : DirectOutcome::dead)));
  }
  BOOST_TEST(live() == 0);
  BOOST_TEST(acts() == 0);
  BOOST_TEST(finished() == 0);
  BOOST_TEST(db.value("SELECT concat_ws(' ', id, processor_id, priority, attempt, max_attempts, "
                      "crashes, reason, queue, kind,"
                      " unique_key, payload, headers, split_part(last_error, E'\\n', 1)) FROM "
                      "outbox.dead_jobs") ==
             R"(1 7 3 3 3 0 attempts default act u {"n": 1} {"h": 2} division by zero)");
  BOOST_TEST(db.value("SELECT string_agg(attempt || ' ' || reason, ', ' ORDER BY attempt) FROM "
                      "outbox.job_failures") == "1 error, 2 error, 3 error");
  BOOST_TEST(db.value("SELECT state FROM outbox.job_states") == "dead");
}

BOOST_AUTO_TEST_CASE(a_job_whose_attempts_were_used_up_already_does_not_poison_the_group) {
  kinds = {kind("act", "SELECT 1 / ($2 - 1)")};
  db.exec(
      "INSERT INTO outbox.jobs (kind, attempt, max_attempts) VALUES ('act', 2, 2), ('act', 1000, "
      "1000), ('act', 0, 20)");
  BOOST_TEST(run().size() == 3U);
  BOOST_TEST(db.value("SELECT concat_ws(' ', id, attempt, max_attempts) FROM outbox.dead_jobs") ==
             "1 2 2");
  BOOST_TEST(finished() == 2);
}

BOOST_AUTO_TEST_CASE(a_snooze_undoes_the_job_and_costs_no_attempt) {
  db.exec(
      "CREATE FUNCTION later() RETURNS void LANGUAGE plpgsql AS $$ BEGIN "
      "INSERT INTO acts (job) VALUES (1); PERFORM outbox.snooze('5 s'); END $$");
  const auto job = run_one("SELECT later()");
  BOOST_TEST((job.outcome == DirectOutcome::snooze));
  BOOST_TEST(job.delay.count() == 5'000);
  BOOST_TEST(delay_ms() > 3'000);
  BOOST_TEST(delay_ms() <= 5'000);
  BOOST_TEST(
      db.value(
          "SELECT concat_ws(' ', attempt, claim_token, last_error IS NULL) FROM outbox.jobs") ==
      "0 1 t");
  BOOST_TEST(failures() == 0);
  BOOST_TEST(acts() == 0);
}

BOOST_AUTO_TEST_CASE(a_job_that_snoozes_for_ever_is_discarded_in_the_end) {
  kinds = {kind("act", "SELECT outbox.snooze('5 s')")};
  db.exec("INSERT INTO outbox.jobs (kind, claim_token) VALUES ('act', 10000)");
  const auto got = run();
  BOOST_REQUIRE(got.size() == 1U);
  BOOST_TEST((got[0].outcome == DirectOutcome::dead));
  BOOST_TEST(db.value("SELECT reason || ': ' || last_error FROM outbox.dead_jobs") ==
             "discarded: snoozed too often");
  BOOST_TEST(failures() == 1);
}

BOOST_AUTO_TEST_CASE(retry_after_chooses_the_delay_and_costs_an_attempt) {
  const auto job = run_one("SELECT outbox.retry_after('90 s', 'the other side is busy')");
  BOOST_TEST((job.outcome == DirectOutcome::retry));
  BOOST_TEST(job.delay.count() == 90'000);
  BOOST_TEST(job.error == "the other side is busy");
  BOOST_TEST(delay_ms() > 80'000);
  BOOST_TEST(db.value("SELECT concat_ws(' ', attempt, last_error) FROM outbox.jobs") ==
             "1 the other side is busy");
  BOOST_TEST(
      db.value("SELECT concat_ws(' ', reason, sqlstate IS NULL, error) FROM outbox.job_failures") ==
      "error t the other side is busy");
}

BOOST_AUTO_TEST_CASE(discard_buries_the_job_at_once) {
  const auto job = run_one("SELECT outbox.discard('no such customer')");
  BOOST_TEST((job.outcome == DirectOutcome::dead));
  BOOST_TEST(job.reason == "discarded");
  BOOST_TEST(db.value("SELECT concat_ws(' ', reason, attempt, last_error) FROM outbox.dead_jobs") ==
             "discarded 1 no such customer");
  BOOST_TEST(db.value("SELECT concat_ws(' ', reason, error) FROM outbox.job_failures") ==
             "discarded no such customer");
  BOOST_TEST(live() == 0);
}

BOOST_AUTO_TEST_CASE(an_expired_job_is_buried_without_being_run) {
  db.exec(
      "INSERT INTO outbox.jobs (kind, expires_at) VALUES ('act', now() - interval '1 s'), ('act', "
      "now() + interval '1 h')");
  const auto got = run();
  BOOST_REQUIRE(got.size() == 2U);
  BOOST_TEST((got[0].outcome == DirectOutcome::dead));
  BOOST_TEST(got[0].reason == "expired");
  BOOST_TEST((got[1].outcome == DirectOutcome::done));
  BOOST_TEST(db.value("SELECT string_agg(job::text, ' ') FROM acts") == "2");
  BOOST_TEST(db.value("SELECT concat_ws(' ', id, reason, last_error) FROM outbox.dead_jobs") ==
             "1 expired it expired before it could start");
  BOOST_TEST(db.value("SELECT reason FROM outbox.job_failures") == "expired");
}

BOOST_AUTO_TEST_CASE(a_forged_signal_of_a_handler_is_an_ordinary_failure) {
  // OB010 with a text that is no number, OB013 and OB019: ours are told from theirs.
  for (const std::string state : {"OB010", "OB012", "OB013", "OB019"}) {
    BOOST_TEST_CONTEXT(state) {
      db.exec("DELETE FROM outbox.jobs");
      kinds = {kind("act", "SELECT forge()")};
      db.exec(
          "CREATE OR REPLACE FUNCTION forge() RETURNS void LANGUAGE plpgsql AS $$ BEGIN RAISE "
          "EXCEPTION 'ha' USING ERRCODE = '" +
          state + "'; END $$");
      jobs(1);
      const auto got = run();
      BOOST_REQUIRE(got.size() == 1U);
      BOOST_TEST((got[0].outcome == DirectOutcome::retry));
      BOOST_TEST(got[0].sqlstate == "P0001");
      BOOST_TEST(got[0].error.starts_with("ha"));
    }
  }
}

BOOST_AUTO_TEST_CASE(a_conflict_inside_a_handler_costs_no_attempt) {
  db.exec(
      "CREATE FUNCTION clash() RETURNS void LANGUAGE plpgsql AS $$ BEGIN RAISE 'again' USING "
      "ERRCODE = '40001'; END $$");
  const auto job = run_one("SELECT clash()");
  BOOST_TEST((job.outcome == DirectOutcome::snooze));
  BOOST_TEST(job.sqlstate == "40001");
  BOOST_TEST(job.delay.count() >= 50);
  BOOST_TEST(job.delay.count() <= 150);
  BOOST_TEST(failures() == 0);
  BOOST_TEST(db.value("SELECT concat_ws(' ', attempt, claim_token) FROM outbox.jobs") == "0 1");
}

BOOST_AUTO_TEST_CASE(a_commit_inside_a_handler_is_an_ordinary_failure) {
  auto job = run_one("COMMIT");
  BOOST_TEST((job.outcome == DirectOutcome::retry));
  BOOST_TEST(job.sqlstate == "0A000");
  db.exec(
      "DELETE FROM outbox.jobs; CREATE PROCEDURE sneak() LANGUAGE plpgsql AS $$ BEGIN INSERT INTO "
      "acts (job) VALUES (0); COMMIT; END $$");
  job = run_one("CALL sneak()");
  BOOST_TEST((job.outcome == DirectOutcome::retry));
  BOOST_TEST(job.sqlstate == "2D000");
  BOOST_TEST(acts() == 0);
}

BOOST_AUTO_TEST_CASE(a_statement_timeout_undoes_the_whole_group) {
  auto options = db.options();
  options.statement_timeout = std::chrono::milliseconds{150};
  store::Database hasty{options, "test", store::Use::claims};
  kinds = {kind("act",
                "WITH a AS (INSERT INTO acts (job) VALUES ($2)) SELECT pg_sleep(CASE $2 WHEN 2 "
                "THEN 60 ELSE 0 END)")};
  jobs(3);
  BOOST_TEST((fault_of_run(hasty) == Fault::canceled));
  BOOST_TEST(acts() == 0);
  BOOST_TEST(failures() == 0);
  BOOST_TEST(db.number("SELECT count(*) FROM outbox.jobs WHERE attempt = 0 AND claim_token = 0") ==
             3);
  // The same by limit_groups, which is how a kind's own timeout is held.
  store::limit_groups(database, std::chrono::milliseconds{100});
  BOOST_TEST((fault_of_run(database) == Fault::canceled));
  BOOST_TEST(live() == 3);
}

// Rows are locked up to ten ahead of their handlers. What is beyond may be changed and committed
// after the statement's snapshot, and is then locked in its newest version.
BOOST_AUTO_TEST_CASE(rows_changed_while_the_group_runs_are_run_once_and_finished) {
  kinds = {kind("act", kActAtGate)};
  jobs(30);
  request.most = 30;
  test::Gate gate{db};
  auto group = test::in_background(db, store::Use::claims,
                                   [&](store::Database& mine) { return run_on(mine).size(); });
  BOOST_TEST(test::eventually_blocked(db, 1));  // inside the handler of job 1
  db.exec("UPDATE outbox.jobs SET payload = '{\"changed\": true}' WHERE id = 27");
  db.exec("UPDATE outbox.jobs SET priority = 0 WHERE id = 28");
  db.exec("UPDATE outbox.jobs SET priority = 2 WHERE id = 29");
  gate.open();
  const auto first = group.get();
  const auto second = run().size();
  BOOST_TEST(first + second == 30U);
  BOOST_TEST(acts() == 30);
  BOOST_TEST(db.number("SELECT count(DISTINCT job) FROM acts") == 30);
  BOOST_TEST(finished() == 30);
  BOOST_TEST(db.value("SELECT payload FROM outbox.finished_jobs WHERE id = 27") ==
             R"({"changed": true})");
  BOOST_TEST(live() == 0);
}

BOOST_AUTO_TEST_CASE(a_row_that_its_own_handler_changes_undoes_the_group) {
  const auto fault = [&] {
    kinds = {kind("act", "UPDATE outbox.jobs SET last_error = 'mine' WHERE id = $2")};
    jobs(3);
    return fault_of_run(database);
  }();
  BOOST_TEST((fault == Fault::conflict));
  BOOST_TEST(db.number("SELECT count(*) FROM outbox.jobs WHERE attempt = 0 AND claim_token = 0") ==
             3);
  BOOST_TEST(finished() == 0);
}

BOOST_AUTO_TEST_CASE(a_job_deleted_by_an_operator_while_the_group_runs_is_not_run) {
  kinds = {kind("act", kActAtGate)};
  jobs(30);
  request.most = 30;
  test::Gate gate{db};
  auto group = test::in_background(db, store::Use::claims,
                                   [&](store::Database& mine) { return run_on(mine).size(); });
  BOOST_TEST(test::eventually_blocked(db, 1));
  db.exec("DELETE FROM outbox.jobs WHERE id = 27");
  gate.open();
  BOOST_TEST(group.get() == 29U);
  BOOST_TEST(db.number("SELECT count(*) FROM acts WHERE job = 27") == 0);
  BOOST_TEST(live() == 0);
}

BOOST_AUTO_TEST_CASE(two_groups_at_once_share_the_jobs) {
  kinds = {kind("act", kActAtGate)};
  jobs(4);
  request.most = 2;
  test::Gate gate{db};
  auto group = test::in_background(db, store::Use::claims,
                                   [&](store::Database& mine) { return run_on(mine).size(); });
  BOOST_TEST(test::eventually_blocked(db, 1));
  store::Cursor other;
  const auto got =
      store::run_group(database, request, store::DirectKinds{kinds}, From::start, other);
  BOOST_REQUIRE(got.size() == 2U);
  BOOST_TEST(got[0].id == 3);
  BOOST_TEST(got[1].id == 4);
  gate.open();
  BOOST_TEST(group.get() == 2U);
  BOOST_TEST(db.value("SELECT string_agg(job::text, ' ' ORDER BY job) FROM acts") == "1 2 3 4");
}

BOOST_AUTO_TEST_CASE(every_job_is_done_exactly_once_whatever_an_operator_changes_meanwhile) {
  constexpr int kJobs = 600;
  jobs(kJobs);
  std::atomic<bool> over{false};
  auto operating = test::in_background(
      db, store::Use::people,
      [&](store::Database& mine) {
        for (int i = 0; !over; ++i) {
          mine.session().run_script(
              "UPDATE outbox.jobs SET " +
              std::string{i % 2 == 0 ? "headers = '{}'" : "priority = 1 - priority"} +
              " WHERE id % 41 = " + std::to_string(i % 41));
        }
      },
      test::Login::superuser);
  const auto work = [&](store::Database& mine) {
    int conflicts = 0;
    for (store::Cursor place; live_by(mine) > 0;) {
      try {
        static_cast<void>(
            store::run_group(mine, request, store::DirectKinds{kinds}, From::start, place));
      } catch (const DbError& e) {
        if (e.fault() != Fault::conflict) throw;
        ++conflicts;
      }
    }
    return conflicts;
  };
  auto other = test::in_background(db, store::Use::claims, work);
  auto conflicts = work(database);
  conflicts += other.get();
  over = true;
  operating.get();
  BOOST_TEST_MESSAGE(conflicts << " groups were undone");
  BOOST_TEST(acts() == kJobs);
  BOOST_TEST(db.number("SELECT count(DISTINCT job) FROM acts") == kJobs);
  BOOST_TEST(finished() == kJobs);
  BOOST_TEST(failures() == 0);
}

BOOST_AUTO_TEST_CASE(the_cursor_leaves_what_lies_behind_it_to_the_sweep) {
  jobs(2);
  const auto from_cursor = [&] {
    return store::run_group(database, request, store::DirectKinds{kinds}, From::cursor, cursor)
        .size();
  };
  BOOST_TEST(from_cursor() == 2U);
  db.exec("INSERT INTO outbox.jobs (kind, run_at) VALUES ('act', now() - interval '1 h')");
  BOOST_TEST(from_cursor() == 0U);
  BOOST_TEST(run().size() == 1U);
  jobs(1);
  BOOST_TEST(from_cursor() == 1U);
}

BOOST_AUTO_TEST_CASE(a_deferred_constraint_that_fails_at_the_commit_undoes_the_group) {
  db.exec("CREATE TABLE seats (n int UNIQUE DEFERRABLE INITIALLY DEFERRED)");
  kinds = {kind("act", "INSERT INTO seats VALUES (1)")};
  jobs(2);
  BOOST_TEST((fault_of_run(database) == Fault::rejected));
  BOOST_TEST(db.number("SELECT count(*) FROM seats") == 0);
  BOOST_TEST(db.number("SELECT count(*) FROM outbox.jobs WHERE attempt = 0") == 2);
  request.most = 1;  // alone, each can be committed or blamed
  BOOST_TEST(run().size() == 1U);
  BOOST_TEST(live() == 1);
}

BOOST_AUTO_TEST_CASE(a_lock_that_a_handler_does_not_get_is_an_ordinary_failure) {
  db.exec(
      "CREATE TABLE held (i int); CREATE FUNCTION impatient() RETURNS void LANGUAGE plpgsql AS "
      "$$ BEGIN LOCK TABLE held NOWAIT; END $$");
  const test::Transaction holder{db, "LOCK TABLE held"};
  const auto job = run_one("SELECT impatient()");
  BOOST_TEST((job.outcome == DirectOutcome::retry));
  BOOST_TEST(job.sqlstate == "55P03");
}

BOOST_AUTO_TEST_CASE(an_error_text_of_a_megabyte_is_clipped) {
  db.exec(
      "CREATE FUNCTION shout() RETURNS void LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION '%', "
      "repeat('ä', 1000000)"
      " USING DETAIL = repeat('d', 1000000), HINT = repeat('h', 1000000); END $$");
  const auto job = run_one("SELECT shout()");
  BOOST_TEST((job.outcome == DirectOutcome::retry));
  BOOST_TEST(db.number("SELECT octet_length(error) FROM outbox.job_failures") <= 16'384);
  BOOST_TEST(db.number("SELECT octet_length(last_error) FROM outbox.jobs") <= 4'096);
}

BOOST_AUTO_TEST_CASE(suspects_paused_queues_and_other_kinds_are_left) {
  db.exec(
      "INSERT INTO outbox.jobs (kind, suspect, crashes) VALUES ('act', true, 1); INSERT INTO "
      "outbox.jobs (kind, queue) VALUES "
      "('other', 'default'), ('act', 'elsewhere')");
  BOOST_TEST(run().empty());
  db.exec(
      "INSERT INTO outbox.jobs (kind) VALUES ('act'); INSERT INTO outbox.queues (name, paused_at) "
      "VALUES ('default', now())");
  BOOST_TEST(run().empty());
  db.exec("DELETE FROM outbox.queues");
  BOOST_TEST(run().size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_connection_lost_in_a_handler_leaves_the_jobs_as_they_were) {
  kinds = {kind("act",
                "WITH a AS (INSERT INTO acts (job) VALUES ($2)) SELECT "
                "pg_terminate_backend(pg_backend_pid())")};
  jobs(2);
  BOOST_TEST((fault_of_run(database) == Fault::outage));
  BOOST_TEST(acts() == 0);
  BOOST_TEST(db.number("SELECT count(*) FROM outbox.jobs WHERE attempt = 0 AND claim_token = 0") ==
             2);
}

BOOST_AUTO_TEST_SUITE_END()
