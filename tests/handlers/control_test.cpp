// Two words, strictly read; anything else is either no control or a wrong one.
#include "handlers/control.hpp"

#include <boost/test/unit_test.hpp>

namespace control_test {

using namespace outbox;
using namespace std::chrono_literals;
using handlers::read_control;

std::string problem_of(const std::string& json) {
  std::string problem;
  BOOST_TEST(!read_control(json, problem));
  return problem;
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace control_test

BOOST_AUTO_TEST_SUITE(control_test)

BOOST_AUTO_TEST_CASE(snooze_and_discard_are_read) {
  std::string problem = "old";
  const auto snooze = read_control(R"( {"snooze": "5m"} )", problem);
  BOOST_REQUIRE(snooze);
  BOOST_TEST((std::get<Snooze>(*snooze).delay == 5min));
  BOOST_TEST(problem.empty());
  const auto discard = read_control(R"({"discard": "no such \u0000 customer"})", problem);
  BOOST_REQUIRE(discard);
  BOOST_TEST(std::get<Discard>(*discard).why == "no such \xEF\xBF\xBD customer");
}

BOOST_AUTO_TEST_CASE(what_has_neither_word_is_no_control) {
  for (const std::string text :
       {"", "done", "{", "[]", "{}", "\"snooze\"", R"({"level":"info","message":"sent"})",
        R"({"snooze": "5m"} {"snooze": "5m"})", "\xFF\xFE", R"({"discard": "why")"}) {
    BOOST_TEST_CONTEXT(text) { BOOST_TEST(problem_of(text).empty()); }
  }
  BOOST_TEST(problem_of(R"({"discard": ")" + std::string(5'000, 'x') + R"("})").empty());
  BOOST_TEST(problem_of(std::string(4'000, '[')).empty());
}

BOOST_AUTO_TEST_CASE(a_wrong_control_says_what_was_expected) {
  BOOST_TEST(has(problem_of(R"({"snooze": "5m", "discard": "why"})"),
                 R"(keys discard, snooze; expected {"snooze": "5m"} or)"));
  BOOST_TEST(has(problem_of(R"({"snooze": "5m", "other": 1})"), "keys other, snooze"));
  BOOST_TEST(has(problem_of(R"({"snooze": 5})"), "expected a duration"));
  BOOST_TEST(has(problem_of(R"({"snooze": "5 minutes"})"), "5m"));
  BOOST_TEST(has(problem_of(R"({"snooze": "-5m"})"), "\"snooze\": "));
  BOOST_TEST(has(problem_of(R"({"discard": ""})"), "says why"));
  BOOST_TEST(has(problem_of(R"({"discard": null})"), "says why"));
}

BOOST_AUTO_TEST_SUITE_END()
