// Retrying by hand: the same id, a fresh budget, and every refusal.
#include <boost/test/unit_test.hpp>
#include <pqxx/pqxx>

#include "store/jobs_retry.hpp"
#include "support/database.hpp"

namespace jobs_retry_pgtest {

using namespace outbox;
using store::RetryEnd;
using test::TestDatabase;

void add_dead(TestDatabase& db, int id, const std::string& unique_key = "NULL",
              const std::string& kind = "mail") {
  db.exec(
      "INSERT INTO outbox.dead_jobs (id, created_at, run_at, expires_at, priority, attempt, "
      "max_attempts, crashes, reason, queue, "
      "kind, unique_key, payload, headers, last_error) VALUES (" +
      std::to_string(id) +
      ", now() - interval '1 day', now(), now() - interval '1 s', 2, 20, 20, 3, 'attempts', 'q', "
      "'" +
      kind + "', " + unique_key +
      R"(, '{"a": 1}', '{"h": "x"}', 'gave up');)"
      "INSERT INTO outbox.job_failures (job_id, processor_id, attempt, reason, queue, kind, error) "
      "VALUES (" +
      std::to_string(id) + ", 1, 20, 'error', 'q', '" + kind + "', 'gave up')");
}

struct Fixture {
  TestDatabase db;
  store::Database database{db.options(test::Login::operating), "test", store::Use::people};

  RetryEnd retry(std::int64_t id) { return store::jobs_retry(database, id).end; }
};

}  // namespace jobs_retry_pgtest

BOOST_FIXTURE_TEST_SUITE(jobs_retry_pgtest, Fixture)

BOOST_AUTO_TEST_CASE(a_dead_job_lives_again_under_its_id_with_a_fresh_budget) {
  add_dead(db, 41);
  BOOST_TEST((retry(41) == RetryEnd::requeued));
  BOOST_TEST(db.number("SELECT count(*) FROM outbox.dead_jobs") == 0);
  BOOST_TEST(db.value("SELECT concat_ws(' ', id, state, queue, kind, priority, attempt, "
                      "max_attempts, crashes, last_error) "
                      "FROM outbox.job_states") == "41 waiting q mail 2 0 20 0 gave up");
  BOOST_TEST(db.value("SELECT concat_ws(' ', payload, headers, suspect, claim_token, created_at < "
                      "now() - interval '1 h', "
                      "expires_at IS NULL) FROM outbox.jobs") ==
             R"({"a": 1} {"h": "x"} f 10001 t t)");
  BOOST_TEST(db.number("SELECT count(*) FROM outbox.job_failures WHERE job_id = 41") == 1);
  BOOST_TEST((retry(41) == RetryEnd::waiting));
}

BOOST_AUTO_TEST_CASE(a_scheduled_or_retrying_job_becomes_due) {
  db.exec(
      "INSERT INTO outbox.jobs (kind, run_at, attempt) VALUES ('k', now() + interval '1 day', 3)");
  BOOST_TEST((retry(1) == RetryEnd::hastened));
  BOOST_TEST(db.value("SELECT state || ' ' || attempt FROM outbox.job_states") == "waiting 3");
}

BOOST_AUTO_TEST_CASE(running_stranded_finished_and_unknown_jobs_are_refused) {
  db.exec(R"(
    INSERT INTO outbox.processors (name, version, built_for, pid, queues, kinds, session_lock, dead_after, dead_at, dead_reason)
      VALUES ('alive', '1', 3, 1, '{}', '{}', true, '10s', NULL, NULL), ('gone', '1', 3, 1, '{}', '{}', true, '10s', now(), 'late');
    INSERT INTO outbox.jobs (kind, claimed_by, claimed_at, claim_token) VALUES ('k', 1, now(), 1), ('k', 2, now(), 1);
    INSERT INTO outbox.finished_jobs (slot, priority, attempt, crashes, processor_id, id, created_at, run_at, started_at, finished_at, queue, kind, payload)
      VALUES (3, 1, 4, 0, 2, 3, now(), now(), now(), now(), 'default', 'mail', '1'))");
  const auto claimed = store::jobs_retry(database, 1);
  BOOST_TEST((claimed.end == RetryEnd::claimed));
  BOOST_TEST(claimed.processor == 1);
  BOOST_TEST(claimed.holder == "alive");
  BOOST_TEST((retry(2) == RetryEnd::stranded));
  BOOST_TEST((retry(3) == RetryEnd::finished));
  BOOST_TEST((retry(4) == RetryEnd::not_found));
  BOOST_TEST(db.number("SELECT count(*) FROM outbox.jobs WHERE claimed_by IS NOT NULL") == 2);
}

