// Asleep and awake: with a poll of 30 s, whatever runs in time was woken for.
#include <atomic>
#include <thread>

#include <boost/test/unit_test.hpp>

#include "engine/waker.hpp"
#include "support/engine.hpp"

namespace waker_pgtest {

using namespace outbox;
using namespace std::chrono_literals;
using test::eventually;
using test::RunningProcessor;
using test::World;

/// Sessions that make producers notify: those that hold all stripes.
std::int64_t sleepers(World& world) {
  return world.db.number(
      "SELECT count(*) FROM (SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND classid = "
      "7306801 AND objid < 16 "
      "AND mode = 'ExclusiveLock' AND granted AND database = (SELECT oid FROM pg_database WHERE "
      "datname = current_database()) "
      "GROUP BY pid HAVING count(*) = 16) x");
}

bool falls_asleep(World& world) {
  int in_a_row = 0;
  return eventually(10s, [&] {
    in_a_row = sleepers(world) == 1 ? in_a_row + 1 : 0;
    return in_a_row == 10;  // not only while it looks once more
  });
}

/// Longest time from when a job was due to its effect.
double latest(World& world) {
  return std::stod(
      world.db.value("SELECT max(extract(epoch FROM at - run_at)) FROM effects JOIN "
                     "outbox.finished_jobs ON id = job"));
}

struct Sleepy : World {
  Sleepy() {
    cpp("work", [](Context& context) { test::note(context); });
    sql("post", "INSERT INTO effects (job) VALUES ($2)");
  }
};

}  // namespace waker_pgtest

BOOST_AUTO_TEST_SUITE(waker_pgtest)

BOOST_AUTO_TEST_CASE(a_job_that_is_inserted_while_it_sleeps_runs_at_once_in_either_lane) {
  Sleepy world;
  RunningProcessor processor{world};
  for (const char* kind : {"work", "post", "work", "post"}) {
    BOOST_TEST_REQUIRE(falls_asleep(world));
    world.insert(kind);
    BOOST_TEST(eventually(5s, [&] { return world.live() == 0; }));
  }
  BOOST_TEST(latest(world) < 1.0);
}

BOOST_AUTO_TEST_CASE(a_producer_with_an_open_transaction_keeps_it_awake) {
  Sleepy world;
  test::Producer producer{world};
  producer.run("BEGIN");
  producer.run("INSERT INTO outbox.jobs (kind) VALUES ('work'), ('post')");
  RunningProcessor processor{world};
  world.insert("post");
  BOOST_TEST(eventually(5s, [&] { return world.finished() == 1; }));
  // It would be asleep long ago, and the open transaction has not notified.
  int awake = 0;
  BOOST_TEST(eventually(5s, [&] { return sleepers(world) == 0 && ++awake > 40; }));
  producer.run("COMMIT");
  BOOST_TEST(eventually(1s, [&] { return world.finished() == 3; }));
  BOOST_TEST(falls_asleep(world));
}

BOOST_AUTO_TEST_CASE(producers_that_commit_around_the_moment_of_falling_asleep_are_not_missed) {
  Sleepy world;
  RunningProcessor processor{world};
  test::Producer producer{world};
  for (int i = 0; i < 40; ++i) {
    producer.run("BEGIN");
    producer.run("INSERT INTO outbox.jobs (kind) VALUES ('work'), ('post')");
    std::this_thread::sleep_for(std::chrono::milliseconds{i});
    producer.run("COMMIT");
    BOOST_TEST_REQUIRE(eventually(5s, [&] { return world.live() == 0; }));
    std::this_thread::sleep_for(std::chrono::milliseconds{(i * 7) % 80});
  }
  BOOST_TEST(world.effects() == 80);
}

// The ledger's trigger notifies on the same channel, and what arrives together is one answer.
BOOST_AUTO_TEST_CASE(a_migration_that_is_told_together_with_a_job_does_not_swallow_its_wake_up) {
  Sleepy world;
  RunningProcessor processor{world};
  for (int i = 0; i < 5; ++i) {
    BOOST_TEST_REQUIRE(falls_asleep(world));
    world.db.exec(
        "INSERT INTO outbox.jobs (kind) VALUES ('work'), ('post'); NOTIFY outbox, 'schema'");
    BOOST_TEST_REQUIRE(eventually(5s, [&] { return world.live() == 0; }));
  }
}

