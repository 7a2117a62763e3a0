// External handlers, which hold no transaction: every answer is written once, many in one
// statement.
#include <future>

#include <boost/test/unit_test.hpp>

#include "engine/finisher.hpp"
#include "support/engine.hpp"

namespace finisher_pgtest {

using namespace outbox;
using namespace std::chrono_literals;
using test::Bench;
using test::eventually;
using test::RunningProcessor;
using test::World;

/// One external job, run once by hand.
struct OneExternal {
  template <class F>
  explicit OneExternal(F handler, const std::string& columns = "", const std::string& values = "") {
    world.external("work", std::move(handler));
    id = world.insert("work", columns, values);
  }
  void run() {
    Bench bench{world};
    bench.step();
    bench.dispatcher.turn();
    BOOST_TEST(bench.dispatcher.in_flight() == 0U);
  }
  World world;
  std::int64_t id{};
};

}  // namespace finisher_pgtest

BOOST_AUTO_TEST_SUITE(finisher_pgtest)

BOOST_AUTO_TEST_CASE(done_finishes_the_job_and_keeps_its_history) {
  OneExternal one{[](ExternalContext& context) { BOOST_TEST(context.job().kind == "work"); }};
  one.run();
  BOOST_TEST(one.world.live() == 0);
  BOOST_TEST(one.world.db.value("SELECT concat_ws(' ', id, kind, attempt, processor_id > 0, slot = "
                                "outbox.day_slot(finished_at)) FROM outbox.finished_jobs") ==
             std::to_string(one.id) + " work 1 t t");
  BOOST_TEST(one.world.metric("outboxd_jobs_finished_total", "work") == 1);
}

BOOST_AUTO_TEST_CASE(the_other_answers_follow_the_rules_of_all_handlers) {
  {
    OneExternal one{[](ExternalContext&) { return ExternalContext::snooze(1h); }};
    one.run();
    BOOST_TEST(one.world.job(one.id, "attempt || ' ' || (run_at > now() + interval '50 min')") ==
               "0 true");
  }
  {
    OneExternal one{[](ExternalContext&) { return ExternalContext::discard("no such address"); }};
    one.run();
    BOOST_TEST(one.world.dead(one.id) == "discarded: no such address");
    BOOST_TEST(one.world.failures(one.id) == "discarded");
  }
  {
    OneExternal one{[](ExternalContext&) -> Outcome { throw std::runtime_error{"no route"}; }};
    one.run();
    BOOST_TEST(one.world.job(one.id, "attempt || ' ' || last_error") == "1 no route");
    BOOST_TEST(one.world.failures(one.id) == "error");
  }
  {
    OneExternal one{[](ExternalContext&) { throw 7; }};
    one.run();
    BOOST_TEST(one.world.job(one.id, "last_error") ==
               "the handler threw something that is not a std::exception");
  }
}

BOOST_AUTO_TEST_CASE(an_expired_job_is_not_run) {
  bool ran = false;
  OneExternal one{[&](ExternalContext&) { ran = true; }, "expires_at", "now() - interval '1 s'"};
  one.run();
  BOOST_TEST(!ran);
  BOOST_TEST(one.world.dead(one.id) == "expired: it expired before it could start");
}

BOOST_AUTO_TEST_CASE(many_answers_share_a_commit) {
  World world;
  world.queue().concurrency = 50;
  world.external("work", [](ExternalContext&) {});
  world.insert_many("work", 100);
  Bench bench{world};
  bench.dispatcher.turn();
  BOOST_TEST_REQUIRE(bench.dispatcher.in_flight() == 100U);
  while (auto task = bench.take()) {
    bench.runner.execute(*task);
    bench.finisher.push(std::move(task));
  }
  BOOST_TEST(bench.finisher.turn() == 100);
  BOOST_TEST(world.db.number("SELECT count(DISTINCT xmin::text) FROM outbox.finished_jobs") == 1);
  BOOST_TEST(world.finished() == 100);
}

BOOST_AUTO_TEST_CASE(a_job_that_was_changed_is_finished_and_one_that_was_taken_away_is_not) {
  World world;
  world.external("work", [](ExternalContext&) {});
  const auto moved = world.insert("work");
  const auto taken = world.insert("work");
  const auto plain = world.insert("work");
  Bench bench{world};
  bench.dispatcher.turn();
  world.db.exec(
      "UPDATE outbox.jobs SET priority = 3 WHERE id = " + std::to_string(moved) +
      "; UPDATE outbox.jobs SET claim_token = claim_token + 1 WHERE id = " + std::to_string(taken));
  bench.run_tasks();
  BOOST_TEST(
      world.db.value("SELECT string_agg(id::text, ' ' ORDER BY id) FROM outbox.finished_jobs") ==
      std::to_string(moved) + " " + std::to_string(plain));
  BOOST_TEST(world.job(taken, "claimed_by IS NOT NULL") == "t");
  BOOST_TEST(world.metric("outboxd_stale_finishes_total", "work") == 1);
}

