// Discarding by hand.
#include <boost/test/unit_test.hpp>

#include "core/limits.hpp"
#include "store/jobs_discard.hpp"
#include "support/database.hpp"

namespace jobs_discard_pgtest {

using namespace outbox;
using store::DiscardEnd;
using test::TestDatabase;

struct Fixture {
  TestDatabase db;
  store::Database database{db.options(test::Login::operating), "test", store::Use::people};
};

}  // namespace jobs_discard_pgtest

BOOST_FIXTURE_TEST_SUITE(jobs_discard_pgtest, Fixture)

BOOST_AUTO_TEST_CASE(a_waiting_job_becomes_a_dead_letter_of_a_person) {
  db.exec(
      "INSERT INTO outbox.jobs (kind, payload, attempt, last_error) VALUES ('mail', '[1]', 2, "
      "'bad')");
  BOOST_TEST((store::jobs_discard(database, 1, {.why = "wrong address", .actor = {}}).end ==
              DiscardEnd::discarded));
  BOOST_TEST(db.number("SELECT count(*) FROM outbox.jobs") == 0);
  BOOST_TEST(db.value("SELECT concat_ws(' ', id, reason, processor_id IS NULL, attempt, payload) "
                      "FROM outbox.dead_jobs") == "1 discarded t 2 [1]");
  BOOST_TEST(db.value("SELECT last_error FROM outbox.dead_jobs") ==
             "discarded by outbox_test_operator: wrong address; last error: bad");
  BOOST_TEST(db.number("SELECT count(*) FROM outbox.job_failures") == 0);
  BOOST_TEST((store::jobs_discard(database, 1).end == DiscardEnd::already_dead));
}

BOOST_AUTO_TEST_CASE(a_claimed_job_is_refused_unless_its_processor_is_dead) {
  db.exec(R"(
    INSERT INTO outbox.processors (name, version, built_for, pid, queues, kinds, session_lock, dead_after, dead_at, dead_reason)
      VALUES ('alive', '1', 3, 1, '{}', '{}', true, '10s', NULL, NULL), ('gone', '1', 3, 1, '{}', '{}', true, '10s', now(), 'late');
    INSERT INTO outbox.jobs (kind, claimed_by, claimed_at, claim_token) VALUES ('k', 1, now(), 1), ('k', 2, now(), 1), ('k', 99, now(), 1))");
  const auto refused = store::jobs_discard(database, 1);
  BOOST_TEST((refused.end == DiscardEnd::claimed));
  BOOST_TEST(refused.processor == 1);
  BOOST_TEST(refused.holder == "alive");
  BOOST_TEST((store::jobs_discard(database, 2).end == DiscardEnd::discarded));
  BOOST_TEST((store::jobs_discard(database, 3).end == DiscardEnd::discarded));
  BOOST_TEST(db.value("SELECT string_agg(id::text, ' ') FROM outbox.jobs") == "1");
}

BOOST_AUTO_TEST_CASE(finished_and_unknown_jobs_are_told_apart) {
  db.exec(
      "INSERT INTO outbox.finished_jobs (slot, priority, attempt, crashes, processor_id, id, "
      "created_at, run_at, started_at, finished_at, "
      "queue, kind, payload) VALUES (3, 1, 4, 0, 2, 3, now(), now(), now(), now(), 'default', "
      "'mail', '1')");
  BOOST_TEST((store::jobs_discard(database, 3).end == DiscardEnd::finished));
  BOOST_TEST((store::jobs_discard(database, 4).end == DiscardEnd::not_found));
}

BOOST_AUTO_TEST_CASE(any_bytes_may_be_the_reason) {
  db.exec("INSERT INTO outbox.jobs (kind) VALUES ('k')");
  const std::string hostile = std::string{"\xFF\x00\x1B", 3} + std::string(1'000'000, 'x');
  BOOST_TEST((store::jobs_discard(database, 1, {.why = hostile, .actor = {}}).end ==
              DiscardEnd::discarded));
  BOOST_TEST(db.number("SELECT octet_length(last_error) FROM outbox.dead_jobs") < 1'100);
}

BOOST_AUTO_TEST_SUITE_END()
