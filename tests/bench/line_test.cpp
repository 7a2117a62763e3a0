// The numbers that a benchmark prints.
#include "bench/line.hpp"

#include <boost/test/unit_test.hpp>

namespace line_test {

using namespace outbox::bench;

}  // namespace line_test

BOOST_AUTO_TEST_SUITE(line_test)

BOOST_AUTO_TEST_CASE(percentiles_are_values_that_were_measured) {
  BOOST_TEST(percentile({}, 0.5) == 0);
  BOOST_TEST(percentile({7}, 0.99) == 7);
  std::vector<double> values;
  for (int i = 100; i >= 0; --i) values.push_back(i);
  BOOST_TEST(percentile(values, 0) == 0);
  BOOST_TEST(percentile(values, 0.5) == 50);
  BOOST_TEST(percentile(values, 0.99) == 99);
  BOOST_TEST(percentile(values, 1) == 100);
}

BOOST_AUTO_TEST_CASE(times_that_were_not_measured_stay_empty) {
  Line line{.scenario = "s"};
  set_times(line, {});
  BOOST_TEST(!line.p50_ms.has_value());
  set_times(line, {3, 1, 2});
  BOOST_TEST(line.p50_ms.value() == 2);
  BOOST_TEST(line.max_ms.value() == 3);
}

BOOST_AUTO_TEST_CASE(memory_is_told_in_megabytes) {
  BOOST_TEST(rss_mb() > 1);
  BOOST_TEST(rss_mb() < 10'000);
}

BOOST_AUTO_TEST_SUITE_END()
