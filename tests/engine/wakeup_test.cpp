// A ring is kept until it is waited for, and waits end.
#include "engine/wakeup.hpp"

#include <atomic>
#include <poll.h>
#include <thread>

#include <boost/test/unit_test.hpp>

#include "support/eventually.hpp"

namespace wakeup_test {

using namespace std::chrono_literals;
using outbox::engine::Wakeup;
using outbox::test::eventually;

bool readable(const Wakeup& wakeup) {
  pollfd waits{wakeup.descriptor(), POLLIN, 0};
  return ::poll(&waits, 1, 0) == 1;
}

}  // namespace wakeup_test

BOOST_AUTO_TEST_SUITE(wakeup_test)

BOOST_AUTO_TEST_CASE(a_ring_before_the_wait_is_not_lost_and_counts_once) {
  const Wakeup wakeup;
  wakeup.notify();
  wakeup.notify();
  BOOST_TEST(readable(wakeup));
  BOOST_TEST(wakeup.wait(10s));
  BOOST_TEST(!wakeup.wait(0ms));
}

BOOST_AUTO_TEST_CASE(a_ring_from_another_thread_ends_the_wait) {
  const Wakeup wakeup;
  std::atomic<int> rung{-1};
  const std::jthread waiter{[&] { rung = wakeup.wait(1min) ? 1 : 0; }};
  wakeup.notify();
  BOOST_TEST(eventually(5s, [&] { return rung == 1; }));
}

BOOST_AUTO_TEST_CASE(clear_forgets_the_ring) {
  const Wakeup wakeup;
  wakeup.notify();
  wakeup.clear();
  BOOST_TEST(!readable(wakeup));
  BOOST_TEST(!wakeup.wait(0ms));
  wakeup.clear();  // nothing to forget: does not wait
}

// Who computes "until then" may be descheduled until then is past.
BOOST_AUTO_TEST_CASE(a_wait_of_less_than_nothing_returns_at_once) {
  const Wakeup wakeup;
  std::atomic<bool> returned{false};
  const std::jthread waiter{[&] {
    (void)wakeup.wait(-3ms);
    returned = true;
  }};
  BOOST_TEST(eventually(2s, [&] { return returned.load(); }));
  wakeup.notify();
}

BOOST_AUTO_TEST_SUITE_END()
