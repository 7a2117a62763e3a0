// Jobs of async handlers in the claimed lane: claimed as there is room, without a thread each.
#include <deque>
#include <mutex>
#include <set>

#include <boost/test/unit_test.hpp>

#include "core/limits.hpp"
#include "engine/async_handler.hpp"
#include "support/engine.hpp"

namespace outside_pgtest {

using namespace outbox;
using namespace std::chrono_literals;
using engine::TaskPtr;
using test::Bench;
using test::eventually;
using test::World;

/// Keeps what it is given until the test answers.
class Desk final : public engine::AsyncHandler {
 public:
  Room room() override {
    const std::lock_guard lock{mutex_};
    return {most_ - static_cast<int>(held_.size()), 20ms, turns_};
  }
  void start(TaskPtr task, Ended ended) override {
    const std::lock_guard lock{mutex_};
    bytes_ += task->claimed.job.payload.size();
    held_.emplace_back(std::move(task), std::move(ended));
  }
  void look_for_abandoned() override {
    std::deque<Held> gone;
    {
      const std::lock_guard lock{mutex_};
      gone.swap(held_);
    }
    for (auto& [task, ended] : gone) {
      if (!task->abandoned) {
        const std::lock_guard lock{mutex_};
        held_.emplace_back(std::move(task), std::move(ended));
        continue;
      }
      task->answer = store::undone(Retry{"given up"});
      ended(std::move(task));
    }
  }

  void set_most(int most) {
    const std::lock_guard lock{mutex_};
    most_ = most;
  }
  /// Without room one more waits for its turn.
  void take_turns() {
    const std::lock_guard lock{mutex_};
    turns_ = true;
  }
  [[nodiscard]] std::size_t held() const {
    const std::lock_guard lock{mutex_};
    return held_.size();
  }
  [[nodiscard]] std::size_t bytes() const {
    const std::lock_guard lock{mutex_};
    return bytes_;
  }
  [[nodiscard]] TaskPtr oldest() const {
    const std::lock_guard lock{mutex_};
    return held_.front().first;
  }
  /// Answers the oldest; false: there is none.
  bool answer(store::Ran ran = store::RanDone{}) {
    Held one;
    {
      const std::lock_guard lock{mutex_};
      if (held_.empty()) return false;
      one = std::move(held_.front());
      held_.pop_front();
      bytes_ -= one.first->claimed.job.payload.size();
    }
    one.first->answer = std::move(ran);
    one.second(std::move(one.first));
    return true;
  }
  void answer_all() {
    while (answer()) {
    }
  }

 private:
  using Held = std::pair<TaskPtr, Ended>;
  mutable std::mutex mutex_;
  int most_{100};
  bool turns_{false};
  std::deque<Held> held_;
  std::size_t bytes_{0};
};

std::shared_ptr<Desk> desk(World& world, const std::string& kind) {
  auto made = std::make_shared<Desk>();
  world.handlers[kind].run = std::static_pointer_cast<engine::AsyncHandler>(made);
  return made;
}

/// Of 960 kB each.
void insert_80_large(World& world) {
  world.db.exec(
      "INSERT INTO outbox.jobs (kind, payload) SELECT 'hook', to_jsonb(repeat(md5(g::text), "
      "30000)) "
      "FROM generate_series(1, 80) g");
}

std::int64_t claimed(World& world) {
  return world.db.number("SELECT count(*) FROM outbox.jobs WHERE claimed_by IS NOT NULL");
}

}  // namespace outside_pgtest

BOOST_AUTO_TEST_SUITE(outside_pgtest)

