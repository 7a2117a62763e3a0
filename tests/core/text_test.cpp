// Any bytes become storable and printable text.
#include "core/text.hpp"

#include <random>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

namespace text_test {

using outbox::core::printable;
using outbox::core::storable;

constexpr std::size_t kEnough = 1'000;

struct Case {
  std::string bytes;
  std::string expected;
};

}  // namespace text_test

BOOST_AUTO_TEST_SUITE(text_test)

BOOST_AUTO_TEST_CASE(good_text_stays_and_each_bad_byte_is_replaced) {
  const std::vector<Case> cases{
      {"", ""},
      {"plain\tand\nlines", "plain\tand\nlines"},
      {"\u00e9 \u20ac \U0001F600", "\u00e9 \u20ac \U0001F600"},
      {"\x7f", "\x7f"},
      {{"a\0b", 3}, "a\uFFFDb"},
      {"\xff\xfe", "\uFFFD\uFFFD"},
      {"a\x80z", "a\uFFFDz"},                  // continues nothing
      {"a\xC3", "a\uFFFD"},                    // ends too early
      {"\xE2\x82z", "\uFFFD\uFFFDz"},          // is cut by another character
      {"\xC0\xAF", "\uFFFD\uFFFD"},            // overlong
      {"\xE0\x80\xAF", "\uFFFD\uFFFD\uFFFD"},  // overlong
      {"\xE0\xA0\x80", "\u0800"},              // the first that needs three
      {"\xED\xA0\x80", "\uFFFD\uFFFD\uFFFD"},  // a surrogate
      {"\xED\x9F\xBF", "\uD7FF"},              // the last before them
      {"\xF4\x8F\xBF\xBF", "\U0010FFFF"},      // the last of all
      {"\xF4\x90\x80\x80", "\uFFFD\uFFFD\uFFFD\uFFFD"},
      {"\xF0\x80\x80\x80", "\uFFFD\uFFFD\uFFFD\uFFFD"},
      {"\xF5\x80\x80\x80", "\uFFFD\uFFFD\uFFFD\uFFFD"},
  };
  for (std::size_t i = 0; i < cases.size(); ++i)
    BOOST_TEST(storable(cases[i].bytes, kEnough) == cases[i].expected, "case " << i);
}

BOOST_AUTO_TEST_CASE(printable_is_one_line_without_control_characters) {
  const std::vector<Case> cases{
      {"plain \u00e9 \U0001F600", "plain \u00e9 \U0001F600"},
      {"a\r\nb\tc", "a  b c"},
      {"\x1b[31mred\x07\x7f", " [31mred  "},
      {"\u0085\u009b", "  "},
      {"\u00a0", "\u00a0"},  // the first after the C1 controls
      {{"a\0b", 3}, "a\uFFFDb"},
      {"\xff", "\uFFFD"},
  };
  for (std::size_t i = 0; i < cases.size(); ++i)
    BOOST_TEST(printable(cases[i].bytes, kEnough) == cases[i].expected, "case " << i);
}

BOOST_AUTO_TEST_CASE(a_cut_text_says_so_and_is_cut_between_characters) {
  BOOST_TEST(storable("0123456789", 10) == "0123456789");
  BOOST_TEST(storable("0123456789a", 10) == "0123 […]");  // the mark has 6 bytes
  BOOST_TEST(storable("\u20ac\u20ac\u20ac\u20ac", 12) == "\u20ac\u20ac\u20ac\u20ac");
  BOOST_TEST(storable("\u20ac\u20ac\u20ac\u20acx", 12) == "\u20ac\u20ac […]");
  BOOST_TEST(storable("\u20ac\u20ac\u20ac\u20acx", 11) == "\u20ac […]");
  BOOST_TEST(storable("0123456789", 3) == "");
  BOOST_TEST(storable("0123456789", 0) == "");
}

BOOST_AUTO_TEST_CASE(whatever_the_bytes_the_result_fits_and_is_stable) {
  std::mt19937 random{20241121};  // NOLINT(cert-msc51-cpp): the same every time
  const std::string alphabet{"a\0\x1b\n\xC3\xA9\xE2\x82\xAC\xED\xA0\xF0\x9F\x98\x80\xff", 16};
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes;
    for (auto length = random() % 40; length > 0; --length)
      bytes += alphabet[random() % alphabet.size()];
    const std::size_t most = random() % 60;
    const auto text = storable(bytes, most);
    BOOST_TEST_REQUIRE(text.size() <= most);
    BOOST_TEST_REQUIRE(text.find('\0') == std::string::npos);
    BOOST_TEST_REQUIRE(storable(text, most) == text);
    const auto line = printable(bytes, most);
    BOOST_TEST_REQUIRE(line.size() <= most);
    BOOST_TEST_REQUIRE(line.find_first_of("\x1b\n") == std::string::npos);
  }
}

BOOST_AUTO_TEST_SUITE_END()
