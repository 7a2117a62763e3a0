// The direct lane computes delays in SQL, the claimed lane in C++: they must be the same.
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "core/decide.hpp"
#include "core/limits.hpp"
#include "support/database.hpp"

namespace backoff_pgtest {

using namespace std::chrono_literals;
using outbox::core::Backoff;
using outbox::core::backoff_delay;
using outbox::test::TestDatabase;

std::string call(const Backoff& backoff, const std::string& attempt) {
  return "round(extract(epoch FROM outbox.backoff(" + attempt + ", " +
         std::to_string(backoff.first.count()) + ", " + std::to_string(backoff.factor) + ", " +
         std::to_string(backoff.cap.count()) + ", " + std::to_string(backoff.jitter) + ")) * 1000)";
}

}  // namespace backoff_pgtest

BOOST_AUTO_TEST_SUITE(backoff_pgtest)

BOOST_AUTO_TEST_CASE(without_jitter_both_give_the_same_delay) {
  TestDatabase test;
  const std::vector<Backoff> settings{
      {.first = 1s, .factor = 2, .cap = 1h, .jitter = 0},
      {.first = 1ms, .factor = 1, .cap = 1ms, .jitter = 0},
      {.first = 7ms, .factor = 1.5, .cap = 10s, .jitter = 0},
      {.first = 24h, .factor = 10, .cap = outbox::core::kDelayMax, .jitter = 0},
  };
  for (const auto& backoff : settings) {
    for (const int attempt : {1, 2, 3, 10, 63, 64, 65, 1000}) {
      BOOST_TEST(test.number("SELECT " + call(backoff, std::to_string(attempt))) ==
                     backoff_delay(backoff, attempt, 0.5).count(),
                 "first " << backoff.first.count() << " ms, attempt " << attempt);
    }
  }
}

BOOST_AUTO_TEST_CASE(with_jitter_both_stay_in_the_same_range_and_use_it) {
  TestDatabase test;
  const Backoff backoff{.first = 1s, .factor = 3, .cap = 1h, .jitter = 0.2};
  const auto delays =
      "WITH d AS (SELECT " + call(backoff, "2") + " AS ms FROM generate_series(1, 2000)) ";
  const auto least = backoff_delay(backoff, 2, 0).count();
  const auto most = backoff_delay(backoff, 2, 1).count();
  const auto lowest = test.number(delays + "SELECT min(ms) FROM d");
  const auto highest = test.number(delays + "SELECT max(ms) FROM d");
  BOOST_TEST(lowest >= least);
  BOOST_TEST(highest <= most);
  BOOST_TEST(lowest < least + (most - least) / 10);
  BOOST_TEST(highest > most - (most - least) / 10);
}

BOOST_AUTO_TEST_SUITE_END()
