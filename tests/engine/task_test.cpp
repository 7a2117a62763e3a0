// The two hand-overs between a dispatcher and its runners.
#include "engine/task.hpp"

#include <atomic>
#include <set>
#include <thread>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "support/eventually.hpp"

namespace task_test {

using namespace std::chrono_literals;
using outbox::engine::Inbox;
using outbox::engine::RunQueue;
using outbox::engine::Task;
using outbox::engine::TaskPtr;
using outbox::test::eventually;

TaskPtr task(std::int64_t id) {
  auto made = std::make_shared<Task>();
  made->claimed.job.id = id;
  return made;
}

}  // namespace task_test

BOOST_AUTO_TEST_SUITE(task_test)

BOOST_AUTO_TEST_CASE(tasks_leave_the_run_queue_in_the_order_they_came) {
  RunQueue queue;
  const std::stop_source never;
  queue.push({task(1), task(2), task(3)}, 1);
  BOOST_TEST(queue.take(never.get_token())->claimed.job.id == 1);
  const auto rest = queue.drain();
  BOOST_REQUIRE_EQUAL(rest.size(), 2U);
  BOOST_TEST(rest[0]->claimed.job.id == 2);
  BOOST_TEST(rest[1]->claimed.job.id == 3);
  BOOST_TEST(queue.drain().empty());
}

BOOST_AUTO_TEST_CASE(quick_tasks_are_taken_without_waiting_until_another_one_comes) {
  RunQueue queue;
  BOOST_TEST((queue.take_quick() == nullptr));
  queue.push({task(1), task(2), task(3)}, 1);
  BOOST_TEST((queue.take_quick() == nullptr));
  auto all = queue.drain();
  all[0]->quick = true;
  all[2]->quick = true;
  queue.push({all.begin(), all.end()}, 1);
  BOOST_TEST(queue.take_quick()->claimed.job.id == 1);
  BOOST_TEST((queue.take_quick() == nullptr));  // 2 may take long
  BOOST_TEST(queue.drain().size() == 2U);
}

BOOST_AUTO_TEST_CASE(a_stop_ends_the_wait_for_a_task) {
  RunQueue queue;
  std::atomic<int> answer{-1};
  std::jthread waiter{[&](const std::stop_token& stop) { answer = queue.take(stop) ? 1 : 0; }};
  waiter.request_stop();
  BOOST_TEST(eventually(5s, [&] { return answer == 0; }));
}

BOOST_AUTO_TEST_CASE(every_task_reaches_exactly_one_runner_and_comes_back) {
  RunQueue queue;
  Inbox inbox;
  std::multiset<std::int64_t> back;
  {
    std::vector<std::jthread> runners;
    for (int i = 0; i < 4; ++i) {
      runners.emplace_back([&](const std::stop_token& stop) {
        while (auto taken = queue.take(stop)) inbox.push(std::move(taken));
      });
    }
    for (int id = 0; id < 1'000; id += 2) queue.push({task(id), task(id + 1)}, 2);
    BOOST_TEST(eventually(10s, [&] {
      for (const auto& done : inbox.take()) back.insert(done->claimed.job.id);
      return back.size() >= 1'000;
    }));
  }
  BOOST_TEST(inbox.take().empty());
  BOOST_TEST(back.size() == 1'000U);
  BOOST_TEST((std::set<std::int64_t>{back.begin(), back.end()}.size()) == 1'000U);
}

BOOST_AUTO_TEST_SUITE_END()
