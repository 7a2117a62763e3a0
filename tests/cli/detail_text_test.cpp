// Details for people: readable, bounded, and printable whatever an endpoint or a script said.
#include "cli/detail_text.hpp"

#include <boost/test/unit_test.hpp>

BOOST_AUTO_TEST_SUITE(detail_text_test)

using outbox::cli::detail_lines;

BOOST_AUTO_TEST_CASE(each_member_has_a_line) {
  BOOST_TEST(detail_lines(R"({"status": 503, "body": "try later", "headers": {"a": [1, null]}})") ==
             "  status          503\n  body            try later\n  headers         "
             "{\"a\":[1,null]}\n");
  BOOST_TEST(detail_lines(R"({"body": ""})") == "  body            \n");
  BOOST_TEST(detail_lines("{}") == "");
  BOOST_TEST(detail_lines("") == "");
}

BOOST_AUTO_TEST_CASE(of_many_lines_the_last_ones_are_shown) {
  BOOST_TEST(detail_lines(R"({"stderr": "one\ntwo\n"})") ==
             "  stderr          2 lines:\n    | one\n    | two\n");
  std::string output;
  for (int i = 1; i <= 50; ++i) output += "line " + std::to_string(i) + "\\n";
  const auto text = detail_lines("{\"stdout\": \"" + output + "\"}");
  BOOST_TEST(
      text.starts_with("  stdout          the last 20 of 50 lines (all of it: --json):\n"
                       "    | line 31\n"));
  BOOST_TEST(text.ends_with("    | line 50\n"));
}

BOOST_AUTO_TEST_CASE(no_control_character_gets_through_and_nothing_is_endless) {
  const auto text = detail_lines(
      R"({"body": "\u001b[31mred\u001b]0;title\u0007", "\u001b[2J": "\u009b31m", "stderr": "a\r\n\u001b[1A"})");
  for (const char c : text)
    BOOST_TEST((c == '\n' || static_cast<unsigned char>(c) >= 0x20), "0x" << std::hex << +c);
  BOOST_TEST(text.find("\xC2\x9B") == std::string::npos);
  BOOST_TEST(detail_lines("{\"body\": \"" + std::string(60'000, 'x') + "\"}").size() < 1'000U);
  BOOST_TEST(detail_lines(std::string(60'000, 'x')).size() < 1'000U);
  BOOST_TEST(detail_lines(R"({"n": 1e999999})") == "  detail          {\"n\": 1e999999}\n");
}

BOOST_AUTO_TEST_SUITE_END()
