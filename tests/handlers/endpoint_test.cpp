// How much an endpoint may be asked, by a clock that the test turns.
#include "handlers/endpoint.hpp"

#include <algorithm>
#include <vector>

#include <boost/test/unit_test.hpp>

namespace endpoint_test {

using namespace outbox;
using namespace std::chrono_literals;
using core::Clock;
using handlers::Endpoint;
using Sign = handlers::Endpoint::Sign;

core::HttpHandler options(int concurrency, double rate = 0) {
  core::HttpHandler made;
  made.concurrency = concurrency;
  made.rate = rate;
  return made;
}

/// Sends whenever it may, for so long; answers come at once.
std::vector<Clock::time_point> send_all(Endpoint& endpoint, Clock::time_point start,
                                        Clock::duration length) {
  std::vector<Clock::time_point> sent;
  for (auto now = start; now < start + length; now += 1ms) {
    while (endpoint.ready(now)) {
      const auto pass = endpoint.sent(now);
      sent.push_back(now);
      (void)endpoint.ended(now, Sign::good, pass, 1ms, 0.5);
    }
  }
  return sent;
}

}  // namespace endpoint_test

BOOST_AUTO_TEST_SUITE(endpoint_test)

BOOST_AUTO_TEST_CASE(in_no_second_more_than_the_rate) {
  for (const double rate : {1.0, 7.0, 50.0, 333.0, 5'000.0}) {
    const auto settings = options(10'000, rate);
    Endpoint endpoint{settings};
    const auto sent = send_all(endpoint, Clock::time_point{1h}, 5s);
    std::size_t most = 0;
    for (std::size_t first = 0, last = 0; last < sent.size(); ++last) {
      while (sent[last] - sent[first] >= 1s) ++first;
      most = std::max(most, last - first + 1);
    }
    BOOST_TEST(static_cast<double>(most) <= rate, rate << ": " << most);
    BOOST_TEST(static_cast<double>(sent.size()) >= 5 * rate * 0.9, rate << ": " << sent.size());
  }
}

BOOST_AUTO_TEST_CASE(it_starts_slowly_and_doubles_with_each_round_of_good_answers) {
  const auto settings = options(1'000);
  Endpoint endpoint{settings};
  const Clock::time_point now{1h};
  std::vector<int> rounds;
  for (int round = 0; round < 5; ++round) {
    int sent = 0;
    for (; endpoint.ready(now); ++sent) (void)endpoint.sent(now);
    rounds.push_back(sent);
    for (int i = 0; i < sent; ++i) (void)endpoint.ended(now, Sign::good, {}, 1s, 0.5);
  }
  BOOST_TEST(rounds == (std::vector<int>{64, 128, 256, 512, 1'000}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(after_an_outage_it_starts_with_one) {
  auto settings = options(100);
  settings.breaker.least = 5;
  Endpoint endpoint{settings};
  Clock::time_point now{1h};
  for (int i = 0; i < 5; ++i) {
    (void)endpoint.ended(now, Sign::bad, endpoint.sent(now), 0us, 0.5);
  }
  BOOST_TEST(!endpoint.open(now));
  BOOST_TEST(endpoint.room(now, 0) == 0);
  BOOST_TEST((endpoint.again(now) == now + 5s));
  now += 5s;
  BOOST_TEST(endpoint.room(now, 0) == 1);
  BOOST_TEST(endpoint.room(now, 1) == 0);
  const auto pass = endpoint.sent(now);
  BOOST_TEST(pass.probe);
  BOOST_TEST(endpoint.ended(now, Sign::good, pass, 1ms, 0.5).closed);
  int sent = 0;
  for (; endpoint.ready(now); ++sent) (void)endpoint.sent(now);
  BOOST_TEST(sent == 2);
}

/// An endpoint that hangs: what was sent before the breaker opened ends one by one, long after.
BOOST_AUTO_TEST_CASE(what_hangs_from_before_neither_delays_the_probe_nor_counts_after_it) {
  auto settings = options(50);
  settings.breaker.least = 10;
  Endpoint endpoint{settings};
  Clock::time_point now{1h};
  std::vector<Endpoint::Pass> hanging;
  while (endpoint.ready(now)) hanging.push_back(endpoint.sent(now));
  BOOST_REQUIRE_EQUAL(hanging.size(), 50U);
  int held = 50;
  const auto time_out = [&] {
    const auto change = endpoint.ended(now, Sign::bad, hanging.back(), 0us, 0.5);
    hanging.pop_back();
    --held;
    return change;
  };
  for (int i = 0; i < 9; ++i) BOOST_TEST(!time_out().excused);
  BOOST_TEST(time_out().opened);
  BOOST_TEST(time_out().excused);
  now += 5s;
  BOOST_TEST(endpoint.room(now, held) == 1);
  BOOST_TEST(endpoint.ready(now));
  const auto probe = endpoint.sent(now);
  BOOST_TEST(probe.probe);
  BOOST_TEST(endpoint.ended(now, Sign::good, probe, 1s, 0.5).closed);
  BOOST_TEST(endpoint.room(now, held) == 2);
  while (!hanging.empty()) BOOST_TEST(time_out().excused);
  BOOST_TEST((endpoint.breaker() == handlers::Breaker::State::closed));
  BOOST_TEST(endpoint.in_flight() == 0);
}

BOOST_AUTO_TEST_CASE(a_probe_that_fails_is_excused) {
  auto settings = options(50);
  settings.breaker.least = 1;
  Endpoint endpoint{settings};
  Clock::time_point now{1h};
  BOOST_TEST(!endpoint.ended(now, Sign::bad, endpoint.sent(now), 0us, 0.5).excused);
  now += 5s;
  const auto change = endpoint.ended(now, Sign::bad, endpoint.sent(now), 0us, 0.5);
  BOOST_TEST(change.opened);
  BOOST_TEST(change.excused);
}

BOOST_AUTO_TEST_CASE(a_wait_that_it_asked_for_is_kept_but_has_a_limit) {
  const auto settings = options(10);
  Endpoint endpoint{settings};
  const Clock::time_point now{1h};
  endpoint.hold(now, 30s);
  BOOST_TEST(!endpoint.ready(now + 29s));
  BOOST_TEST(endpoint.ready(now + 30s));
  endpoint.hold(now, 24h);
  BOOST_TEST((endpoint.again(now) == now + settings.breaker.pause_most));
}

BOOST_AUTO_TEST_CASE(room_is_what_would_start_soon) {
  const auto settings = options(10, 20);
  Endpoint endpoint{settings};
  const Clock::time_point now{1h};
  BOOST_TEST(endpoint.room(now, 0) == 6);  // one token, and what 250 ms bring
  BOOST_TEST(endpoint.room(now, 6) == 0);
  const auto unlimited = options(10);
  const Endpoint free{unlimited};
  BOOST_TEST(free.room(now, 0) == 10);
  BOOST_TEST(free.room(now, 10) == 0);
}

BOOST_AUTO_TEST_CASE(short_answers_let_some_jobs_wait_ready) {
  const auto settings = options(10);
  Endpoint endpoint{settings};
  const Clock::time_point now{1h};
  for (int i = 0; i < 20; ++i) {
    const auto pass = endpoint.sent(now);
    (void)endpoint.ended(now, Sign::good, pass, 1ms, 0.5);
  }
  BOOST_TEST(endpoint.room(now, 0) == 110);
  BOOST_TEST(endpoint.room(now, 70) == 0);
}

BOOST_AUTO_TEST_SUITE_END()