BOOST_AUTO_TEST_CASE(many_are_under_way_although_the_queue_has_one_thread) {
  World world;
  world.queue().concurrency = 1;
  const auto hook = desk(world, "hook");
  hook->set_most(1'200);
  world.insert_many("hook", 1'000);
  Bench bench{world};
  for (int i = 0; i < 4; ++i) bench.dispatcher.turn();
  BOOST_TEST(hook->held() == 1'000U);
  BOOST_TEST(bench.dispatcher.in_flight() == 1'000U);
  hook->answer_all();
  for (int i = 0; i < 3; ++i) bench.finisher.turn();
  bench.dispatcher.turn();
  BOOST_TEST(bench.dispatcher.in_flight() == 0U);
  BOOST_TEST(world.finished() == 1'000);
  BOOST_TEST(world.live() == 0);
  BOOST_TEST((bool{engine::SoloGate::Entry{bench.solo}}));
}

BOOST_AUTO_TEST_CASE(a_kind_without_room_is_left_alone_and_the_others_go_on) {
  World world;
  const auto slow = desk(world, "slow");
  const auto fast = desk(world, "fast");
  slow->set_most(2);
  world.insert_many("slow", 10);
  world.insert_many("fast", 10);
  world.cpp("plain", [](Context& context) { test::note(context); });
  world.insert_many("plain", 3);
  Bench bench{world};
  bench.step(3);
  BOOST_TEST(slow->held() == 2U);
  BOOST_TEST(fast->held() == 10U);
  BOOST_TEST(world.effects() == 3);
  BOOST_TEST(claimed(world) == 12);
  // What had no room is not behind the place where the others were found.
  fast->answer_all();
  slow->set_most(10);
  bench.finisher.turn();
  bench.step();
  BOOST_TEST(slow->held() == 10U);
}

BOOST_AUTO_TEST_CASE(a_failure_is_retried_and_kept_like_any_other) {
  World world;
  const auto hook = desk(world, "hook");
  const auto id = world.insert("hook");
  Bench bench{world};
  bench.dispatcher.turn();
  BOOST_REQUIRE(hook->answer(store::RanUndone{Retry{"the answer was 500"}, "error", {}}));
  bench.finisher.turn();
  bench.dispatcher.turn();
  BOOST_TEST(world.job(id, "attempt") == "1");
  BOOST_TEST(world.job(id, "last_error") == "the answer was 500");
  BOOST_TEST(world.failures(id) == "error");
}

BOOST_AUTO_TEST_CASE(large_payloads_come_along_one_by_one_within_a_bound) {
  World world;
  const auto hook = desk(world, "hook");
  world.queue().concurrency = 1;
  insert_80_large(world);
  Bench bench{world};
  bench.dispatcher.turn();
  bench.dispatcher.turn();
  BOOST_TEST(hook->bytes() >= core::kOutsideBytes);
  BOOST_TEST(hook->bytes() < core::kOutsideBytes + 1'100'000);
  BOOST_TEST(bench.dispatcher.in_flight() == 80U);
  int turns = 0;
  while (world.live() > 0 && ++turns < 100) {
    hook->answer_all();
    bench.finisher.turn();
    bench.dispatcher.turn();
  }
  BOOST_TEST(world.finished() == 80);
}

BOOST_AUTO_TEST_CASE(a_large_job_that_is_ours_no_more_is_dropped) {
  World world;
  const auto hook = desk(world, "hook");
  hook->set_most(200);
  insert_80_large(world);
  Bench bench{world};
  bench.dispatcher.turn();
  bench.dispatcher.turn();
  world.db.exec("DELETE FROM outbox.jobs");
  hook->answer_all();
  for (int i = 0; i < 5; ++i) {
    bench.finisher.turn();
    bench.dispatcher.turn();
  }
  BOOST_TEST(hook->held() == 0U);
  BOOST_TEST(bench.dispatcher.in_flight() == 0U);
  BOOST_TEST(world.finished() == 0);
}

BOOST_AUTO_TEST_CASE(the_fence_gives_back_what_is_under_way_uncharged) {
  World world;
  const auto hook = desk(world, "hook");
  const auto id = world.insert("hook");
  Bench bench{world};
  bench.dispatcher.turn();
  BOOST_REQUIRE(hook->held() == 1U);
  bench.dispatcher.fence();
  bench.dispatcher.turn();
  bench.finisher.turn();
  hook->set_most(0);
  BOOST_TEST(eventually(5s, [&] {
    bench.dispatcher.turn();
    return claimed(world) == 0;
  }));
  BOOST_TEST(world.job(id, "attempt") == "0");
  BOOST_TEST(bench.dispatcher.in_flight() == 0U);
}

BOOST_AUTO_TEST_CASE(what_a_dead_processor_had_under_way_need_not_run_one_by_one) {
  World world;
  const auto hook = desk(world, "hook");
  world.insert_many("hook", 60);
  world.db.exec("UPDATE outbox.jobs SET suspect = true, crashes = 1, attempt = 1");
  Bench bench{world};
  bench.dispatcher.turn();
  BOOST_TEST(hook->held() == 60U);
  BOOST_TEST(world.db.number("SELECT max(attempt) FROM outbox.jobs") == 1);
  hook->answer_all();
  bench.finisher.turn();
  bench.dispatcher.turn();
  BOOST_TEST(world.finished() == 60);
}

BOOST_AUTO_TEST_CASE(after_a_failed_group_they_take_their_turn_one_at_a_time) {
  World world;
  const auto hook = desk(world, "hook");
  world.sql("count", "SELECT 1");
  world.insert_many("hook", 3);
  Bench bench{world};
  bench.plan.isolate(2, "a test says so");
  bench.dispatcher.turn();
  bench.dispatcher.turn();
  BOOST_TEST(hook->held() == 1U);
  hook->answer();
  bench.finisher.turn();
  bench.dispatcher.turn();
  bench.dispatcher.turn();
  BOOST_TEST(hook->held() == 1U);
  hook->answer();
  bench.finisher.turn();
  bench.dispatcher.turn();
  bench.dispatcher.turn();
  hook->answer();
  bench.finisher.turn();
  BOOST_TEST(world.finished() == 3);
}

BOOST_AUTO_TEST_CASE(a_processor_falls_asleep_with_jobs_under_way_and_wakes_for_new_ones) {
  World world;
  const auto hook = desk(world, "hook");
  hook->set_most(5);
  test::RunningProcessor one{world};
  world.insert_many("hook", 5);
  BOOST_TEST(eventually(10s, [&] { return hook->held() == 5U; }));
  world.insert_many("hook", 5);
  hook->answer_all();
  BOOST_TEST(eventually(10s, [&] { return hook->held() == 5U; }));
  hook->answer_all();
  BOOST_TEST(eventually(10s, [&] { return world.finished() == 10; }));
  BOOST_TEST(one.stop());
}

BOOST_AUTO_TEST_CASE(a_queue_without_a_job_at_a_full_handler_may_start_one_if_it_takes_turns) {
  World world;
  const auto hook = desk(world, "hook");
  hook->set_most(0);  // another queue's jobs have it all
  world.insert_many("hook", 3);
  Bench bench{world};
  bench.step(2);
  BOOST_TEST(hook->held() == 0U);
  hook->take_turns();
  bench.step(3);
  BOOST_TEST(hook->held() == 1U);
  BOOST_TEST(hook->answer());
  bench.finisher.turn();
  bench.step(3);
  BOOST_TEST(hook->held() == 1U);
  hook->answer_all();
  bench.finisher.turn();
}

BOOST_AUTO_TEST_CASE(who_waits_for_the_database_with_an_answer_hears_of_the_fence) {
  World world;
  const auto hook = desk(world, "hook");
  (void)world.insert("hook");
  Bench bench{world};
  bench.dispatcher.turn();
  BOOST_REQUIRE(hook->held() == 1U);
  const auto task = hook->oldest();
  hook->answer();
  bench.dispatcher.fence();
  bench.dispatcher.turn();
  BOOST_TEST(task->abandoned.load());
  BOOST_TEST(task->stop.stop_requested());  // Settler::pause ends early
  bench.finisher.turn();
  bench.dispatcher.turn();
}

BOOST_AUTO_TEST_CASE(a_stop_gives_back_what_outlasts_its_grace) {
  World world;
  const auto hook = desk(world, "hook");
  world.options.processor.grace = 100ms;
  test::RunningProcessor one{world};
  const auto id = world.insert("hook");
  BOOST_TEST(eventually(10s, [&] { return hook->held() == 1U; }));
  BOOST_TEST(one.stop());
  BOOST_TEST(claimed(world) == 0);
  BOOST_TEST(world.job(id, "attempt") == "0");
}

BOOST_AUTO_TEST_SUITE_END()