BOOST_AUTO_TEST_CASE(scheduled_jobs_run_on_time_while_it_sleeps) {
  Sleepy world;
  RunningProcessor processor{world};
  BOOST_TEST_REQUIRE(falls_asleep(world));
  for (const char* kind : {"work", "post"}) {
    for (const char* delay : {"'300 ms'", "'700 ms'"}) {
      world.insert(kind, "run_at", std::string{"clock_timestamp() + interval "} + delay);
    }
  }
  BOOST_TEST(eventually(5s, [&] { return world.live() == 0; }));
  BOOST_TEST(latest(world) < 0.5);
}

// What it woke up for is gone: another processor took it, or somebody deleted it.
BOOST_AUTO_TEST_CASE(a_scheduled_job_is_on_time_when_the_one_before_it_vanished) {
  for (const char* kind : {"work", "post"}) {
    Sleepy world;
    RunningProcessor processor{world};
    const auto first = world.insert(kind, "run_at", "clock_timestamp() + interval '600 ms'");
    world.insert(kind, "run_at", "clock_timestamp() + interval '900 ms'");
    BOOST_TEST_REQUIRE(falls_asleep(world));
    BOOST_TEST_REQUIRE(world.job(first, "run_at > clock_timestamp()") == "t");
    world.db.exec("DELETE FROM outbox.jobs WHERE id = " + std::to_string(first));
    BOOST_TEST(eventually(5s, [&] { return world.live() == 0; }));
    BOOST_TEST((world.effects() == 1 && latest(world) < 0.5));
  }
}

BOOST_AUTO_TEST_CASE(a_retry_is_on_time_while_it_sleeps) {
  World world;
  std::atomic<int> runs{0};
  world.cpp("work", [&](Context& context) {
    if (++runs == 1) throw std::runtime_error{"not yet"};
    test::note(context);
  });
  world.sql("post", "INSERT INTO effects (job) SELECT $2 WHERE $3 > 1 OR 1 / ($3 - 1) > 0");
  world.handlers.at("work").options.backoff.first = 400ms;
  world.handlers.at("post").options.backoff.first = 400ms;
  RunningProcessor processor{world};
  BOOST_TEST_REQUIRE(falls_asleep(world));
  world.insert("work");
  world.insert("post");
  BOOST_TEST(eventually(5s, [&] { return world.live() == 0; }));
  BOOST_TEST(world.effects() == 2);
  BOOST_TEST(latest(world) < 0.5);
}

