// The breaker's states, by a clock that the test turns.
#include "handlers/breaker.hpp"

#include <boost/test/unit_test.hpp>

namespace breaker_test {

using namespace outbox;
using namespace std::chrono_literals;
using core::Clock;
using handlers::Breaker;
using State = handlers::Breaker::State;

struct Rig {
  core::BreakerOptions options{.least = 4, .window = 10s, .pause = 1s, .pause_most = 4s};
  Breaker breaker{options};
  Clock::time_point now{1h};

  bool answer(bool good) { return breaker.answered(now, good, breaker.sent(now), 0.5); }
  void fail(int times) {
    for (int i = 0; i < times; ++i) (void)answer(false);
  }
};

}  // namespace breaker_test

BOOST_AUTO_TEST_SUITE(breaker_test)

BOOST_AUTO_TEST_CASE(it_opens_when_the_share_of_failures_is_reached_among_enough_answers) {
  Rig rig;
  rig.fail(3);
  BOOST_TEST(rig.breaker.allows(rig.now));
  BOOST_TEST(rig.answer(false));
  BOOST_TEST((rig.breaker.state() == State::open));
  BOOST_TEST(!rig.breaker.allows(rig.now));
  BOOST_TEST((rig.breaker.open_until() == rig.now + 1s));
}

BOOST_AUTO_TEST_CASE(good_answers_keep_it_closed) {
  Rig rig;
  for (int i = 0; i < 100; ++i) {
    (void)rig.answer(true);
    (void)rig.answer(true);
    (void)rig.answer(false);
  }
  BOOST_TEST((rig.breaker.state() == State::closed));
}

BOOST_AUTO_TEST_CASE(failures_of_long_ago_do_not_count) {
  Rig rig;
  for (int i = 0; i < 10; ++i) {
    rig.fail(1);
    rig.now += 4s;
  }
  BOOST_TEST((rig.breaker.state() == State::closed));
  rig.now += 1h;
  rig.fail(3);
  BOOST_TEST((rig.breaker.state() == State::closed));
}

BOOST_AUTO_TEST_CASE(one_probe_at_a_time_and_its_success_closes) {
  Rig rig;
  rig.fail(4);
  rig.now += 1s;
  BOOST_TEST(rig.breaker.allows(rig.now));
  BOOST_TEST(rig.breaker.sent(rig.now));
  BOOST_TEST(!rig.breaker.allows(rig.now));
  // What was sent before it opened says nothing.
  BOOST_TEST(!rig.breaker.answered(rig.now, false, false, 0.5));
  BOOST_TEST(!rig.breaker.answered(rig.now, true, false, 0.5));
  BOOST_TEST(rig.breaker.answered(rig.now, true, true, 0.5));
  BOOST_TEST((rig.breaker.state() == State::closed));
  rig.fail(3);
  BOOST_TEST((rig.breaker.state() == State::closed));
}

BOOST_AUTO_TEST_CASE(failed_probes_double_the_pause_up_to_its_most) {
  Rig rig;
  rig.fail(4);
  for (const auto pause : {2s, 4s, 4s}) {
    rig.now = rig.breaker.open_until();
    BOOST_TEST(rig.answer(false));
    BOOST_TEST((rig.breaker.open_until() == rig.now + pause));
  }
}

BOOST_AUTO_TEST_CASE(a_dropped_probe_lets_another_one_through) {
  Rig rig;
  rig.fail(4);
  rig.now += 1s;
  BOOST_TEST(rig.breaker.sent(rig.now));
  rig.breaker.probe_dropped();
  BOOST_TEST(rig.breaker.allows(rig.now));
  BOOST_TEST(rig.breaker.sent(rig.now));
}

BOOST_AUTO_TEST_CASE(the_pause_is_spread) {
  for (const double spin : {0.0, 0.999}) {
    Rig rig;
    rig.fail(3);
    (void)rig.breaker.answered(rig.now, false, false, spin);
    const auto pause = rig.breaker.open_until() - rig.now;
    BOOST_TEST((pause >= 800ms && pause <= 1200ms));
  }
}

BOOST_AUTO_TEST_CASE(switched_off_it_never_opens) {
  Rig rig;
  rig.options.enabled = false;
  rig.fail(1000);
  BOOST_TEST(rig.breaker.allows(rig.now));
}

BOOST_AUTO_TEST_SUITE_END()
