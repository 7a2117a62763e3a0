// From a claimed job to its end: every outcome, every way to fail, and what it costs the job.
#include <atomic>
#include <thread>

#include <boost/test/unit_test.hpp>
#include <pqxx/pqxx>

#include "engine/runner.hpp"
#include "support/engine.hpp"

namespace runner_pgtest {

using namespace outbox;
using namespace std::chrono_literals;
using test::Bench;
using test::eventually;
using test::World;

/// One job of a kind whose handler is `handler`, claimed and executed once.
struct OneRun {
  template <class F>
  explicit OneRun(F handler, const std::string& columns = "", const std::string& values = "") {
    // Once: on a slow machine the next turn may come after a short backoff.
    world.cpp("work", std::move(handler)).backoff.first = std::chrono::minutes{5};
    id = world.insert("work", columns, values);
  }
  void run() {
    Bench bench{world};
    bench.step();
    bench.dispatcher.turn();
    in_flight = bench.dispatcher.in_flight();
  }
  [[nodiscard]] std::string job(const std::string& expression) { return world.job(id, expression); }

  World world;
  std::int64_t id{};
  std::size_t in_flight{};
};

void end_own_backend(Context& context) {
  context.tx().exec("SELECT pg_terminate_backend(pg_backend_pid())");
}

}  // namespace runner_pgtest

BOOST_AUTO_TEST_SUITE(runner_pgtest)

BOOST_AUTO_TEST_CASE(done_commits_what_the_handler_wrote_with_the_jobs_completion) {
  OneRun one{[](Context& context) { test::note(context); }};
  one.run();
  BOOST_TEST(one.world.live() == 0);
  BOOST_TEST(one.world.effects() == 1);
  BOOST_TEST(one.world.finished() == 1);
  BOOST_TEST(one.in_flight == 0U);
  BOOST_TEST(one.world.metric("outboxd_jobs_finished_total", "work") == 1);
}

BOOST_AUTO_TEST_CASE(snooze_undoes_and_costs_no_attempt) {
  OneRun one{[](Context& context) {
    test::note(context);
    return Context::snooze(1h);
  }};
  one.run();
  BOOST_TEST(one.job("attempt") == "0");
  BOOST_TEST(one.job("claimed_by IS NULL AND run_at > now() + interval '50 minutes'") == "t");
  BOOST_TEST(one.world.failures(one.id).empty());
  BOOST_TEST(one.world.effects() == 0);
}

BOOST_AUTO_TEST_CASE(discard_undoes_and_makes_a_dead_letter) {
  OneRun one{[](Context& context) {
    test::note(context);
    return Context::discard("no such customer");
  }};
  one.run();
  BOOST_TEST(one.world.live() == 0);
  BOOST_TEST(one.world.dead(one.id) == "discarded: no such customer");
  BOOST_TEST(one.world.failures(one.id) == "discarded");
  BOOST_TEST(one.world.effects() == 0);
}

BOOST_AUTO_TEST_CASE(retry_undoes_and_runs_again_after_the_time_it_names) {
  OneRun one{[](Context& context) {
    test::note(context);
    return Context::retry_after(1h, "come back later");
  }};
  one.run();
  BOOST_TEST(one.job("attempt") == "1");
  BOOST_TEST(one.job("last_error") == "come back later");
  BOOST_TEST(one.job("claimed_by IS NULL AND run_at > now() + interval '50 minutes'") == "t");
  BOOST_TEST(one.world.failures(one.id) == "error");
  BOOST_TEST(one.world.effects() == 0);
}

BOOST_AUTO_TEST_CASE(an_exception_is_a_retry_after_the_kinds_backoff) {
  OneRun one{[](Context& context) {
    test::note(context);
    throw std::runtime_error{"the other side said no"};
  }};
  one.world.handlers.at("work").options.backoff.first = 30s;
  one.run();
  BOOST_TEST(one.job("last_error") == "the other side said no");
  BOOST_TEST(one.job("run_at BETWEEN now() + interval '20 s' AND now() + interval '40 s'") == "t");
  BOOST_TEST(one.world.effects() == 0);
}

BOOST_AUTO_TEST_CASE(something_thrown_that_is_no_exception_is_a_retry_too) {
  OneRun one{[](Context&) { throw 42; }};
  one.run();
  BOOST_TEST(one.job("last_error") == "the handler threw something that is not a std::exception");
}

BOOST_AUTO_TEST_CASE(the_last_attempt_ends_in_a_dead_letter) {
  OneRun one{[](Context&) { throw std::runtime_error{"no"}; }, "max_attempts", "1"};
  one.run();
  BOOST_TEST(one.world.dead(one.id) == "attempts: no");
  BOOST_TEST(one.world.live() == 0);
}

