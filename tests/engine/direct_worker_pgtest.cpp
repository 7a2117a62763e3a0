// The direct lane: groups, and what happens when a whole group is undone.
#include <boost/test/unit_test.hpp>

#include "engine/direct_worker.hpp"
#include "support/engine.hpp"

namespace direct_worker_pgtest {

using namespace outbox;
using namespace std::chrono_literals;
using test::Bench;
using test::eventually;
using test::World;

/// Turns both lanes until no job is due.
bool work_off(World& world, Bench& bench, core::milliseconds limit = 20s) {
  return eventually(limit, [&] {
    bench.direct_turn();
    bench.step();
    return world.db.number("SELECT count(*) FROM outbox.jobs WHERE run_at <= clock_timestamp()") ==
           0;
  });
}

}  // namespace direct_worker_pgtest

BOOST_AUTO_TEST_SUITE(direct_worker_pgtest)

BOOST_AUTO_TEST_CASE(a_group_is_handled_in_one_turn) {
  World world;
  world.sql("post", "INSERT INTO effects (job, note) VALUES ($2, $1->>'to')");
  world.insert_many("post", 5);
  Bench bench{world};
  BOOST_TEST((bench.direct_turn() == 0ms));
  BOOST_TEST(world.live() == 0);
  BOOST_TEST(world.effects() == 5);
  BOOST_TEST(world.finished() == 5);
  BOOST_TEST(world.metric("outboxd_jobs_finished_total", "post") == 5);
  BOOST_TEST((bench.direct_turn() > 0ms));
}

BOOST_AUTO_TEST_CASE(each_job_of_a_group_has_an_end_of_its_own) {
  World world;
  world.sql("post", "INSERT INTO effects (job) VALUES ($2)");
  world.sql("wrong", "SELECT 1 / ($1->>'by')::int");
  world.sql("discarded", "SELECT outbox.discard('never')");
  world.sql("snoozed", "SELECT outbox.snooze('1 hour')");
  const auto wrong = world.insert("wrong", "payload", "'{\"by\": 0}'");
  const auto last = world.insert("wrong", "payload, max_attempts", "'{\"by\": 0}', 1");
  const auto discarded = world.insert("discarded");
  const auto snoozed = world.insert("snoozed");
  const auto expired = world.insert("post", "expires_at", "now() - interval '1 s'");
  world.insert("post");
  Bench bench{world};
  bench.direct_turn();
  BOOST_TEST(world.effects() == 1);
  BOOST_TEST(world.finished() == 1);
  BOOST_TEST(world.failures(wrong) == "error");
  BOOST_TEST(world.job(wrong, "attempt") == "1");
  BOOST_TEST(world.dead(last).substr(0, 26) == "attempts: division by zero");
  BOOST_TEST(world.dead(discarded) == "discarded: never");
  BOOST_TEST(world.job(snoozed, "attempt") == "0");
  BOOST_TEST(world.dead(expired) == "expired: it expired before it could start");
  BOOST_TEST(!bench.plan.claimed().one_by_one);
}

BOOST_AUTO_TEST_CASE(a_job_that_times_out_is_found_and_charged_alone) {
  World world;
  world.options.database.statement_timeout = 300ms;
  world.sql("post", "INSERT INTO effects (job) SELECT $2 FROM pg_sleep(($1->>'s')::float8)")
      .timeout = 300ms;
  world.db.exec(
      "INSERT INTO outbox.jobs (kind, payload) SELECT 'post', jsonb_build_object('s', CASE n WHEN "
      "3 THEN 30 ELSE 0 END) "
      "FROM generate_series(1, 6) n");
  const auto culprit = world.db.number("SELECT id FROM outbox.jobs WHERE payload->>'s' = '30'");
  Bench bench{world};
  bench.direct_turn();
  BOOST_TEST(world.live() == 6);
  BOOST_TEST(bench.plan.direct() == nullptr);
  BOOST_TEST(bench.plan.claimed().one_by_one);
  BOOST_TEST(eventually(10s, [&] {
    bench.step();
    return world.finished() == 5;
  }));
  BOOST_TEST(world.effects() == 5);
  BOOST_TEST(world.failures(culprit) == "timeout");
  BOOST_TEST(world.job(culprit, "attempt") == "1");
  BOOST_TEST(world.db.number("SELECT count(*) FROM outbox.job_failures") == 1);
  BOOST_TEST(world.db.number("SELECT max(attempt) FROM outbox.finished_jobs") == 1);
  BOOST_TEST(eventually(5s, [&] {
    bench.step();
    return !bench.plan.claimed().one_by_one;
  }));
}

BOOST_AUTO_TEST_CASE(a_failure_at_commit_is_charged_to_its_job_alone) {
  World world;
  world.db.exec(
      "CREATE TABLE wholes (id int PRIMARY KEY); INSERT INTO wholes VALUES (1);"
      "CREATE TABLE parts (whole int REFERENCES wholes DEFERRABLE INITIALLY DEFERRED)");
  world.sql("part", "INSERT INTO parts VALUES (($1->>'of')::int)");
  world.db.exec(
      "INSERT INTO outbox.jobs (kind, payload) SELECT 'part', jsonb_build_object('of', CASE n WHEN "
      "2 THEN 7 ELSE 1 END) "
      "FROM generate_series(1, 4) n");
  const auto culprit = world.db.number("SELECT id FROM outbox.jobs WHERE payload->>'of' = '7'");
  Bench bench{world};
  bench.direct_turn();
  BOOST_TEST(world.live() == 4);
  BOOST_TEST(world.db.number("SELECT count(*) FROM parts") == 0);
  BOOST_TEST(work_off(world, bench));
  BOOST_TEST(world.db.number("SELECT count(*) FROM parts") == 3);
  BOOST_TEST(world.finished() == 3);
  BOOST_TEST(world.failures(culprit) == "error");
  BOOST_TEST(world.db.value("SELECT sqlstate FROM outbox.job_failures") == "23503");
  BOOST_TEST(world.db.number("SELECT count(*) FROM outbox.job_failures") == 1);
}