// All slots are taken: there is nothing to be woken for, and every NOTIFY would cost a producer.
BOOST_AUTO_TEST_CASE(a_processor_that_is_full_neither_sleeps_nor_wakes_again_and_again) {
  World world;
  std::atomic<int> entered{0};
  std::atomic<bool> open{false};
  world.queue().concurrency = 1;
  world.queue().direct_workers = 1;
  world.cpp("work", [&](Context&) {
    ++entered;
    while (!open) std::this_thread::sleep_for(1ms);
  });
  world.sql("post", "INSERT INTO effects (job) VALUES ($2)");
  world.insert_many("work", 10);
  RunningProcessor processor{world};
  BOOST_TEST_REQUIRE(eventually(10s, [&] { return entered == 1; }));
  world.insert("post");
  const auto before = world.metric("outboxd_wakeups_total");
  (void)eventually(1'500ms, [] { return false; });  // time is the condition here
  BOOST_TEST(world.metric("outboxd_wakeups_total") - before <= 1);
  open = true;
  BOOST_TEST(eventually(10s, [&] { return world.live() == 0; }));
}

BOOST_AUTO_TEST_CASE(whoever_stays_is_woken_when_the_leader_of_the_sleepers_leaves) {
  Sleepy world;
  auto one = std::make_unique<RunningProcessor>(world, "one");
  BOOST_TEST_REQUIRE(falls_asleep(world));
  RunningProcessor two{world, "two"};
  BOOST_TEST_REQUIRE(eventually(
      10s, [&] { return world.db.number("SELECT count(*) FROM outbox.processors") == 2; }));
  world.insert("post");
  BOOST_TEST(eventually(5s, [&] { return world.live() == 0; }));
  BOOST_TEST_REQUIRE(falls_asleep(world));
  one.reset();
  BOOST_TEST(falls_asleep(world));
  world.insert("work");
  world.insert("post");
  BOOST_TEST(eventually(1s, [&] { return world.live() == 0; }));
}

// The producers saw no sleeper when they inserted: the locks had gone with the leader.
BOOST_AUTO_TEST_CASE(followers_are_woken_when_the_leader_of_the_sleepers_crashes) {
  Sleepy world;
  auto leader = std::make_unique<test::Producer>(world.db.url(test::Login::worker));
  leader->run("SELECT pg_advisory_lock(7306801, s) FROM generate_series(0, 15) s");
  leader->run("SELECT pg_advisory_lock(7306801, 100)");
  RunningProcessor processor{world};
  const auto id = leader->run(
      "INSERT INTO outbox.processors (name, version, built_for, pid, queues, kinds, session_lock, "
      "dead_after) "
      "VALUES ('leader', '1', 3, 1, '{}', '{}', true, '1 hour') RETURNING id");
  leader->run("SELECT pg_advisory_lock(7306802, " + id + ")");
  BOOST_TEST_REQUIRE(eventually(10s, [&] {
    return world.db.number(
               "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state "
               "= 'idle' "
               "AND application_name LIKE 'outboxd % wake-up' AND query LIKE "
               "'%outbox:free_stripes%' "
               "AND state_change < clock_timestamp() - interval '100 ms'") == 1;
  }));
  leader->run("UPDATE outbox.processors SET heartbeat_at = clock_timestamp() WHERE id = " + id);
  leader.reset();
  BOOST_TEST_REQUIRE(eventually(5s, [&] { return sleepers(world) == 0; }));
  world.insert("work");
  world.insert("post");
  BOOST_TEST(eventually(2s, [&] { return world.live() == 0; }));
}

BOOST_AUTO_TEST_CASE(a_lost_wake_up_connection_is_replaced) {
  Sleepy world;
  RunningProcessor one{world, "one"};
  RunningProcessor two{world, "two"};
  for (int i = 0; i < 3; ++i) {
    BOOST_TEST_REQUIRE(falls_asleep(world));
    world.db.exec(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND application_name LIKE 'outboxd % wake-up'");
    world.insert("work");
    world.insert("post");
    BOOST_TEST(eventually(2s, [&] { return world.live() == 0; }));
  }
}

// A group that fails hands its jobs to a lane that had nothing to do until now.
BOOST_AUTO_TEST_CASE(jobs_that_change_their_lane_do_not_wait_for_a_poll) {
  World world;
  world
      .sql("post",
           "INSERT INTO effects (job) SELECT $2 FROM pg_sleep(CASE WHEN $1 ? 'slow' THEN 30 ELSE 0 "
           "END)")
      .timeout = 300ms;
  world.sql("slow", "INSERT INTO effects (job) SELECT $2 FROM pg_sleep(0.6)").timeout = 5s;
  RunningProcessor processor{world};
  BOOST_TEST_REQUIRE(falls_asleep(world));
  world.db.exec(
      "INSERT INTO outbox.jobs (kind, payload, max_attempts) VALUES ('post', '{\"slow\": 1}', 1), "
      "('post', '{}', 20)");
  BOOST_TEST(eventually(4s, [&] { return world.live() == 0; }));
  BOOST_TEST(world.failures(1) == "timeout");
  BOOST_TEST(world.finished() == 1);
}

BOOST_AUTO_TEST_CASE(what_is_given_back_at_a_stop_wakes_the_others) {
  World world;
  std::atomic<int> entered{0};
  std::atomic<bool> open{false};
  world.cpp("work", [&](Context& context) {
    ++entered;
    while (!open && !context.stop_token().stop_requested()) std::this_thread::sleep_for(1ms);
    if (!open) throw std::runtime_error{"told to stop"};
    test::note(context);
  });
  world.options.processor.grace = 0s;
  auto one = std::make_unique<RunningProcessor>(world, "one");
  world.insert("work");
  BOOST_TEST_REQUIRE(eventually(10s, [&] { return entered == 1; }));
  RunningProcessor two{world, "two"};
  BOOST_TEST_REQUIRE(falls_asleep(world));
  open = false;
  one.reset();
  BOOST_TEST(eventually(2s, [&] { return entered == 2; }));
  open = true;
  BOOST_TEST(eventually(5s, [&] { return world.finished() == 1; }));
}

BOOST_AUTO_TEST_SUITE_END()