BOOST_AUTO_TEST_CASE(an_error_text_of_any_bytes_can_be_stored) {
  OneRun one{[](Context&) -> Outcome {
    return Retry{std::string{"a\0b\xff\xc3", 5} + std::string(100'000, 'x'), 1h};
  }};
  one.run();
  BOOST_TEST(one.job("attempt") == "1");
  BOOST_TEST(one.job("length(last_error) BETWEEN 500 AND 1100") == "t");
}

BOOST_AUTO_TEST_CASE(an_sql_error_keeps_its_sqlstate) {
  OneRun one{[](Context& context) { context.tx().exec("SELECT 1 / 0"); }};
  one.run();
  BOOST_TEST(one.world.db.value("SELECT sqlstate FROM outbox.job_failures") == "22012");
}

// A full disk: the server is there, and refuses.
BOOST_AUTO_TEST_CASE(what_the_server_has_no_room_for_costs_no_attempt) {
  for (const char* state : {"53100", "58030", "25006"}) {
    OneRun one{[&](Context& context) {
      context.tx().exec("DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '" + std::string{state} +
                        "'; END $$");
    }};
    one.run();
    BOOST_TEST(one.job("attempt") == "0");
    BOOST_TEST(one.job("claimed_by IS NULL AND run_at > now()") == "t");
    BOOST_TEST(one.world.failures(one.id).empty());
  }
}

BOOST_AUTO_TEST_CASE(a_large_payload_is_read_when_its_turn_comes) {
  World world;
  std::map<std::string, std::size_t> seen;
  world.cpp("work", [&](Context& context) {
    seen["work"] = context.job().payload.size() + context.job().headers.size();
  });
  world.external("outside", [&](ExternalContext& context) {
    seen["outside"] = context.job().payload.size() + context.job().headers.size();
  });
  world
      .sql("sql",
           "INSERT INTO effects (job, note) VALUES ($2, length($1::text) + length($4::text))")
      .lane = core::Lane::claimed;
  for (const char* kind : {"work", "outside", "sql"}) {
    world.insert(kind, "payload, headers",
                 "jsonb_build_object('a', repeat('x', 100000)), jsonb_build_object('b', "
                 "repeat('y', 50000))");
  }
  Bench bench{world};
  bench.dispatcher.turn();
  const auto first = bench.take();
  BOOST_REQUIRE(first);
  BOOST_TEST(first->claimed.content_left);
  BOOST_TEST(first->claimed.job.payload.empty());
  bench.tasks.push({first}, 0);
  bench.step(2);
  (void)bench.finisher.turn();
  constexpr std::size_t kBoth = 100'009 + 50'009;
  BOOST_TEST(first->claimed.job.payload.empty());  // dropped again
  BOOST_TEST(seen["work"] == kBoth);
  BOOST_TEST(seen["outside"] == kBoth);
  BOOST_TEST(world.db.value("SELECT note FROM effects") == std::to_string(kBoth));
  BOOST_TEST(world.live() == 0);
}

BOOST_AUTO_TEST_CASE(a_large_payload_of_a_job_that_was_taken_away_is_stale) {
  bool ran = false;
  OneRun one{[&](Context&) { ran = true; }, "payload",
             "jsonb_build_object('a', repeat('x', 100000))"};
  Bench bench{one.world};
  bench.dispatcher.turn();
  one.world.db.exec("UPDATE outbox.jobs SET claim_token = claim_token + 1");
  (void)bench.run_tasks();
  BOOST_TEST(!ran);
  BOOST_TEST(one.world.metric("outboxd_stale_finishes_total") == 1);
}

BOOST_AUTO_TEST_CASE(an_expired_job_never_runs) {
  OneRun one{[](Context& context) { test::note(context); }, "expires_at", "now() - interval '1 s'"};
  one.run();
  BOOST_TEST(one.world.effects() == 0);
  BOOST_TEST(one.world.dead(one.id) == "expired: it expired before it could start");
  BOOST_TEST(one.world.failures(one.id) == "expired");
}

// "If it has not started by then": a claim made ahead is not a start.
BOOST_AUTO_TEST_CASE(a_job_that_expires_behind_a_long_one_never_runs) {
  OneRun one{[](Context& context) { test::note(context); }, "expires_at",
             "clock_timestamp() + interval '300 ms'"};
  Bench bench{one.world};
  bench.dispatcher.turn();
  const auto task = bench.take();
  BOOST_TEST_REQUIRE((task != nullptr));
  BOOST_TEST_REQUIRE(
      eventually(5s, [&] { return one.job("expires_at < clock_timestamp()") == "t"; }));
  bench.runner.execute(*task);
  bench.bring_back(task);
  BOOST_TEST(one.world.effects() == 0);
  BOOST_TEST(one.world.failures(one.id) == "expired");
}

BOOST_AUTO_TEST_CASE(a_statement_that_outlasts_the_timeout_is_a_timeout_failure) {
  OneRun one{[](Context& context) { context.tx().exec("SELECT pg_sleep(30)"); }};
  one.world.handlers.at("work").options.timeout = 100ms;
  one.run();
  BOOST_TEST(one.world.failures(one.id) == "timeout");
  BOOST_TEST(one.world.db.value("SELECT sqlstate FROM outbox.job_failures") == "57014");
}

BOOST_AUTO_TEST_CASE(a_timeout_requests_the_stop_token) {
  std::atomic<bool> told{false};
  World world;
  world
      .cpp("work",
           [&](Context& context) {
             const auto end = core::Clock::now() + 5s;
             while (!context.stop_token().stop_requested() && core::Clock::now() < end)
               std::this_thread::sleep_for(1ms);
             told = context.stop_token().stop_requested();
             throw std::runtime_error{"told to stop"};
           })
      .timeout = 100ms;
  const auto id = world.insert("work");
  Bench bench{world};
  bench.dispatcher.turn();
  std::jthread thread{[&] { bench.run_tasks(); }};
  BOOST_TEST(eventually(5s, [&] {
    bench.dispatcher.turn();
    return bench.dispatcher.in_flight() == 0;
  }));
  BOOST_TEST(told.load());
  BOOST_TEST(world.job(id, "attempt") == "1");
}

BOOST_AUTO_TEST_CASE(a_lost_connection_runs_the_handler_again_under_the_same_claim) {
  std::atomic<int> runs{0};
  OneRun one{[&](Context& context) {
    test::note(context);
    if (++runs == 1) end_own_backend(context);
  }};
  one.run();
  BOOST_TEST(runs == 2);
  BOOST_TEST(one.world.effects() == 1);
  BOOST_TEST(one.world.finished() == 1);
  BOOST_TEST(one.world.db.number("SELECT attempt FROM outbox.finished_jobs") == 1);
}

BOOST_AUTO_TEST_CASE(a_job_that_loses_its_connection_again_and_again_is_blamed) {
  std::atomic<int> runs{0};
  OneRun one{[&](Context& context) {
    ++runs;
    end_own_backend(context);
  }};
  one.run();
  BOOST_TEST((runs >= 3 && runs <= 20));  // losses within a second count as one
  BOOST_TEST(one.job("attempt") == "1");
  BOOST_TEST(one.world.failures(one.id) == "error");
  BOOST_TEST(one.job("claimed_by IS NULL") == "t");
}

BOOST_AUTO_TEST_CASE(a_handler_that_swallows_its_lost_connection_stores_nothing) {
  std::atomic<int> runs{0};
  OneRun one{[&](Context& context) {
    if (++runs > 1) return test::note(context);
    try {
      end_own_backend(context);
    } catch (const std::exception&) {
    }
    for (int i = 0; i < 6; ++i) {  // 6.4 would reconnect by itself in between
      try {
        test::note(context, "outside of any transaction");
      } catch (const std::exception&) {
      }
    }
  }};
  one.run();
  BOOST_TEST(runs == 2);
  BOOST_TEST(one.world.effects() == 1);
  BOOST_TEST(one.world.db.value("SELECT note FROM effects") == "ran");
}

BOOST_AUTO_TEST_CASE(a_conflict_is_run_again_and_costs_nothing) {
  std::atomic<int> runs{0};
  OneRun one{[&](Context& context) {
    test::note(context);
    if (++runs < 4)
      context.tx().exec("DO $$ BEGIN RAISE EXCEPTION 'again' USING ERRCODE = '40001'; END $$");
  }};
  one.run();
  BOOST_TEST(runs == 4);
  BOOST_TEST(one.world.effects() == 1);
  BOOST_TEST(one.world.finished() == 1);
}

BOOST_AUTO_TEST_CASE(a_conflict_without_end_is_blamed_on_the_job) {
  std::atomic<int> runs{0};
  OneRun one{[&](Context& context) {
    ++runs;
    context.tx().exec("DO $$ BEGIN RAISE EXCEPTION 'again' USING ERRCODE = '40P01'; END $$");
  }};
  one.run();
  BOOST_TEST(runs == 7);
  BOOST_TEST(one.job("attempt") == "1");
}

BOOST_AUTO_TEST_CASE(a_job_that_was_taken_away_is_not_finished_twice) {
  OneRun one{[&](Context& context) {
    test::note(context);
    test::Producer other{one.world.db.url()};
    other.run(
        "UPDATE outbox.jobs SET claimed_by = NULL, claimed_at = NULL, claim_token = claim_token + "
        "1, "
        "run_at = now() + interval '1 hour'");
  }};
  one.run();
  BOOST_TEST(one.world.effects() == 0);
  BOOST_TEST(one.world.finished() == 0);
  BOOST_TEST(one.job("claimed_by IS NULL") == "t");
  BOOST_TEST(one.in_flight == 0U);
  BOOST_TEST(one.world.metric("outboxd_stale_finishes_total", "work") == 1);
}

BOOST_AUTO_TEST_CASE(an_abandoned_task_does_not_run) {
  OneRun one{[](Context& context) { test::note(context); }};
  Bench bench{one.world};
  bench.dispatcher.turn();
  const auto task = bench.take();
  BOOST_TEST_REQUIRE((task != nullptr));
  task->abandoned = true;
  bench.runner.execute(*task);
  BOOST_TEST(!task->settled);
  BOOST_TEST(one.world.effects() == 0);
  bench.bring_back(task);
}

BOOST_AUTO_TEST_CASE(what_an_abandoned_handler_says_is_not_written) {
  engine::TaskPtr task;
  OneRun one{[&](Context&) {
    task->abandoned = true;
    task->stop.request_stop();
    throw std::runtime_error{"told to stop"};
  }};
  Bench bench{one.world};
  bench.dispatcher.turn();
  task = bench.take();
  BOOST_TEST_REQUIRE((task != nullptr));
  bench.runner.execute(*task);
  BOOST_TEST(!task->settled);
  BOOST_TEST(one.world.failures(one.id).empty());
  one.world.db.exec("INSERT INTO outbox.queues (name, paused_at) VALUES ('default', now())");
  bench.bring_back(task);
  bench.dispatcher.turn();
  BOOST_TEST(one.job("attempt") == "0");
  BOOST_TEST(one.job("claimed_by IS NULL") == "t");
}

BOOST_AUTO_TEST_CASE(a_deferred_constraint_that_fails_at_commit_fails_the_job) {
  OneRun one{[](Context& context) { context.tx().exec("INSERT INTO parts VALUES (7)"); }};
  one.world.db.exec(
      "CREATE TABLE wholes (id int PRIMARY KEY);"
      "CREATE TABLE parts (whole int REFERENCES wholes DEFERRABLE INITIALLY DEFERRED)");
  one.run();
  BOOST_TEST(one.world.failures(one.id) == "error");
  BOOST_TEST(one.world.db.value("SELECT sqlstate FROM outbox.job_failures") == "23503");
  BOOST_TEST(one.world.finished() == 0);
  BOOST_TEST(one.job("attempt") == "1");
}

BOOST_AUTO_TEST_CASE(slow_sql_runs_in_the_claimed_lane_and_says_what_it_wants) {
  World world;
  const auto claimed = [&](const std::string& kind, const std::string& statement) {
    world.sql(kind, statement).lane = core::Lane::claimed;
    return world.insert(kind);
  };
  const auto done = claimed("done", "INSERT INTO effects (job, note) VALUES ($2, $3::text)");
  const auto snoozed = claimed("snoozed", "SELECT outbox.snooze('1 hour')");
  const auto discarded = claimed("discarded", "SELECT outbox.discard('never')");
  const auto later = claimed("later", "SELECT outbox.retry_after('1 hour', 'later')");
  const auto wrong = claimed("wrong", "SELECT 1 / 0");
  world.handlers.at("wrong").options.backoff.first = 1h;
  const auto slow = claimed("slow", "SELECT pg_sleep(30)");
  world.handlers.at("slow").options.backoff.first = 1h;
  world.handlers.at("slow").options.timeout = 100ms;
  Bench bench{world};
  BOOST_TEST(eventually(10s, [&] {
    bench.step();
    return world.db.number("SELECT count(*) FROM outbox.jobs WHERE run_at <= now()") == 0;
  }));
  BOOST_TEST(world.db.number("SELECT count(*) FROM effects WHERE note = '1' AND job = " +
                             std::to_string(done)) == 1);
  BOOST_TEST(world.job(snoozed, "attempt") == "0");
  BOOST_TEST(world.dead(discarded) == "discarded: never");
  BOOST_TEST(world.job(later, "last_error") == "later");
  BOOST_TEST(world.failures(wrong) == "error");
  BOOST_TEST(world.failures(slow) == "timeout");
}

BOOST_AUTO_TEST_CASE(history_can_be_switched_off) {
  OneRun one{[](Context& context) { test::note(context); }};
  one.world.queue().history = false;
  one.run();
  BOOST_TEST(one.world.live() == 0);
  BOOST_TEST(one.world.effects() == 1);
  BOOST_TEST(one.world.finished() == 0);
}

BOOST_AUTO_TEST_SUITE_END()
