// The views for people: what they say, that none shows a payload, and that they cost no more when
// there is ten times as much to see.
#include <map>
#include <string>

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>
#include <pqxx/pqxx>

#include "support/database.hpp"
#include "support/emptied.hpp"

namespace views_pgtest {

using outbox::test::TestDatabase;

struct Fixture {
  TestDatabase& db = outbox::test::emptied_database();

  void processors() {
    db.exec(R"(
      INSERT INTO outbox.processors (name, version, built_for, pid, queues, kinds, session_lock, heartbeat_at, dead_after, dead_at, dead_reason) VALUES
        ('alive', '1.2', 4, 11, '{q,r}', '{k}', true, now(), '1 min', NULL, NULL),
        ('late', '1.2', 4, 12, '{}', '{}', true, now() - interval '2 min', '1 min', NULL, NULL),
        ('gone', '1.1', 4, 13, '{q}', '{x}', true, now() - interval '1 h', '10 s', now(), 'its session lock was gone'))");
  }
  std::string reasons() {
    return db.value(
        "SELECT coalesce(string_agg(id || ' ' || reason, '; ' ORDER BY id), '') FROM "
        "outbox.stuck_jobs");
  }
};

/// Pages that reading the view looks at.
std::int64_t pages(TestDatabase& db, const std::string& from) {
  const auto plan = nlohmann::json::parse(
      db.value("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT * FROM outbox." + from));
  const auto& top = plan.at(0).at("Plan");
  return top.at("Shared Hit Blocks").get<std::int64_t>() +
         top.at("Shared Read Blocks").get<std::int64_t>();
}

/// `n` jobs in three states, twice as many rows of history, dead letters and failures.
void grow(TestDatabase& db, int n) {
  const auto count = std::to_string(n);
  db.exec(
      "INSERT INTO outbox.jobs (kind, queue, run_at) SELECT 'k', 'q' || i % 2, now() - interval '1 "
      "h' * (i % 3 - 1) FROM generate_series(1, " +
      count + ") i");
  db.exec(
      "INSERT INTO outbox.finished_jobs (slot, priority, attempt, crashes, processor_id, id, "
      "created_at, run_at, started_at, finished_at, queue, kind, payload) "
      "SELECT outbox.day_slot(now()), 1, 1, 0, 1, 1000000 + i, now(), now(), now(), now() - "
      "interval '1 h', 'q1', 'k', '{}' FROM generate_series(1, 2 * " +
      count + ") i");
  db.exec(
      "INSERT INTO outbox.dead_jobs (id, created_at, run_at, died_at, priority, attempt, "
      "max_attempts, crashes, reason, queue, kind, payload) "
      "SELECT i + coalesce((SELECT max(id) FROM outbox.dead_jobs), 5000000), now(), now(), now() - "
      "interval '1 s' * i, 1, 1, 1, 0, 'attempts', 'q', 'k', '{}' FROM generate_series(1, " +
      count + ") i");
  db.exec(
      "INSERT INTO outbox.job_failures (job_id, processor_id, attempt, reason, queue, kind, error) "
      "SELECT 5000000 + i, 1, 1, 'error', 'q', 'k', 'it broke' FROM generate_series(1, " +
      count + ") i");
}

}  // namespace views_pgtest

BOOST_FIXTURE_TEST_SUITE(views_pgtest, Fixture)

