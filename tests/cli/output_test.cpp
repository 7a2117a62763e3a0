// Moments, durations and tables.
#include "cli/output.hpp"

#include <algorithm>

#include <boost/test/unit_test.hpp>

namespace output_test {

using namespace outbox::cli;
using outbox::store::Moment;
using namespace std::chrono_literals;

Moment at(std::int64_t us) { return Moment{std::chrono::microseconds{us}}; }

}  // namespace output_test

BOOST_AUTO_TEST_SUITE(output_test)

BOOST_AUTO_TEST_CASE(moments_are_iso_8601_in_utc) {
  BOOST_TEST(iso(at(0)) == "1970-01-01T00:00:00.000000Z");
  BOOST_TEST(iso(at(1'794'391'445'000'012)) == "2026-11-11T10:04:05.000012Z");
  BOOST_TEST(iso(at(-1)) == "1969-12-31T23:59:59.999999Z");
  BOOST_TEST(iso(at(253'402'300'799'000'000)) == "9999-12-31T23:59:59.000000Z");
  BOOST_TEST(iso(at(-62'135'596'800'000'000)) == "0001-01-01T00:00:00.000000Z");
}

BOOST_AUTO_TEST_CASE(moments_for_people_say_how_far_away_they_are) {
  const Moment now = at(1'794'391'445'000'000);
  BOOST_TEST(when(now, now) == "2026-11-11 10:04:05Z, now");
  BOOST_TEST(when(now - 200s, now) == "2026-11-11 10:00:45Z, 3 min 20 s ago");
  BOOST_TEST(when(now + 5h, now) == "2026-11-11 15:04:05Z, in 5 h");
}

BOOST_AUTO_TEST_CASE(durations_have_at_most_two_units) {
  BOOST_TEST(duration(-3) == "0 s");
  BOOST_TEST(duration(59.9) == "59 s");
  BOOST_TEST(duration(61) == "1 min 1 s");
  BOOST_TEST(duration(3'600 * 23 + 59) == "23 h");
  BOOST_TEST(duration(86'400 * 2 + 3'600 * 5) == "2 d 5 h");
  BOOST_TEST(duration(86'400 * 100) == "100 d");
}

BOOST_AUTO_TEST_CASE(tables_align_and_let_no_cell_break_out) {
  Table table{{{"N", Table::Align::right, 10},
               {"NAME", Table::Align::left, 10},
               {"LAST", Table::Align::left, 20}}};
  table.add({"1", "für", "a\nb\x1B[2J"});
  table.add({"22", "averyverylongname", ""});
  const std::string text = table.text();
  BOOST_TEST(text ==
             " N  NAME      LAST\n"
             " 1  für       a b [2J\n"
             "22  aver […]\n");
  BOOST_TEST(text.find('\x1B') == std::string::npos);
  BOOST_TEST(std::count(text.begin(), text.end(), '\n') == 3);
}

BOOST_AUTO_TEST_CASE(ids_are_strings_in_json) {
  BOOST_TEST(document({{"id", json_id(9'007'199'254'740'993)}}) ==
             "{\n  \"id\": \"9007199254740993\"\n}\n");
  BOOST_TEST(json_text("").is_null());
}

BOOST_AUTO_TEST_SUITE_END()
