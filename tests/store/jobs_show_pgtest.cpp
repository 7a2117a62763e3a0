// One job, wherever it is.
#include <boost/test/unit_test.hpp>

#include "store/jobs_show.hpp"
#include "support/database.hpp"

namespace jobs_show_pgtest {

using namespace outbox;
using test::TestDatabase;

}  // namespace jobs_show_pgtest

BOOST_AUTO_TEST_SUITE(jobs_show_pgtest)

BOOST_AUTO_TEST_CASE(a_live_job_has_payload_headers_and_its_failures_in_order) {
  TestDatabase db;
  db.exec(R"(
    INSERT INTO outbox.jobs (kind, payload, headers, unique_key, attempt, last_error, run_at, crashes, suspect, expires_at)
      VALUES ('mail', '{"to": 12345678901234567890}', '{"trace": "a"}', 'u', 2, 'second', now() + interval '1 h', 1, true, 'infinity');
    INSERT INTO outbox.job_failures (job_id, failed_at, processor_id, attempt, reason, queue, kind, sqlstate, error, detail)
      VALUES (1, now() - interval '1 min', 7, 2, 'timeout', 'default', 'mail', '57014', 'second', '{"status": 503}'), (1, now() - interval '2 min', 7, 1, 'error', 'default', 'mail', NULL, E'first\nline', NULL))");
  store::Database database{db.options(test::Login::superuser), "test", store::Use::people};
  const auto detail = store::jobs_show(database, 1);
  BOOST_REQUIRE(detail);
  BOOST_TEST(detail->job.state == "retrying");
  BOOST_TEST(detail->payload == R"({"to": 12345678901234567890})");
  BOOST_TEST(detail->headers == R"({"trace": "a"})");
  BOOST_TEST(detail->suspect);
  BOOST_TEST(detail->expires_at.has_value());
  BOOST_TEST(detail->dead_reason.empty());
  BOOST_REQUIRE_EQUAL(detail->failures.size(), 2U);
  BOOST_TEST(detail->failures[0].error == "first\nline");
  BOOST_TEST(detail->failures[0].sqlstate.empty());
  BOOST_TEST(detail->failures[1].reason == "timeout");
  BOOST_TEST(detail->failures[1].sqlstate == "57014");
  BOOST_TEST(detail->failures[0].detail.empty());
  BOOST_TEST(detail->failures[1].detail == R"({"status": 503})");
}

BOOST_AUTO_TEST_CASE(of_many_failures_the_latest_have_their_details) {
  TestDatabase db;
  db.exec(R"(
    INSERT INTO outbox.jobs (kind) VALUES ('mail');
    INSERT INTO outbox.job_failures (job_id, failed_at, processor_id, attempt, reason, queue, kind, error, detail)
      SELECT 1, now() - i * interval '1 s', 7, 1, 'error', 'default', 'mail', 'e', jsonb_build_object('i', i) FROM generate_series(1, 300) i)");
  store::Database database{db.options(test::Login::operating), "test", store::Use::people};
  const auto detail = store::jobs_show(database, 1);
  BOOST_REQUIRE(detail);
  BOOST_REQUIRE_EQUAL(detail->failures.size(), 300U);
  const auto shown = static_cast<std::size_t>(store::kDetailsShown);
  BOOST_TEST(detail->failures[300 - shown - 1].detail.empty());
  BOOST_TEST(detail->failures[300 - shown].detail ==
             "{\"i\": " + std::to_string(store::kDetailsShown) + "}");
  BOOST_TEST(detail->failures[299].detail == R"({"i": 1})");
}

BOOST_AUTO_TEST_CASE(dead_and_finished_jobs_are_found_too) {
  TestDatabase db;
  db.exec(R"(
    INSERT INTO outbox.processors (name, version, built_for, pid, queues, kinds, session_lock, dead_after)
      VALUES ('host-1', '1', 3, 1, '{}', '{}', true, '10s');
    INSERT INTO outbox.dead_jobs (id, created_at, run_at, processor_id, priority, attempt, max_attempts, crashes, reason, queue, kind, payload, last_error)
      VALUES (5, now(), now(), 1, 1, 20, 20, 0, 'crashes', 'default', 'mail', '[1]', 'it crashed');
    INSERT INTO outbox.finished_jobs (slot, priority, attempt, crashes, processor_id, id, created_at, run_at, started_at, finished_at, queue, kind, payload, detail)
      VALUES (3, 1, 4, 0, 2, 6, now(), now(), now(), now(), 'default', 'mail', '"done"', '{"status": 200}'))");
  store::Database database{db.options(test::Login::superuser), "test", store::Use::people};
  const auto dead = store::jobs_show(database, 5);
  BOOST_REQUIRE(dead);
  BOOST_TEST(dead->job.state == "dead");
  BOOST_TEST(dead->dead_reason == "crashes");
  BOOST_TEST(dead->processor_name == "host-1");
  BOOST_TEST(dead->payload == "[1]");
  const auto finished = store::jobs_show(database, 6);
  BOOST_REQUIRE(finished);
  BOOST_TEST(finished->job.state == "finished");
  BOOST_TEST(finished->job.attempt == 4);
  BOOST_TEST(finished->payload == "\"done\"");
  BOOST_TEST(finished->detail == R"({"status": 200})");
  BOOST_TEST(dead->detail.empty());
  BOOST_TEST(finished->processor_name.empty());
  BOOST_TEST(!store::jobs_show(database, 7));
}

BOOST_AUTO_TEST_SUITE_END()
