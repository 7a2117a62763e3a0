// When to sweep, how much to take, how long to wait.
#include "core/pacing.hpp"

#include <vector>

#include <boost/test/unit_test.hpp>

namespace pacing_test {

using namespace std::chrono_literals;
using namespace outbox::core;

constexpr Clock::time_point kStart{1h};

}  // namespace pacing_test

BOOST_AUTO_TEST_SUITE(pacing_test)

BOOST_AUTO_TEST_CASE(the_first_sweep_is_due_at_once) { BOOST_TEST(SweepPace{}.due(kStart)); }

BOOST_AUTO_TEST_CASE(a_quick_sweep_is_due_again_after_50_ms) {
  SweepPace pace;
  pace.swept(kStart, 100us);
  BOOST_TEST(!pace.due(kStart + 49ms));
  BOOST_TEST(pace.due(kStart + 50ms));
}

BOOST_AUTO_TEST_CASE(a_slow_sweep_takes_a_tenth_of_the_time) {
  SweepPace pace;
  pace.swept(kStart, 200ms);
  BOOST_TEST(!pace.due(kStart + 1'999ms));
  BOOST_TEST(pace.due(kStart + 2s));
}

// A lock, or a network that was away: what came meanwhile must not wait for ten times as long.
BOOST_AUTO_TEST_CASE(a_stall_is_no_slow_index) {
  SweepPace pace;
  pace.swept(kStart, 1ms);
  pace.swept(kStart, 4s);
  BOOST_TEST(pace.due(kStart + 50ms));
  pace.swept(kStart, 4s);
  BOOST_TEST(!pace.due(kStart + 4'999ms));
  BOOST_TEST(pace.due(kStart + 5s));
}

BOOST_AUTO_TEST_CASE(a_sweep_that_somebody_waits_for_still_takes_a_tenth_of_the_time) {
  SweepPace pace;
  pace.swept(kStart, 200us);
  BOOST_TEST(!pace.due(kStart + 1'999us, SweepPace::When::soon));
  BOOST_TEST(pace.due(kStart + 2ms, SweepPace::When::soon));
  BOOST_TEST(!pace.due(kStart + 2ms));
  pace.swept(kStart, 200ms);
  pace.swept(kStart, 200ms);
  BOOST_TEST(!pace.due(kStart + 1'999ms, SweepPace::When::soon));
}

BOOST_AUTO_TEST_CASE(full_short_groups_grow_up_to_the_most) {
  GroupSize size;
  std::vector<int> sizes;
  for (int i = 0; i < 5; ++i) {
    sizes.push_back(size.value());
    size.handled(size.value(), 1ms);
  }
  BOOST_TEST(sizes == (std::vector{8, 16, 32, 50, 50}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_group_that_was_not_full_says_nothing_about_a_larger_one) {
  GroupSize size;
  size.handled(7, 1ms);
  BOOST_TEST(size.value() == 8);
}

BOOST_AUTO_TEST_CASE(between_half_the_target_and_the_target_nothing_changes) {
  GroupSize size;
  size.handled(8, kGroupTarget / 2);
  BOOST_TEST(size.value() == 8);
  size.handled(8, kGroupTarget);
  BOOST_TEST(size.value() == 8);
}

BOOST_AUTO_TEST_CASE(long_groups_shrink_down_to_one) {
  GroupSize size;
  std::vector<int> sizes;
  for (int i = 0; i < 5; ++i) {
    size.handled(1, kGroupTarget + 1ms);
    sizes.push_back(size.value());
  }
  BOOST_TEST(sizes == (std::vector{4, 2, 1, 1, 1}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(after_shrinking_to_one_a_group_grows_again) {
  GroupSize size;
  size.shrink_to_one();
  BOOST_TEST(size.value() == 1);
  size.handled(1, 1ms);
  BOOST_TEST(size.value() == 2);
}

BOOST_AUTO_TEST_CASE(waits_double_up_to_8_ms_and_start_again_after_work) {
  IdleWait wait;
  std::vector<long> waits;
  for (int i = 0; i < 6; ++i) waits.push_back(wait.next().count());
  wait.worked();
  waits.push_back(wait.next().count());
  BOOST_TEST(waits == (std::vector<long>{1, 2, 4, 8, 8, 8, 1}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(short_jobs_are_claimed_ahead_within_bounds_and_long_ones_are_not) {
  BOOST_TEST(jobs_ahead(4, false, microseconds{0}) == 4);  // not known yet
  BOOST_TEST(jobs_ahead(4, true, microseconds{0}) == kAheadMost);
  BOOST_TEST(jobs_ahead(4, true, microseconds{100}) == 400);  // 10 ms for each of four
  BOOST_TEST(jobs_ahead(4, true, microseconds{15'000}) == 4);
  BOOST_TEST(jobs_ahead(4, true, microseconds{20'001}) == 0);
  BOOST_TEST(jobs_ahead(256, true, microseconds{19'000}) == 256);
}

BOOST_AUTO_TEST_CASE(the_mean_starts_with_the_first_job_and_follows_the_last_ones) {
  MeanTime mean;
  BOOST_TEST((mean.value() == 0us));
  mean.add(1'000us);
  BOOST_TEST((mean.value() == 1'000us));
  mean.add(17'000us);
  BOOST_TEST((mean.value() == 2'000us));
  for (int i = 0; i < 200; ++i) mean.add(50'000us);
  BOOST_TEST(mean.value().count() > 49'900);
  BOOST_TEST(mean.value().count() <= 50'000);
}

BOOST_AUTO_TEST_SUITE_END()