BOOST_AUTO_TEST_CASE(queue_health_counts_by_state_and_says_how_old_and_how_fast) {
  processors();
  db.exec(R"(
    INSERT INTO outbox.queues (name, paused_at) VALUES ('idle', now());
    INSERT INTO outbox.jobs (queue, kind, run_at) VALUES ('q', 'k', now() - interval '5 min'), ('q', 'k', now());
    INSERT INTO outbox.jobs (queue, kind, run_at, attempt) VALUES ('q', 'k', now() + interval '1 h', 0), ('q', 'k', now() + interval '1 h', 2);
    INSERT INTO outbox.jobs (queue, kind, claimed_by, claimed_at, claim_token) VALUES ('q', 'k', 1, now(), 1), ('q', 'k', 3, now(), 1), ('r', 'k', 99, now(), 1);
    INSERT INTO outbox.finished_jobs (slot, priority, attempt, crashes, processor_id, id, created_at, run_at, started_at, finished_at, queue, kind, payload)
      SELECT outbox.day_slot(clock_timestamp()), 1, 1, 0, 1, i, now(), now(), now(), clock_timestamp(), 'q', 'k', '{}' FROM generate_series(1, 20) i;
    INSERT INTO outbox.job_failures (job_id, processor_id, attempt, reason, queue, kind, error, failed_at)
      VALUES (1, 1, 1, 'error', 'q', 'k', 'new', now()), (1, 1, 1, 'error', 'q', 'k', 'old', now() - interval '2 h'))");
  BOOST_TEST(db.value("SELECT string_agg(concat_ws(' ', queue, paused_at IS NOT NULL, waiting, "
                      "scheduled, retrying, claimed, stranded, capped, "
                      "finished_per_second, failures_last_hour), ', ' ORDER BY queue) FROM "
                      "outbox.queue_health") ==
             "idle t 0 0 0 0 0 f 0.0 0, q f 2 1 1 1 1 f 2.0 1, r f 0 0 0 0 1 f 0.0 0");
  BOOST_TEST(db.value("SELECT oldest_wait BETWEEN interval '5 min' AND interval '6 min' FROM "
                      "outbox.queue_health WHERE queue = 'q'") == "t");
  BOOST_TEST(db.value("SELECT concat_ws(' ', queue, kind, reason, failures, jobs, last_error, "
                      "capped) FROM outbox.failures_last_hour") == "q k error 1 1 new f");
}

BOOST_AUTO_TEST_CASE(running_and_stuck_jobs_are_explained_in_words) {
  processors();
  db.exec(R"(
    INSERT INTO outbox.queues (name, paused_at) VALUES ('p', now());
    INSERT INTO outbox.jobs (queue, kind, claimed_by, claimed_at, claim_token) VALUES
      ('q', 'k', 1, now(), 1), ('q', 'k', 1, now() - interval '2 h', 1), ('q', 'k', 3, now(), 1), ('q', 'k', 99, now(), 1);
    INSERT INTO outbox.jobs (queue, kind, run_at) VALUES
      ('q', 'k', now()), ('q', 'k', now() - interval '2 min'), ('q', 'x', now()), ('none', 'k', now()), ('p', 'k', now()), ('q', 'x', now() + interval '1 h');
    INSERT INTO outbox.jobs (queue, kind, run_at, suspect, crashes) VALUES ('q', 'k', now() - interval '2 min', true, 1))");
  BOOST_TEST(reasons() ==
             "2 processor 1 (alive) has run it for more than an hour; "
             "3 its processor 3 (gone) died: its session lock was gone; any living processor of "
             "its queue takes it over; "
             "4 its processor 99 is gone; any living processor of its queue takes it over; "
             "6 due for more than a minute: its queue is behind; "
             "7 no living processor of its queue can run its kind; 8 no living processor serves "
             "its queue; 9 its queue is paused; "
             "11 due for more than a minute: it runs alone, because a processor died with it");
  BOOST_TEST(db.value("SELECT string_agg(concat_ws(' ', id, processor_id, processor, pid, "
                      "stranded), ', ' ORDER BY id) FROM outbox.running_jobs") ==
             "1 1 alive 11 f, 2 1 alive 11 f, 3 3 gone 13 t, 4 99 t");
  BOOST_TEST(db.value("SELECT string_agg(concat_ws(' ', name, state, version, oldest_schema), ', ' "
                      "ORDER BY id) FROM outbox.processor_states") ==
             "alive alive 1.2 4, late late: others will mark it dead 1.2 4, gone dead: its session "
             "lock was gone 1.1 4");
}