BOOST_AUTO_TEST_CASE(details_are_kept_with_failures_and_where_it_is_wished_with_the_history) {
  World world;
  world.queue().concurrency = 200;
  int calls = 0;
  world.external("work", [&](ExternalContext&) -> Outcome {
    if (++calls == 1) return Retry{"no paper"};
    return Done{};
  });
  world.insert_many("work", 150);
  Bench bench{world};
  bench.dispatcher.turn();
  int n = 0;
  while (auto task = bench.take()) {
    bench.runner.execute(*task);
    task->detail = R"({"body": ")" + std::string(50'000, 'x') + "\"}";  // 7 MB in all
    task->keep_detail = n++ % 50 != 1;
    bench.finisher.push(std::move(task));
  }
  BOOST_TEST(bench.finisher.turn() == 150);
  BOOST_TEST(world.db.number("SELECT count(*) FROM outbox.job_failures WHERE length(detail ->> "
                             "'body') = 50000") == 1);
  BOOST_TEST(world.db.value("SELECT concat_ws(' ', count(*), count(detail), sum(length(detail ->> "
                            "'body')), count(DISTINCT xmin::text)) FROM outbox.finished_jobs") ==
             "149 146 7300000 2");
}

BOOST_AUTO_TEST_CASE(a_kind_is_paused_in_the_database_before_the_end_of_its_job_is_written) {
  World world;
  world.external("work", [](ExternalContext&) -> Outcome { return Retry{"the answer was 410"}; });
  world.external("other", [](ExternalContext&) {});
  const auto id = world.insert("work");
  Bench bench{world};
  bench.dispatcher.turn();
  auto task = bench.take();
  bench.runner.execute(*task);
  task->pause_kind = "the answer was 410";
  bench.finisher.push(std::move(task));
  world.db.exec("REVOKE EXECUTE ON FUNCTION outbox.pause_kind FROM outbox_runtime");
  auto written = std::async(std::launch::async, [&] { return bench.finisher.turn(); });
  BOOST_TEST(eventually(5s, [&] { return world.metric("outboxd_db_errors_total") >= 1; }));
  BOOST_TEST(bench.plan.all_kinds() == std::vector<std::string>{"other"});
  BOOST_TEST(world.job(id, "claimed_by IS NOT NULL") == "t");
  world.db.exec("GRANT EXECUTE ON FUNCTION outbox.pause_kind TO outbox_runtime");
  BOOST_TEST(written.get() == 1);
  BOOST_TEST(world.job(id, "last_error") == "the answer was 410");
  BOOST_TEST(world.db.value("SELECT concat_ws(' ', k.name, k.paused_why, a.actor, a.action) FROM "
                            "outbox.kinds k, outbox.audit a") ==
             "work the answer was 410 processor " + std::to_string(bench.id()) + " pause");
}

BOOST_AUTO_TEST_CASE(an_abandoned_answer_is_not_written) {
  World world;
  world.external("work", [](ExternalContext&) {});
  const auto id = world.insert("work");
  Bench bench{world};
  bench.dispatcher.turn();
  auto task = bench.take();
  bench.runner.execute(*task);
  task->abandoned = true;
  bench.finisher.push(std::move(task));
  BOOST_TEST(bench.finisher.turn() == 1);
  BOOST_TEST(world.finished() == 0);
  bench.dispatcher.turn();  // gives it back
  BOOST_TEST(world.job(id, "attempt") != "");
}

BOOST_AUTO_TEST_CASE(a_running_processor_runs_each_job_once_whatever_its_connections_suffer) {
  World world;
  std::mutex mutex;
  std::map<std::int64_t, int> runs;
  world.external("work", [&](ExternalContext& context) {
    const std::lock_guard lock{mutex};
    ++runs[context.job().id];
  });
  RunningProcessor processor{world};
  for (int i = 0; i < 20; ++i) {
    world.insert_many("work", 200);
    if (i % 5 == 4) {
      world.db.exec(
          "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = "
          "current_database() AND "
          "application_name LIKE '%finish'");
    }
  }
  BOOST_TEST(eventually(20s, [&] { return world.live() == 0; }));
  BOOST_TEST(world.finished() == 4'000);
  const std::lock_guard lock{mutex};
  BOOST_TEST(runs.size() == 4'000U);
  // A claim keeps its token while its connection is made anew, so nothing runs a second time.
  for (const auto& [id, times] : runs) BOOST_TEST_REQUIRE(times == 1);
}

BOOST_AUTO_TEST_CASE(a_slow_one_among_quick_ones_holds_up_only_itself) {
  World world;
  std::atomic<bool> open{false};
  std::atomic<int> quick{0};
  world.external("work", [&](ExternalContext& context) {
    if (context.job().payload.find("slow") == std::string::npos) {
      ++quick;
      return;
    }
    while (!open) std::this_thread::sleep_for(1ms);
  });
  RunningProcessor processor{world};
  world.insert_many("work", 500);
  BOOST_TEST(eventually(20s, [&] { return world.live() == 0; }));  // now it is known to be quick
  world.db.exec(
      "INSERT INTO outbox.jobs (kind, payload) SELECT 'work', CASE WHEN i = 20 THEN '{\"slow\": "
      "1}'::jsonb "
      "ELSE '{}' END FROM generate_series(1, 500) i");
  BOOST_TEST(eventually(20s, [&] { return world.live() == 1; }));
  BOOST_TEST(quick == 999);
  open = true;
  BOOST_TEST(eventually(20s, [&] { return world.live() == 0; }));
}

BOOST_AUTO_TEST_SUITE_END()