BOOST_AUTO_TEST_CASE(a_job_that_kills_its_connection_is_found_and_charged_alone) {
  World world;
  world.sql("post",
            "INSERT INTO effects (job) SELECT $2 WHERE $1->>'kill' IS NULL OR "
            "pg_terminate_backend(pg_backend_pid())");
  world.insert("post");
  const auto culprit = world.insert("post", "payload", "'{\"kill\": 1}'");
  world.insert("post");
  Bench bench{world};
  bench.direct_turn();
  BOOST_TEST(bench.plan.claimed().one_by_one);
  BOOST_TEST(work_off(world, bench));
  BOOST_TEST(world.effects() == 2);
  BOOST_TEST(world.failures(culprit) == "error");
  BOOST_TEST(world.db.number("SELECT count(*) FROM outbox.job_failures") == 1);
}

BOOST_AUTO_TEST_CASE(an_automatic_kind_that_is_slow_moves_to_the_claimed_lane) {
  World world;
  world.sql("slow", "INSERT INTO effects (job) SELECT $2 FROM pg_sleep(0.6)");
  world.insert_many("slow", 1);
  Bench bench{world};
  bench.direct_turn();
  BOOST_TEST(world.effects() == 1);
  BOOST_TEST(bench.plan.direct() == nullptr);
  world.insert_many("slow", 1);
  bench.direct_turn();
  BOOST_TEST(world.effects() == 1);
  bench.step();
  BOOST_TEST(world.effects() == 2);
}

// The dispatcher may be resting: it had nothing to claim until now.
BOOST_AUTO_TEST_CASE(the_dispatcher_is_rung_when_the_claimed_lane_gets_new_work) {
  World world;
  world.options.database.statement_timeout = 300ms;
  world.sql("slow", "SELECT pg_sleep(0.7)").timeout = 5s;
  Bench bench{world};
  bench.dispatcher.turn();
  bench.lane.wait(0ms);
  world.insert("slow");
  bench.direct_turn();
  BOOST_TEST_REQUIRE(bench.plan.claimed().one_by_one);
  BOOST_TEST(bench.lane.wait(0ms));

  bench.plan.end_isolation();
  world.options.database.statement_timeout = 5s;
  bench.direct_turn();
  BOOST_TEST_REQUIRE((bench.plan.direct() == nullptr));  // slow
  BOOST_TEST(bench.lane.wait(0ms));
}

BOOST_AUTO_TEST_CASE(a_group_that_somebody_interfered_with_is_done_again) {
  World world;
  world.db.exec(
      "CREATE FUNCTION meddle(bigint) RETURNS void LANGUAGE sql AS 'INSERT INTO effects (job) "
      "VALUES ($1)'");
  world.sql("post", "SELECT meddle($2)");
  test::Producer operator_session{world.db.url()};
  world.insert_many("post", 3);
  operator_session.run("BEGIN");
  operator_session.run("UPDATE outbox.jobs SET priority = 0 WHERE id = 1");
  Bench bench{world};
  bench.direct_turn();
  operator_session.run("COMMIT");
  BOOST_TEST(work_off(world, bench));
  BOOST_TEST(world.effects() == 3);
  BOOST_TEST(world.finished() == 3);
  BOOST_TEST(world.db.number("SELECT count(*) FROM outbox.job_failures") == 0);
}

BOOST_AUTO_TEST_CASE(a_stopped_worker_takes_no_slot) {
  World world;
  world.queue().concurrency = 1;
  world.sql("post", "SELECT 1");
  world.insert("post");
  Bench bench{world};
  const std::stop_source never;
  std::stop_source stopped;
  {
    const auto held = bench.slots.take(never.get_token());
    stopped.request_stop();
    bench.direct.turn(stopped.get_token());
  }
  BOOST_TEST(world.live() == 1);
  bench.direct_turn();
  BOOST_TEST(world.live() == 0);
  BOOST_TEST(bool{bench.slots.take(never.get_token())});
}

BOOST_AUTO_TEST_CASE(history_can_be_switched_off) {
  World world;
  world.queue().history = false;
  world.sql("post", "INSERT INTO effects (job) VALUES ($2)");
  world.insert_many("post", 3);
  Bench bench{world};
  bench.direct_turn();
  BOOST_TEST(world.effects() == 3);
  BOOST_TEST(world.finished() == 0);
}

// Kinds without room, paused or unknown here: the index knows none of that, and looks walk past
// them.
BOOST_AUTO_TEST_CASE(jobs_behind_a_backlog_that_is_not_to_be_claimed_are_found) {
  World world;
  world.sql("post", "SELECT 1");
  world.external("mail", [](ExternalContext&) { return Outcome{Done{}}; });
  world.db.exec(
      "INSERT INTO outbox.jobs (kind, run_at) SELECT 'closed', now() - interval '1 h' "
      "FROM generate_series(1, 200000)");
  Bench bench{world};
  for (int i = 0; i < 3; ++i) {
    bench.direct_turn();
    bench.dispatcher.turn();
  }
  (void)world.insert("post");
  const auto mail = world.insert("mail");
  bench.direct_turn();
  bench.dispatcher.turn();
  BOOST_TEST(world.live() == 200'001);  // the post is done
  BOOST_TEST(!world.job(mail, "claimed_by").empty());
}

BOOST_AUTO_TEST_SUITE_END()
