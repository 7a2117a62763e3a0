// Durations as text: what is accepted, what is refused and with which advice.
#include "core/duration.hpp"

#include <vector>

#include <boost/test/unit_test.hpp>

namespace duration_test {

using outbox::core::format_duration;
using outbox::core::parse_duration;
using std::chrono::milliseconds;

}  // namespace duration_test

BOOST_AUTO_TEST_SUITE(duration_test)

BOOST_AUTO_TEST_CASE(a_number_with_its_unit_is_read) {
  struct Case {
    const char* text;
    std::int64_t ms;
  };
  const std::vector<Case> cases{{"0s", 0},
                                {"0ms", 0},
                                {"1ms", 1},
                                {"250ms", 250},
                                {"30s", 30'000},
                                {"5m", 300'000},
                                {"1h", 3'600'000},
                                {"14d", 14LL * 86'400'000},
                                {"36500d", 36'500LL * 86'400'000}};
  for (const Case& c : cases) {
    BOOST_TEST_CONTEXT(c.text) {
      const auto parsed = parse_duration(c.text);
      BOOST_REQUIRE(parsed.value.has_value());
      BOOST_TEST(parsed.value->count() == c.ms);
    }
  }
}

BOOST_AUTO_TEST_CASE(anything_else_is_refused_with_advice) {
  struct Case {
    const char* text;
    const char* problem;
    const char* hint;
  };
  const std::vector<Case> cases{
      {"30", "has no unit", "write 30s"},
      {"0", "has no unit", "write 0s"},
      {"", "is not a duration", "units are ms, s, m, h and d, as in 250ms or 30s"},
      {"-5s", "is not a duration", "units are ms, s, m, h and d, as in 250ms or 30s"},
      {"+5s", "is not a duration", "units are ms, s, m, h and d, as in 250ms or 30s"},
      {" 5s", "is not a duration", "units are ms, s, m, h and d, as in 250ms or 30s"},
      {"s", "is not a duration", "units are ms, s, m, h and d, as in 250ms or 30s"},
      {"010s", "has a leading zero", "write it without the leading zero"},
      {"1.5s", "is not a whole number", "use a smaller unit: 1500ms for 1.5s, 90m for 1.5h"},
      {"1m30s", "is more than one number with a unit", "use one unit: 90s for 1m30s"},
      {"5 s", "has an unknown unit", "write 5s"},
      {"5S", "has an unknown unit", "write 5s"},
      {"5sec", "has an unknown unit", "write 5s"},
      {"5min", "has an unknown unit", "write 5m"},
      {"5msec", "has an unknown unit", "write 5ms"},
      {"5Hours", "has an unknown unit", "write 5h"},
      {"5 days", "has an unknown unit", "write 5d"},
      {"5us", "has an unknown unit", "units are ms, s, m, h and d, as in 250ms or 30s"},
      {"5months", "has an unknown unit", "units are ms, s, m, h and d, as in 250ms or 30s"},
      {"36501d", "is too long", "at most 36500d"},
      {"99999999999999999999d", "is too long", "at most 36500d"},
      {"9223372036854775807d", "is too long", "at most 36500d"}};
  for (const Case& c : cases) {
    BOOST_TEST_CONTEXT(c.text) {
      const auto parsed = parse_duration(c.text);
      BOOST_TEST(!parsed.value.has_value());
      BOOST_TEST(parsed.problem == c.problem);
      BOOST_TEST(parsed.hint == c.hint);
    }
  }
  BOOST_TEST(parse_duration("14", "d").hint == "write 14d");
}

BOOST_AUTO_TEST_CASE(the_largest_exact_unit_is_written_and_reads_back) {
  BOOST_TEST(format_duration(milliseconds{0}) == "0s");
  BOOST_TEST(format_duration(milliseconds{1'500}) == "1500ms");
  BOOST_TEST(format_duration(milliseconds{90'000}) == "90s");
  BOOST_TEST(format_duration(milliseconds{120'000}) == "2m");
  BOOST_TEST(format_duration(milliseconds{172'800'000}) == "2d");
  for (std::int64_t ms = 1; ms < 40'000'000'000; ms = ms * 3 + 1) {
    const milliseconds duration{ms};
    BOOST_TEST(parse_duration(format_duration(duration)).value.value().count() == ms);
  }
}

BOOST_AUTO_TEST_SUITE_END()
