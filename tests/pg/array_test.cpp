// Array texts as PostgreSQL's array_in reads them.
#include "pg/array.hpp"

#include <boost/test/unit_test.hpp>

namespace array_test {

using namespace outbox::pg;

}  // namespace array_test

BOOST_AUTO_TEST_SUITE(array_test)

BOOST_AUTO_TEST_CASE(numbers_keep_every_digit) {
  BOOST_TEST(int_array({}) == "{}");
  BOOST_TEST(int_array({-1, 0, 9'223'372'036'854'775'807}) == "{-1,0,9223372036854775807}");
  BOOST_TEST(double_array({}) == "{}");
  BOOST_TEST(double_array({2.0, 0.1, -1.5}) == "{2,0.1,-1.5}");
}

BOOST_AUTO_TEST_CASE(numbers_are_read_back_and_nothing_else_is) {
  using Ints = std::vector<std::int64_t>;
  BOOST_TEST((ints("") == Ints{}));
  BOOST_TEST((ints("{}") == Ints{}));
  BOOST_TEST((ints("{-1,0,9223372036854775807}") == Ints{-1, 0, 9'223'372'036'854'775'807}));
  for (const char* bad : {"{a}", "{1", "{1,,2}", "{9223372036854775808}"})
    BOOST_CHECK_THROW(static_cast<void>(ints(bad)), std::invalid_argument);
}

BOOST_AUTO_TEST_CASE(texts_are_quoted_so_that_none_ends_its_element) {
  BOOST_TEST(text_array({}) == "{}");
  BOOST_TEST(text_array({"a", "b c"}) == R"({"a","b c"})");
  BOOST_TEST(text_array({R"(",\{})", "NULL"}) == R"({"\",\\{}","NULL"})");
}

BOOST_AUTO_TEST_CASE(an_empty_text_is_null_only_when_asked_for) {
  BOOST_TEST(text_array({"", "a"}) == R"({"","a"})");
  BOOST_TEST(text_array({"", "a"}, Empty::is_null) == R"({NULL,"a"})");
}

BOOST_AUTO_TEST_SUITE_END()