BOOST_AUTO_TEST_CASE(a_live_twin_keeps_it_dead_and_is_named) {
  add_dead(db, 41, "'u'");
  db.exec("INSERT INTO outbox.jobs (kind, unique_key) VALUES ('mail', 'u')");
  const auto retried = store::jobs_retry(database, 41);
  BOOST_TEST((retried.end == RetryEnd::twin));
  BOOST_TEST(retried.twin == 1);
  BOOST_TEST(db.number("SELECT count(*) FROM outbox.dead_jobs") == 1);
}

BOOST_AUTO_TEST_CASE(a_row_that_stays_locked_is_busy_and_not_waited_for_long) {
  db.exec("INSERT INTO outbox.jobs (kind, run_at) VALUES ('k', now() + interval '1 day')");
  pqxx::connection other{db.url()};
  pqxx::work holder{other};
  holder.exec("SELECT FROM outbox.jobs FOR UPDATE");
  BOOST_CHECK_EXCEPTION(retry(1), core::DbError,
                        [](const core::DbError& e) { return e.fault() == core::Fault::busy; });
}

BOOST_AUTO_TEST_CASE(a_retry_wakes_who_sleeps) {
  add_dead(db, 41);
  pqxx::connection sleeper{db.url()};
  {
    pqxx::nontransaction tx{sleeper};
    tx.exec("SELECT pg_advisory_lock(7306801, stripe) FROM generate_series(0, 15) stripe");
  }
  struct Receiver : pqxx::notification_receiver {
    using notification_receiver::notification_receiver;
    void operator()(const std::string& /*payload*/, int /*pid*/) override { ++seen; }
    int seen{};
  } receiver{sleeper, "outbox"};
  BOOST_TEST((retry(41) == RetryEnd::requeued));
  sleeper.await_notification(5, 0);
  BOOST_TEST(receiver.seen == 1);
}

BOOST_AUTO_TEST_CASE(all_dead_ones_are_retried_in_batches_but_for_twins) {
  db.exec(
      "INSERT INTO outbox.dead_jobs (id, created_at, run_at, priority, attempt, max_attempts, "
      "crashes, reason, queue, kind, unique_key, payload) "
      "SELECT n, now(), now(), 1, 20, 20, 0, 'attempts', 'q' || n % 2, 'k', CASE WHEN n IN (10, "
      "20) THEN 'u' WHEN n = 30 THEN 'v' END, '{}' "
      "FROM generate_series(1, 1200) n");
  db.exec(
      "SELECT setval('outbox.jobs_id_seq', 1200); INSERT INTO outbox.jobs (kind, unique_key) "
      "VALUES ('k', 'v')");
  const auto few = store::jobs_retry_dead(database, {.queue = "q1", .kind = "", .limit = 7});
  BOOST_TEST(few.requeued == 7);
  BOOST_TEST(few.more);
  const auto all = store::jobs_retry_dead(database, {.queue = "", .kind = "k", .limit = 100'000});
  BOOST_TEST(all.requeued ==
             1200 - 7 -
                 2);  // one of the two that share a key, and the one whose key lives, stay dead
  BOOST_TEST(all.skipped == 2);
  BOOST_TEST(!all.more);
  BOOST_TEST(db.value("SELECT string_agg(id::text, ' ' ORDER BY id) FROM outbox.dead_jobs") ==
             "20 30");
  BOOST_TEST(db.number("SELECT count(*) FROM outbox.jobs") == 1199);
}

BOOST_AUTO_TEST_SUITE_END()
