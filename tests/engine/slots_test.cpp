// The slots of a queue: never more than there are, given back, in order, and a stop ends the wait.
#include "engine/slots.hpp"

#include <atomic>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "support/eventually.hpp"

namespace slots_test {

using namespace std::chrono_literals;
using outbox::engine::Slots;
using outbox::test::eventually;

}  // namespace slots_test

BOOST_AUTO_TEST_SUITE(slots_test)

BOOST_AUTO_TEST_CASE(no_more_slots_are_out_at_once_than_there_are) {
  Slots slots{3};
  std::atomic<int> now{0};
  std::atomic<int> most{0};
  std::atomic<int> taken{0};
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([&](const std::stop_token& stop) {
        for (int n = 0; n < 200; ++n) {
          const auto slot = slots.take(stop);
          if (!slot) return;
          const int out = ++now;
          int seen = most;
          while (out > seen && !most.compare_exchange_weak(seen, out)) {
          }
          std::this_thread::yield();
          ++taken;
          --now;
        }
      });
    }
    for (auto& thread : threads) thread.join();
  }
  BOOST_TEST(taken == 1'600);
  BOOST_TEST(most <= 3);
}

BOOST_AUTO_TEST_CASE(a_stop_ends_the_wait_without_a_slot) {
  Slots slots{1};
  const std::stop_source never;
  const auto held = slots.take(never.get_token());
  std::atomic<int> answer{-1};
  std::jthread waiter{[&](const std::stop_token& stop) { answer = slots.take(stop) ? 1 : 0; }};
  waiter.request_stop();
  BOOST_TEST(eventually(5s, [&] { return answer == 0; }));
}

BOOST_AUTO_TEST_CASE(who_stopped_waiting_takes_no_slot_with_it) {
  Slots slots{1};
  const std::stop_source never;
  auto held = std::make_unique<Slots::Slot>(slots.take(never.get_token()));
  std::atomic<bool> gave_up{false};
  std::atomic<bool> got{false};
  std::jthread first{[&](const std::stop_token& stop) { gave_up = !slots.take(stop); }};
  std::jthread second{[&](const std::stop_token& stop) { got = bool{slots.take(stop)}; }};
  first.request_stop();
  BOOST_TEST_REQUIRE(eventually(5s, [&] { return gave_up.load(); }));
  held.reset();
  BOOST_TEST(eventually(5s, [&] { return got.load(); }));
  BOOST_TEST(bool{slots.take(never.get_token())});
}

// A direct worker takes its next slot microseconds after it gave back the last one: without turns,
// a runner would wait for as long as the direct lane is busy.
BOOST_AUTO_TEST_CASE(a_slot_goes_to_who_has_waited_longest) {
  Slots slots{1};
  const std::stop_source never;
  auto held = std::make_unique<Slots::Slot>(slots.take(never.get_token()));
  std::mutex mutex;
  std::vector<int> order;
  std::vector<std::jthread> threads;
  for (int i = 0; i < 5; ++i) {
    threads.emplace_back([&, i] {
      const auto slot = slots.take(never.get_token());
      const std::lock_guard lock{mutex};
      order.push_back(i);
    });
    const auto expected = static_cast<std::size_t>(i + 1);
    BOOST_TEST_REQUIRE(eventually(5s, [&] { return slots.waiting() == expected; }));
  }
  held.reset();
  const auto late = slots.take(never.get_token());
  BOOST_TEST(order == (std::vector<int>{0, 1, 2, 3, 4}));
}

BOOST_AUTO_TEST_SUITE_END()
