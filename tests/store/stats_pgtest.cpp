// Statistics for people.
#include <boost/test/unit_test.hpp>

#include "store/stats.hpp"
#include "support/database.hpp"

namespace stats_pgtest {

using namespace outbox;
using test::TestDatabase;

}  // namespace stats_pgtest

BOOST_AUTO_TEST_SUITE(stats_pgtest)

BOOST_AUTO_TEST_CASE(an_empty_database_has_zeros) {
  TestDatabase db;
  store::Database database{db.options(test::Login::operating), "test", store::Use::people};
  const auto stats = store::stats(database);
  BOOST_TEST(stats.schema == db.number("SELECT max(version) FROM outbox.schema_migrations"));
  BOOST_TEST(stats.queues.empty());
  BOOST_TEST(stats.finished_minute->queues.empty());
  BOOST_TEST(stats.dead.queues.empty());
  BOOST_TEST(stats.processors.empty());
}

BOOST_AUTO_TEST_CASE(everything_is_counted_once) {
  TestDatabase db;
  db.exec(R"(
    INSERT INTO outbox.processors (name, version, built_for, pid, queues, kinds, session_lock, heartbeat_at, dead_after, dead_at, dead_reason)
      VALUES ('alive', '1.0', 3, 11, '{a,"b c"}', '{}', true, now(), '10s', NULL, NULL), ('gone', '1.0', 3, 12, '{}', '{}', true, now(), '10s', now(), 'late'),
             ('silent', '1.0', 3, 13, '{}', '{}', true, now() - interval '1 min', '10s', NULL, NULL);
    INSERT INTO outbox.jobs (kind, queue) VALUES ('k', 'a');
    INSERT INTO outbox.dead_jobs (id, created_at, run_at, priority, attempt, max_attempts, crashes, reason, queue, kind, payload)
      SELECT n, now(), now(), 1, 20, 20, 0, 'attempts', 'a', 'k', '{}' FROM generate_series(100, 102) n;
    INSERT INTO outbox.finished_jobs (slot, priority, attempt, crashes, processor_id, id, created_at, run_at, started_at, finished_at, queue, kind, payload)
      SELECT outbox.day_slot(t), 1, 1, 0, 1, 200 + n, t, t, t, t, 'a', 'k', '{}'
        FROM (VALUES (1, now()), (2, now() - interval '30 s'), (3, now() - interval '30 min'), (4, now() - interval '2 h')) v (n, t))");
  store::Database database{db.options(test::Login::operating), "test", store::Use::people};
  const auto stats = store::stats(database);
  BOOST_REQUIRE_EQUAL(stats.queues.size(), 1U);
  BOOST_TEST(stats.queues[0].waiting == 1);
  BOOST_TEST(stats.finished_minute->queues.at("a") == 2);
  BOOST_TEST(stats.finished_hour->queues.at("a") == 3);
  BOOST_TEST(!stats.finished_hour->capped);
  BOOST_TEST(stats.dead.queues.at("a") == 3);
  BOOST_REQUIRE_EQUAL(stats.processors.size(), 3U);
  BOOST_TEST(stats.processors[0].name == "alive");
  BOOST_TEST(stats.processors[0].queues.at(1) == "b c");
  BOOST_TEST(!stats.processors[0].late);
  BOOST_TEST(stats.processors[1].name == "silent");
  BOOST_TEST(stats.processors[1].late);
  BOOST_TEST(stats.processors[1].heartbeat_age_seconds > 50);
  BOOST_TEST(stats.processors[2].dead);
  BOOST_TEST(stats.processors[2].dead_reason == "late");
}

BOOST_AUTO_TEST_SUITE_END()
