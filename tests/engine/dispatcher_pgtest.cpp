// The claimed lane's loop, turned by hand: how much it claims, what it does with what comes back.
#include <boost/test/unit_test.hpp>

#include "engine/dispatcher.hpp"
#include "support/engine.hpp"

namespace dispatcher_pgtest {

using namespace outbox;
using namespace std::chrono_literals;
using test::Bench;
using test::eventually;
using test::World;

std::int64_t claimed(World& world) {
  return world.db.number("SELECT count(*) FROM outbox.jobs WHERE claimed_by IS NOT NULL");
}

/// Whether ordinary claims may be made.
bool open(Bench& bench) { return bool{engine::SoloGate::Entry{bench.solo}}; }

}  // namespace dispatcher_pgtest

BOOST_AUTO_TEST_SUITE(dispatcher_pgtest)

BOOST_AUTO_TEST_CASE(it_claims_no_more_than_concurrency_and_as_much_again_ahead) {
  World world;
  world.queue().concurrency = 3;
  world.cpp("work", [](Context&) {});
  world.insert_many("work", 20);
  Bench bench{world};
  for (int i = 0; i < 5; ++i) bench.dispatcher.turn();
  BOOST_TEST(claimed(world) == 6);
  BOOST_TEST(bench.dispatcher.in_flight() == 6U);
}

BOOST_AUTO_TEST_CASE(nothing_is_claimed_ahead_of_long_handlers) {
  World world;
  world.queue().concurrency = 3;
  world.cpp("work", [](Context&) { std::this_thread::sleep_for(30ms); });
  world.insert_many("work", 20);
  Bench bench{world};
  bench.step();
  bench.dispatcher.turn();
  BOOST_TEST(world.finished() == 6);
  BOOST_TEST(claimed(world) == 3);
}

BOOST_AUTO_TEST_CASE(results_come_back_and_make_room) {
  World world;
  world.queue().concurrency = 2;
  world.cpp("work", [](Context& context) { test::note(context); });
  world.insert_many("work", 50);
  Bench bench{world};
  BOOST_TEST(eventually(20s, [&] {
    bench.step();
    return world.live() == 0;
  }));
  bench.dispatcher.turn();
  BOOST_TEST(bench.dispatcher.in_flight() == 0U);
  BOOST_TEST(world.finished() == 50);
  BOOST_TEST(world.effects() == 50);
  BOOST_TEST(open(bench));
}

BOOST_AUTO_TEST_CASE(only_kinds_with_a_handler_and_only_due_jobs_are_claimed) {
  World world;
  world.cpp("work", [](Context&) {});
  world.insert("unknown");
  world.insert("work", "run_at", "now() + interval '1 hour'");
  world.insert("work", "queue", "'other'");
  const auto due = world.insert("work");
  Bench bench{world};
  bench.dispatcher.turn();
  const auto task = bench.take();
  BOOST_TEST_REQUIRE((task != nullptr));
  BOOST_TEST(task->claimed.job.id == due);
  BOOST_TEST((bench.take() == nullptr));
}

BOOST_AUTO_TEST_CASE(jobs_are_handed_out_in_order_of_priority_then_age) {
  World world;
  world.queue().concurrency = 8;
  world.cpp("work", [](Context&) {});
  const auto last = world.insert("work", "priority", "3");
  const auto second = world.insert("work");
  const auto third = world.insert("work");
  const auto first = world.insert("work", "priority", "0");
  Bench bench{world};
  bench.dispatcher.turn();
  for (const auto id : {first, second, third, last}) {
    const auto task = bench.take();
    BOOST_TEST_REQUIRE((task != nullptr));
    BOOST_TEST(task->claimed.job.id == id);
  }
}

BOOST_AUTO_TEST_CASE(a_paused_queue_gives_nothing_until_it_is_resumed) {
  World world;
  world.cpp("work", [](Context&) {});
  world.insert("work");
  world.db.exec("INSERT INTO outbox.queues (name, paused_at) VALUES ('default', now())");
  Bench bench{world};
  bench.step(2);
  BOOST_TEST(world.live() == 1);
  BOOST_TEST(claimed(world) == 0);
  world.db.exec("UPDATE outbox.queues SET paused_at = NULL");
  BOOST_TEST(eventually(5s, [&] {
    bench.step();
    return world.live() == 0;
  }));
}

