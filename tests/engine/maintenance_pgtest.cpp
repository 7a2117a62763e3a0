// Rescue, as a processor does it: jobs of the dead run again, one at a time, at the price of a
// crash.
#include <atomic>
#include <mutex>
#include <set>
#include <thread>

#include <boost/test/unit_test.hpp>
#include <pqxx/pqxx>

#include "engine/maintenance.hpp"
#include "support/actor.hpp"
#include "support/engine.hpp"

namespace maintenance_pgtest {

using namespace outbox;
using namespace std::chrono_literals;
using test::eventually;
using test::RunningProcessor;
using test::World;

/// A processor that vanished long ago, with claims.
void vanished(World& world, int jobs, int crashes = 0) {
  world.db.exec(
      "INSERT INTO outbox.processors (name, version, built_for, pid, queues, kinds, session_lock, "
      "dead_after, heartbeat_at) "
      "VALUES ('gone', '1', 3, 1, '{}', '{}', false, '100ms', now() - interval '1 hour');"
      "INSERT INTO outbox.jobs (kind, attempt, claim_token, claimed_by, claimed_at, crashes) "
      "SELECT 'work', 1, 1, max(id), now(), " +
      std::to_string(crashes) + " FROM outbox.processors, generate_series(1, " +
      std::to_string(jobs) + ") n GROUP BY n");
}

}  // namespace maintenance_pgtest

BOOST_AUTO_TEST_SUITE(maintenance_pgtest)

BOOST_AUTO_TEST_CASE(
    jobs_of_a_vanished_processor_run_one_at_a_time_and_pay_a_crash_not_an_attempt) {
  World world;
  std::atomic<int> running{0};
  std::atomic<int> beside_a_suspect{0};
  world.cpp("work", [&](Context& context) {
    ++running;
    test::note(context);
    std::this_thread::sleep_for(20ms);
    if (context.job().id <= 5 && running > 1) ++beside_a_suspect;
    --running;
  });
  vanished(world, 5);
  RunningProcessor processor{world};
  for (int i = 0; i < 10; ++i) world.insert("work");
  BOOST_TEST(eventually(20s, [&] { return world.live() == 0; }));
  BOOST_TEST(beside_a_suspect == 0);
  BOOST_TEST(world.effects() == 15);
  BOOST_TEST(world.db.number("SELECT count(*) FROM outbox.finished_jobs WHERE id <= 5 AND crashes "
                             "= 1 AND attempt = 1") == 5);
  BOOST_TEST(world.db.number("SELECT count(*) FROM outbox.finished_jobs WHERE id > 5 AND crashes = "
                             "0 AND attempt = 1") == 10);
  BOOST_TEST(world.db.number("SELECT count(*) FROM outbox.job_failures WHERE reason = 'crash'") ==
             5);
  BOOST_TEST(world.metric("outboxd_rescued_total") == 5);
  BOOST_TEST(world.metric("outboxd_jobs_claimed_total") == 15);
}

BOOST_AUTO_TEST_CASE(a_job_that_outlived_too_many_processors_is_a_dead_letter) {
  World world;
  world.cpp("work", [](Context& context) { test::note(context); });
  vanished(world, 1, 2);
  RunningProcessor processor{world};
  BOOST_TEST(eventually(10s, [&] { return world.live() == 0; }));
  BOOST_TEST(world.effects() == 0);
  BOOST_TEST(
      world.dead(1) ==
      "crashes: 3 processors died while they held it; the last one: gone, its heartbeat was late");
  BOOST_TEST(world.failures(1) == "crash");
}

BOOST_AUTO_TEST_CASE(claims_of_a_processor_whose_row_is_gone_are_rescued_too) {
  World world;
  world.cpp("work", [](Context& context) { test::note(context); });
  vanished(world, 1);
  world.db.exec(
      "UPDATE outbox.jobs SET claimed_at = now() - interval '2 minutes'; DELETE FROM "
      "outbox.processors");
  RunningProcessor processor{world};
  BOOST_TEST(eventually(10s, [&] { return world.finished() == 1; }));
  BOOST_TEST(world.effects() == 1);
}

BOOST_AUTO_TEST_CASE(a_crash_while_it_sleeps_is_noticed_and_its_jobs_run) {
  World world;
  world.cpp("work", [](Context& context) { test::note(context); });
  RunningProcessor processor{world};
  BOOST_TEST_REQUIRE(eventually(5s, [&] { return processor.health().ready; }));
  vanished(world, 3);
  BOOST_TEST(eventually(5s, [&] { return world.finished() == 3; }));
  BOOST_TEST(world.metric("outboxd_processors_marked_dead_total") == 1);
}

BOOST_AUTO_TEST_CASE(retention_goes_on_until_all_is_gone_past_a_slot_that_somebody_reads) {
  World world;
  world.db.exec(R"(
    INSERT INTO outbox.finished_jobs (slot, priority, attempt, crashes, processor_id, id, created_at, run_at, started_at, finished_at,
                                      queue, kind, payload)
    SELECT outbox.day_slot(at), 1, 1, 0, 7, 1, at, at, at, at, 'default', 'k', '{}'
      FROM (SELECT clock_timestamp() - d * interval '1 day' AS at FROM generate_series(20, 21) d) a;
    INSERT INTO outbox.dead_jobs (id, created_at, run_at, died_at, priority, attempt, max_attempts, crashes, reason, queue, kind, payload)
    SELECT i, at, at, at, 1, 1, 1, 0, 'attempts', 'default', 'k', '{}'
      FROM generate_series(1, 12000) i, (SELECT clock_timestamp() - interval '1 year' AS at) a)");
  const test::Transaction reader{
      world.db,
      "SELECT FROM outbox.finished_jobs_" +
          world.db.value(
              "SELECT to_char(outbox.day_slot(clock_timestamp() - interval '20 days'), 'FM00')")};
  RunningProcessor processor{world};
  BOOST_TEST(eventually(
      20s, [&] { return world.db.number("SELECT count(*) FROM outbox.dead_jobs") == 0; }));
  BOOST_TEST(eventually(20s, [&] { return world.finished() == 1; }));
  BOOST_TEST(world.metric("outboxd_db_errors_total", "busy") >= 1);
}

BOOST_AUTO_TEST_SUITE_END()
