// Queue numbers, pausing and resuming.
#include <boost/test/unit_test.hpp>

#include "store/queues.hpp"
#include "support/database.hpp"

namespace queues_pgtest {

using namespace outbox;
using test::TestDatabase;

struct Fixture {
  TestDatabase db;
  store::Database database{db.options(test::Login::operating), "test", store::Use::people};
};

}  // namespace queues_pgtest

BOOST_FIXTURE_TEST_SUITE(queues_pgtest, Fixture)

BOOST_AUTO_TEST_CASE(every_state_is_counted_in_its_queue) {
  db.exec(R"(
    INSERT INTO outbox.processors (name, version, built_for, pid, queues, kinds, session_lock, dead_after, dead_at, dead_reason)
      VALUES ('alive', '1', 3, 1, '{}', '{}', true, '10s', NULL, NULL), ('gone', '1', 3, 1, '{}', '{}', true, '10s', now(), 'late');
    INSERT INTO outbox.queues (name, paused_at) VALUES ('idle', NULL), ('b', clock_timestamp());
    INSERT INTO outbox.jobs (kind, queue, priority, run_at) VALUES ('k', 'a', 0, now() - interval '1 min'), ('k', 'a', 3, now()), ('k', 'b', 1, now());
    INSERT INTO outbox.jobs (kind, queue, run_at, attempt) VALUES ('k', 'a', now() + interval '1 h', 0), ('k', 'a', now() + interval '1 h', 1);
    INSERT INTO outbox.jobs (kind, queue, claimed_by, claimed_at, claim_token, run_at)
      VALUES ('k', 'a', 1, now(), 1, now() - interval '1 h'), ('k', 'a', 2, now(), 1, now()), ('k', 'a', 9, now(), 1, now()))");
  const auto statuses = store::queue_statuses(database, 1000);
  BOOST_REQUIRE_EQUAL(statuses.size(), 3U);
  const auto& a = statuses[0];
  BOOST_TEST(a.name == "a");
  BOOST_TEST(a.waiting == 2);
  BOOST_TEST(a.claimed == 1);
  BOOST_TEST(a.stranded == 2);
  BOOST_TEST(a.scheduled == 1);
  BOOST_TEST(a.retrying == 1);
  BOOST_TEST(!a.capped);
  BOOST_TEST(!a.paused_at);
  BOOST_TEST(a.oldest_wait_seconds >= 60);
  BOOST_TEST(a.oldest_wait_seconds < 600);
  BOOST_TEST(statuses[1].name == "b");
  BOOST_TEST(statuses[1].paused_at.has_value());
  BOOST_TEST(statuses[1].waiting == 1);
  BOOST_TEST(statuses[2].name == "idle");
  BOOST_TEST(statuses[2].waiting == 0);
  BOOST_TEST(statuses[2].oldest_wait_seconds == 0);

  const auto depths = store::queue_depths(database);
  BOOST_REQUIRE_EQUAL(depths.size(), 3U);
  BOOST_TEST(depths[0].waiting == 2);
  BOOST_TEST(depths[0].scheduled == 2);
  BOOST_TEST(depths[0].claimed == 3);
  BOOST_TEST(depths[1].paused);
}

BOOST_AUTO_TEST_CASE(counting_stops_at_the_cap_and_says_so) {
  db.exec("INSERT INTO outbox.jobs (kind) SELECT 'k' FROM generate_series(1, 500)");
  const auto statuses = store::queue_statuses(database, 100);
  BOOST_REQUIRE_EQUAL(statuses.size(), 1U);
  BOOST_TEST(statuses[0].waiting == 100);
  BOOST_TEST(statuses[0].capped);
}

BOOST_AUTO_TEST_CASE(when_counting_takes_too_long_it_counts_less) {
  db.exec("INSERT INTO outbox.jobs (kind) SELECT 'k' FROM generate_series(1, 300000)");  // never
                                                                                         // analysed
  auto options = db.options(test::Login::operating);
  options.statement_timeout = std::chrono::milliseconds{40};
  store::Database hurried{options, "test", store::Use::people};
  const auto statuses = store::queue_statuses(hurried, 300'000);
  BOOST_REQUIRE_EQUAL(statuses.size(), 1U);
  BOOST_TEST(statuses[0].waiting == 3'000);
  BOOST_TEST(statuses[0].capped);
}

BOOST_AUTO_TEST_CASE(an_infinite_run_at_of_the_past_does_not_break_the_list) {
  db.exec(
      "ALTER TABLE outbox.jobs DROP CONSTRAINT job_run_at_finite; INSERT INTO outbox.jobs (kind, "
      "run_at) VALUES ('k', '-infinity')");
  BOOST_TEST(store::queue_statuses(database, 10).at(0).waiting == 1);
}

BOOST_AUTO_TEST_CASE(pause_and_resume_are_idempotent_and_know_what_they_name) {
  const auto first = store::queue_pause(database, "new");
  BOOST_TEST(!first.known);
  BOOST_TEST(!first.was_paused);
  const auto second = store::queue_pause(database, "new");
  BOOST_TEST(second.known);
  BOOST_TEST(second.was_paused);
  BOOST_TEST((second.since == first.since));
  BOOST_TEST((store::queue_resume(database, "new") == store::ResumeEnd::resumed));
  BOOST_TEST(db.value("SELECT paused_at IS NULL FROM outbox.queues WHERE name = 'new'") == "t");
  BOOST_TEST((store::queue_resume(database, "new") == store::ResumeEnd::not_paused));
  BOOST_TEST((store::queue_resume(database, "typo") == store::ResumeEnd::not_found));
  db.exec("INSERT INTO outbox.jobs (kind, queue) VALUES ('k', 'only-jobs')");
  BOOST_TEST((store::queue_resume(database, "only-jobs") == store::ResumeEnd::not_paused));
  BOOST_TEST(store::queue_pause(database, "only-jobs").known);
}

BOOST_AUTO_TEST_CASE(a_queue_name_that_is_too_long_is_refused_in_words) {
  BOOST_CHECK_EXCEPTION((void)store::queue_pause(database, std::string(64, 'q')), core::DbError,
                        [](const core::DbError& e) {
                          return std::string{e.what()}.find("64 characters") != std::string::npos;
                        });
}

BOOST_AUTO_TEST_SUITE_END()