BOOST_AUTO_TEST_CASE(a_late_commit_behind_the_cursor_is_found_by_the_sweep) {
  World world;
  world.cpp("work", [](Context&) {});
  test::Producer late{world};
  late.run("BEGIN");
  late.run("INSERT INTO outbox.jobs (kind) VALUES ('work')");
  world.insert("work");
  Bench bench{world};
  bench.step();
  BOOST_TEST(world.finished() == 1);
  late.run("COMMIT");
  BOOST_TEST(eventually(5s, [&] {
    bench.step();
    return world.finished() == 2;
  }));
}

BOOST_AUTO_TEST_CASE(the_fence_drops_what_is_claimed_and_gives_it_back_uncharged) {
  World world;
  world.cpp("work", [](Context&) {});
  const auto id = world.insert("work");
  Bench bench{world};
  bench.dispatcher.turn();
  const auto running = bench.take();
  BOOST_TEST_REQUIRE((running != nullptr));
  world.insert("work");
  bench.dispatcher.turn();
  BOOST_TEST(claimed(world) == 2);

  bench.dispatcher.fence();
  bench.dispatcher.turn();
  BOOST_TEST(running->abandoned.load());
  BOOST_TEST(running->stop.stop_requested());
  world.db.exec("INSERT INTO outbox.queues (name, paused_at) VALUES ('default', now())");
  bench.bring_back(running);
  bench.dispatcher.turn();
  BOOST_TEST(claimed(world) == 0);
  BOOST_TEST(bench.dispatcher.in_flight() == 0U);
  BOOST_TEST(world.job(id, "attempt") == "0");
  BOOST_TEST(world.job(id, "claim_token") == "2");
  BOOST_TEST(world.job(id, "crashes") == "0");
}

// Claims that were made before and after a new registration come back together.
BOOST_AUTO_TEST_CASE(claims_of_two_registrations_are_both_given_back) {
  World world;
  world.cpp("work", [](Context&) {});
  const auto first = world.insert("work");
  Bench bench{world};
  const int old_id = bench.id();
  bench.dispatcher.turn();
  const auto old_task = bench.take();
  BOOST_TEST_REQUIRE((old_task != nullptr));
  world.db.exec("UPDATE outbox.processors SET dead_at = now(), dead_reason = 'test'");
  BOOST_TEST_REQUIRE(eventually(5s, [&] { return bench.id() != 0 && bench.id() != old_id; }));
  bench.dispatcher.turn();  // sees the fence
  const auto second = world.insert("work");
  bench.dispatcher.turn();
  const auto new_task = bench.take();
  BOOST_TEST_REQUIRE((new_task != nullptr));
  BOOST_TEST(new_task->processor == bench.id());

  world.db.exec("INSERT INTO outbox.queues (name, paused_at) VALUES ('default', now())");
  bench.bring_back(old_task);
  bench.bring_back(new_task);
  bench.dispatcher.turn();
  BOOST_TEST(world.job(first, "claimed_by IS NULL") == "t");
  BOOST_TEST(world.job(second, "claimed_by IS NULL") == "t");
}

// A processor that lives on must not keep claims that nobody runs: no other one may rescue them.
BOOST_AUTO_TEST_CASE(claims_that_could_not_be_given_back_are_given_back_later) {
  World world;
  world.options.database.statement_timeout = 200ms;
  world.cpp("work", [](Context&) {});
  const auto id = world.insert("work");
  Bench bench{world};
  bench.dispatcher.turn();
  const auto task = bench.take();
  BOOST_TEST_REQUIRE((task != nullptr));
  bench.dispatcher.fence();
  bench.dispatcher.turn();
  world.db.exec("INSERT INTO outbox.queues (name, paused_at) VALUES ('default', now())");
  test::Producer operator_session{world.db.url()};
  operator_session.run("BEGIN");
  operator_session.run("SELECT id FROM outbox.jobs WHERE id = " + std::to_string(id) +
                       " FOR UPDATE");
  bench.bring_back(task);
  for (int i = 0; i < 3; ++i) bench.dispatcher.turn();
  BOOST_TEST(world.job(id, "claimed_by IS NULL") == "f");
  operator_session.run("COMMIT");
  BOOST_TEST(eventually(5s, [&] {
    bench.dispatcher.turn();
    return world.job(id, "claimed_by IS NULL") == "t";
  }));
  BOOST_TEST(world.job(id, "attempt") == "0");
}

