// What follows from an outcome: every case in one table, and the backoff.
#include "core/decide.hpp"

#include <cmath>
#include <ostream>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "core/limits.hpp"

namespace decide_test {

using namespace std::chrono_literals;
using namespace outbox;
using namespace outbox::core;

constexpr Backoff kPlain{.first = 1s, .factor = 2, .cap = 60s, .jitter = 0};

std::string in_words(const Verdict& verdict) {
  return std::visit(overloaded{
                        [](const WriteDone&) -> std::string { return "done"; },
                        [](const WriteRetry& retry) {
                          return "retry " + std::to_string(retry.delay.count()) + " " + retry.error;
                        },
                        [](const WriteSnooze& snooze) {
                          return "snooze " + std::to_string(snooze.delay.count());
                        },
                        [](const WriteDead& dead) {
                          return std::string{"dead "} + dead.reason + " " + dead.error;
                        },
                    },
                    verdict);
}

struct Case {
  Standing standing;
  Outcome outcome;
  std::string expected;
};

}  // namespace decide_test

BOOST_AUTO_TEST_SUITE(decide_test)

BOOST_AUTO_TEST_CASE(what_follows_from_each_outcome) {
  const std::vector<Case> cases{
      {{.attempt = 1, .max_attempts = 3, .claims = 1}, Done{}, "done"},
      {{.attempt = 3, .max_attempts = 3, .claims = 3}, Done{}, "done"},
      {{.attempt = 1, .max_attempts = 3, .claims = 1}, Retry{"why"}, "retry 1000 why"},
      {{.attempt = 2, .max_attempts = 3, .claims = 2}, Retry{"why"}, "retry 2000 why"},
      {{.attempt = 3, .max_attempts = 3, .claims = 3}, Retry{"why"}, "dead attempts why"},
      {{.attempt = 1, .max_attempts = 1, .claims = 1}, Retry{"why"}, "dead attempts why"},
      {{.attempt = 1, .max_attempts = 3, .claims = 1}, Retry{"why", 5ms}, "retry 5 why"},
      {{.attempt = 1, .max_attempts = 3, .claims = 1}, Retry{"why", 0ms}, "retry 0 why"},
      {{.attempt = 1, .max_attempts = 3, .claims = 1}, Retry{"why", -1ms}, "retry 0 why"},
      {{.attempt = 1, .max_attempts = 3, .claims = 1},
       Retry{"why", 24h * 365},
       "retry 2592000000 why"},
      {{.attempt = 3, .max_attempts = 3, .claims = 3}, Retry{"why", 5ms}, "dead attempts why"},
      {{.attempt = 1, .max_attempts = 1, .claims = 1}, Snooze{7ms}, "snooze 7"},
      {{.attempt = 1, .max_attempts = 1, .claims = 1}, Snooze{-7ms}, "snooze 0"},
      {{.attempt = 1, .max_attempts = 1, .claims = 1}, Snooze{24h * 365}, "snooze 2592000000"},
      {{.attempt = 1, .max_attempts = 3, .claims = kClaimsMax - 1}, Snooze{7ms}, "snooze 7"},
      {{.attempt = 1, .max_attempts = 3, .claims = kClaimsMax},
       Snooze{7ms},
       "dead discarded snoozed too often: 10000 claims"},
      {{.attempt = 1, .max_attempts = 3, .claims = kClaimsMax}, Done{}, "done"},
      {{.attempt = 1, .max_attempts = 3, .claims = 1}, Discard{"no use"}, "dead discarded no use"},
  };
  for (std::size_t i = 0; i < cases.size(); ++i) {
    BOOST_TEST_CONTEXT("case " << i) {
      const auto& [standing, outcome, expected] = cases[i];
      BOOST_TEST(in_words(decide(standing, outcome, kPlain, 0.5)) == expected);
    }
  }
}

BOOST_AUTO_TEST_CASE(backoff_doubles_up_to_its_cap) {
  const std::vector<std::pair<int, milliseconds>> expected{
      {1, 1s}, {2, 2s}, {3, 4s}, {6, 32s}, {7, 60s}, {64, 60s}, {1000, 60s}};
  for (const auto& [attempt, delay] : expected)
    BOOST_TEST(backoff_delay(kPlain, attempt, 0.3).count() == delay.count(), "attempt " << attempt);
}

BOOST_AUTO_TEST_CASE(jitter_spreads_evenly_around_the_delay) {
  const Backoff spread{.first = 1s, .factor = 1, .cap = 60s, .jitter = 0.1};
  BOOST_TEST(backoff_delay(spread, 1, 0.0).count() == 900);
  BOOST_TEST(backoff_delay(spread, 1, 0.5).count() == 1000);
  BOOST_TEST(backoff_delay(spread, 1, std::nextafter(1.0, 0.0)).count() == 1100);
}

BOOST_AUTO_TEST_CASE(the_largest_settings_do_not_overflow) {
  const Backoff largest{.first = 24h, .factor = 10, .cap = kDelayMax, .jitter = 0.5};
  for (int attempt = 1; attempt <= 1000; ++attempt) {
    const auto delay = backoff_delay(largest, attempt, std::nextafter(1.0, 0.0));
    BOOST_TEST_REQUIRE(delay.count() > 0);
    BOOST_TEST_REQUIRE((delay <= kDelayMax + kDelayMax / 2));
  }
}

BOOST_AUTO_TEST_SUITE_END()