BOOST_AUTO_TEST_CASE(dead_letters_come_newest_first_with_their_last_failures) {
  db.exec(R"(
    INSERT INTO outbox.dead_jobs (id, created_at, run_at, died_at, priority, attempt, max_attempts, crashes, reason, queue, kind, payload, last_error)
      SELECT i, now(), now(), now() + i * interval '1 s', 1, 20, 20, 0, 'attempts', 'q', 'k', '{"secret": 1}', 'gave up' FROM generate_series(1, 3) i;
    INSERT INTO outbox.job_failures (job_id, failed_at, processor_id, attempt, reason, sqlstate, queue, kind, error)
      SELECT 2, '2026-01-01 00:00Z'::timestamptz + i * interval '1 s', 1, i, 'error', '22012', 'q', 'k', 'by zero' FROM generate_series(1, 7) i)");
  BOOST_TEST(
      db.value(
          "SELECT string_agg(id::text, ' ') FROM (SELECT id FROM outbox.dead_letters LIMIT 2) d") ==
      "3 2");
  BOOST_TEST(db.value("SELECT cardinality(failures) || ' ' || failures[1] FROM outbox.dead_letters "
                      "WHERE id = 2") == "5 2026-01-01T00:00:07Z attempt 7, error 22012: by zero");
}

BOOST_AUTO_TEST_CASE(what_holds_the_xmin_horizon_is_named) {
  outbox::test::TestDatabase mine;  // prepared transactions and sessions of others would be seen
  pqxx::connection other{mine.url()};
  pqxx::work tx{other, "holder"};
  tx.exec("SET LOCAL application_name = 'a report'; CREATE TEMP TABLE t ()");
  BOOST_TEST(
      mine.value("SELECT concat_ws(' ', what, name, pid = " +
                 tx.exec("SELECT pg_backend_pid()")[0][0].as<std::string>() +
                 ", since IS NOT NULL, detail) FROM outbox.xmin_holders WHERE name = 'a report'")
          .starts_with("transaction a report t t idle in transaction, database outbox_test_"));
  BOOST_TEST(
      mine.value(
          "SELECT string_agg(\"table\", ' ' ORDER BY \"table\") FROM outbox.storage_health") ==
      "audit dead_jobs finished_jobs (32 slots) job_failures jobs kinds processors queues "
      "schema_changes "
      "schema_migrations");
  BOOST_TEST(mine.value("SELECT string_agg(name, ' ' ORDER BY version) FROM outbox.migrations")
                 .starts_with("ledger jobs functions operate"));
}

BOOST_AUTO_TEST_CASE(no_view_shows_payload_or_headers) {
  BOOST_TEST(db.value("SELECT coalesce(string_agg(table_name || '.' || column_name, ' '), '') FROM "
                      "information_schema.view_column_usage "
                      "WHERE view_schema = 'outbox' AND column_name IN ('payload', 'headers')") ==
             "");
}

/// Never analysed: the worst that a planner can be told. The tables double twice beyond the caps.
BOOST_AUTO_TEST_CASE(views_cost_no_more_when_there_is_ten_times_as_much) {
  outbox::test::TestDatabase mine;
  mine.exec(R"(DO $$ BEGIN
    EXECUTE (SELECT string_agg(format('ALTER TABLE %s SET (autovacuum_enabled = off)', c.oid::regclass), '; ') FROM pg_class c
              WHERE c.relnamespace = 'outbox'::regnamespace AND c.relkind = 'r'); END $$)");
  const char* const views[] = {"queue_health",
                               "failures_last_hour",
                               "running_jobs",
                               "stuck_jobs",
                               "dead_letters LIMIT 100",
                               "dead_letters WHERE id = 5000001",
                               "processor_states",
                               "job_states WHERE id = 1 AND ended_at IS NULL",
                               "migrations"};
  std::map<std::string, std::int64_t> before;
  grow(mine, 20'000);
  for (const char* const view : views) {
    static_cast<void>(pages(mine, view));
    before[view] = pages(mine, view);
  }
  grow(mine, 180'000);
  for (const char* const view : views) {
    BOOST_TEST_CONTEXT(view) {
      static_cast<void>(pages(mine, view));
      const auto history = std::string{view} == "queue_health" ? 2'000 : 0;  // pages of the tail
      BOOST_TEST(pages(mine, view) <= before[view] * 2 + 50 + history);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