BOOST_AUTO_TEST_CASE(a_fence_without_a_database_reaches_every_handler) {
  World world;
  world.options.database.connect_timeout = 1s;
  world.cpp("work", [](Context&) {});
  world.insert_many("work", 3);
  Bench bench{world};
  bench.dispatcher.turn();
  std::vector<engine::TaskPtr> running;
  while (auto task = bench.take()) {
    task->backend_pid = 1;  // as if its handler ran: it is to be cancelled, too
    running.push_back(std::move(task));
  }
  BOOST_REQUIRE_EQUAL(running.size(), 3U);
  world.db.exec(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
      "WHERE datname = current_database() AND pid <> pg_backend_pid()");
  bench.dispatcher.fence();
  bench.dispatcher.turn();
  for (const auto& task : running) {
    BOOST_TEST(task->abandoned.load());
    BOOST_TEST(task->stop.stop_requested());
    task->backend_pid = 0;
    bench.bring_back(task);
  }
}

BOOST_AUTO_TEST_CASE(a_suspect_runs_alone_and_the_others_wait_for_it) {
  World world;
  world.queue().concurrency = 4;
  world.cpp("work", [](Context&) {});
  const auto ordinary = world.insert("work");
  Bench bench{world};
  bench.dispatcher.turn();
  auto running = bench.take();
  BOOST_TEST_REQUIRE((running != nullptr));

  world.db.exec(
      "INSERT INTO outbox.jobs (kind, suspect, crashes, attempt) VALUES ('work', true, 1, 1), "
      "('work', true, 1, 1)");
  world.insert("work");
  ++bench.suspects_hint;
  bench.dispatcher.turn();
  BOOST_TEST((bench.take() == nullptr));  // an ordinary claim is still held
  BOOST_TEST(!open(bench));

  bench.runner.execute(*running);
  bench.bring_back(std::move(running));
  bench.dispatcher.turn();
  auto suspect = bench.take();
  BOOST_TEST_REQUIRE((suspect != nullptr));
  BOOST_TEST(suspect->claimed.suspect);
  bench.dispatcher.turn();
  BOOST_TEST((bench.take() == nullptr));  // neither the other suspect nor the ordinary job
  bench.runner.execute(*suspect);
  BOOST_TEST(suspect->claimed.job.attempt == 1);
  bench.bring_back(std::move(suspect));
  BOOST_TEST(eventually(5s, [&] {
    bench.step();
    return world.live() == 0;
  }));
  BOOST_TEST(open(bench));
  BOOST_TEST(world.finished() == 4);
  BOOST_TEST(world.failures(ordinary).empty());
}

// Nothing could be claimed in the whole process for as long as that handler takes.
BOOST_AUTO_TEST_CASE(a_suspect_whose_queue_has_no_free_runner_gives_way_to_the_other_queues) {
  World world;
  world.queue().concurrency = 1;
  world.cpp("work", [](Context&) {});
  world.insert("work");
  Bench bench{world, 20ms};
  bench.dispatcher.turn();
  const auto running = bench.take();
  BOOST_TEST_REQUIRE((running != nullptr));
  world.db.exec(
      "INSERT INTO outbox.jobs (kind, suspect, crashes, attempt) VALUES ('work', true, 1, 1)");
  ++bench.suspects_hint;
  bench.dispatcher.turn();
  BOOST_TEST(!open(bench));
  BOOST_TEST(eventually(5s, [&] {
    bench.dispatcher.turn();
    return open(bench);
  }));
  BOOST_TEST((bench.take() == nullptr));
  ++bench.suspects_hint;  // every notification is such a hint
  bench.dispatcher.turn();
  BOOST_TEST(open(bench));
  bench.bring_back(running);
}

BOOST_AUTO_TEST_CASE(a_failed_group_is_run_one_job_at_a_time) {
  World world;
  world.queue().concurrency = 4;
  world.sql("post", "INSERT INTO effects (job) VALUES ($2)");
  world.insert_many("post", 3);
  Bench bench{world};
  bench.dispatcher.turn();
  BOOST_TEST((bench.take() == nullptr));  // they belong to the direct lane
  bench.plan.isolate(2, "test");
  bench.dispatcher.turn();
  auto task = bench.take();
  BOOST_TEST_REQUIRE((task != nullptr));
  bench.dispatcher.turn();
  BOOST_TEST((bench.take() == nullptr));
  bench.runner.execute(*task);
  bench.bring_back(std::move(task));
  bench.dispatcher.turn();
  task = bench.take();
  BOOST_TEST_REQUIRE((task != nullptr));
  bench.runner.execute(*task);
  bench.bring_back(std::move(task));
  bench.dispatcher.turn();
  BOOST_TEST(!bench.plan.claimed().one_by_one);
  BOOST_TEST((bench.take() == nullptr));
  BOOST_TEST(world.effects() == 2);
  BOOST_TEST(world.live() == 1);
}

BOOST_AUTO_TEST_CASE(isolation_ends_when_no_job_is_left) {
  World world;
  world.sql("post", "SELECT 1");
  world.insert("post");
  Bench bench{world};
  bench.plan.isolate(50, "test");
  BOOST_TEST(eventually(5s, [&] {
    bench.step();
    return !bench.plan.claimed().one_by_one;
  }));
  BOOST_TEST(world.finished() == 1);
}

// The process sleeps while the handler runs: the turn that tells the handler must not wait for a
// poll.
BOOST_AUTO_TEST_CASE(a_turn_asks_to_come_back_when_the_next_timeout_is_due) {
  World world;
  world.cpp("work", [](Context&) {}).timeout = 300ms;
  world.insert("work");
  Bench bench{world};
  bench.waker.start();
  bench.dispatcher.turn();
  const auto task = bench.take();
  BOOST_TEST_REQUIRE((task != nullptr));
  task->started = core::Clock::now().time_since_epoch().count();
  const auto start = core::Clock::now();
  while (core::Clock::now() - start < 5s) {
    const auto wait = bench.dispatcher.turn();
    if (task->stop.stop_requested()) break;
    bench.lane.wait(wait);
  }
  BOOST_TEST((core::Clock::now() - start < 1s));
  bench.waker.stop();
  bench.bring_back(task);
}

BOOST_AUTO_TEST_CASE(it_waits_out_an_outage_and_claims_again) {
  World world;
  world.cpp("work", [](Context&) {});
  Bench bench{world};
  bench.step();
  world.db.exec(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
      "WHERE datname = current_database() AND pid <> pg_backend_pid()");
  world.insert("work");
  BOOST_TEST(eventually(10s, [&] {
    bench.step();
    return world.live() == 0;
  }));
  BOOST_TEST(world.finished() == 1);
}

BOOST_AUTO_TEST_CASE(without_a_registration_nothing_is_claimed) {
  World world;
  world.cpp("work", [](Context&) {});
  world.insert("work");
  Bench bench{world};
  bench.membership.stop(store::Left::nothing);
  bench.step(3);
  BOOST_TEST(claimed(world) == 0);
}

// A full disk keeps ends from being written for minutes: that is not the handlers' fault.
BOOST_AUTO_TEST_CASE(a_handler_whose_end_waits_to_be_written_is_not_stuck) {
  World world;
  world.external("outside", [](ExternalContext&) {}).timeout = 10ms;
  world.insert("outside");
  Bench bench{world};
  bench.services.give_up = [](const auto&) { BOOST_ERROR("it gave up"); };
  bench.dispatcher.turn();
  const auto task = bench.take();
  bench.runner.execute(*task);
  BOOST_TEST(task->answer.has_value());
  BOOST_TEST(task->started.load() == 0);
  bench.dispatcher.turn();
  BOOST_TEST(!task->stop.stop_requested());
}

BOOST_AUTO_TEST_CASE(a_stuck_handler_takes_its_processor_down_and_keeps_its_claim) {
  World world;
  world.cpp("work", [](Context&) {}).timeout = 10ms;
  world.insert_many("work", 2);
  Bench bench{world};
  int gave_up = 0;
  bench.services.give_up = [&](const auto&) { ++gave_up; };
  bench.dispatcher.turn();
  const auto stuck = bench.take();
  const auto late = bench.take();
  stuck->started = (core::Clock::now() - 10ms - core::kStuckAfter).time_since_epoch().count();
  late->started = (core::Clock::now() - 20ms).time_since_epoch().count();
  bench.dispatcher.turn();
  bench.dispatcher.turn();
  BOOST_TEST(gave_up == 1);
  BOOST_TEST((stuck->stop.stop_requested() && stuck->abandoned));
  BOOST_TEST((late->stop.stop_requested() && !late->abandoned));
  // At the stop it alone is not waited for, and not given back: the rescue counts it as a crash.
  bench.bring_back(late);
  std::stop_source stop;
  stop.request_stop();
  bench.dispatcher.stop_at(core::Clock::now() + 1min);
  bench.dispatcher.run(stop.get_token());
  BOOST_TEST(bench.dispatcher.left_claims());
  BOOST_TEST(world.job(stuck->claimed.job.id, "claimed_by") == std::to_string(bench.id()));
  BOOST_TEST(world.job(late->claimed.job.id, "claimed_by IS NULL AND attempt = 0") == "t");
}

BOOST_AUTO_TEST_SUITE_END()
