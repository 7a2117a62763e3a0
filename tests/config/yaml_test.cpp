// What is refused as YAML, before any setting is looked at.
#include "config/yaml.hpp"

#include "config/bad_config.hpp"

namespace yaml_test {

using namespace outbox::config;

}  // namespace yaml_test

BOOST_AUTO_TEST_SUITE(yaml_test)

BOOST_AUTO_TEST_CASE(features_that_hide_what_is_meant_are_refused) {
  expect_refused({
      {kDatabase + "log: &x {level: info}\n", 2, 6, "anchors", "write the value out"},
      {kDatabase + "log: {level: &x info}\n", 2, 14, "anchors", "write the value out"},
      {kDatabase + "log: !!map {level: info}\n", 2, 6, "tags", "alone"},
      {kDatabase + "log: {level: !own info}\n", 2, 14, "tags", "alone"},
      {kDatabase + "log: {level: ! info}\n", 2, 14, "tags", "alone"},
      {kDatabase + "log: {level: !!str 'info'}\n", 2, 14, "tags", "alone"},
      {kDatabase + "log: *x\n", 2, 6, "anchor", "aliases are not accepted"},
      {kDatabase + "---\nlog: {}\n", 2, 1, "second document", "remove '---'"},
      {"---\n---\n" + kDatabase, 2, 1, "second document", "remove '---'"},
      {kDatabase + "...\nlog: {}\n", 3, 1, "after the end", "'...'"},
      {"%YAML 1.2\n---\n" + kDatabase, 1, 1, "directive", "remove it"},
      {kDatabase + "%x\n", 2, 1, "directive", "remove it"},
      {kDatabase + "x: [[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]\n", 2, 19, "deeper than 16",
       "brackets"},
  });
}

BOOST_AUTO_TEST_CASE(an_alias_is_refused_where_it_is_used) {
  const Loaded loaded = load_text(kDatabase + "log: {level: &x info, format: *x}\n", "c.yaml", {});
  BOOST_REQUIRE(loaded.errors.size() == 2U);
  BOOST_TEST(loaded.errors[1].column == 31);
  BOOST_TEST(loaded.errors[1].message == "aliases (*name) are not accepted");
}

BOOST_AUTO_TEST_CASE(broken_syntax_is_refused_with_its_place) {
  expect_refused({
      {kDatabase + "log: level: info\n", 2, 11, "not valid YAML", "needs quotes"},
      {kDatabase + "log: {level: \"info}\n", 2, 14, "quote is never closed", "closing \""},
      {kDatabase + "log: {level: 'info}\n", 2, 14, "quote is never closed", "closing '"},
      {kDatabase + "log:\n\tlevel: info\n", 3, 7, "not valid YAML", "never with tabs"},
      {kDatabase + "log:\n  level: info\n format: json\n", 4, 2, "not valid YAML", "indentation"},
      {kDatabase + "log: {level: info\n", 3, 1, "not valid YAML", "close the {"},
      {kDatabase + "log: [info\n", 3, 1, "not valid YAML", "close the ["},
      {kDatabase + "log: {level: info}}\n", 2, 19, "not valid YAML", "brackets"},
      {kDatabase + "log: {level: \"\\q\"}\n", 2, 17, "escape", "single quotes"},
      {kDatabase + "log: {level: @info}\n", 2, 14, "not valid YAML", "needs quotes"},
      {kDatabase + "log: {level: \"é\" x}\n", 2, 18, "not valid YAML", "close"},
      {kDatabase + "admin:\n  listen: [::1]:80\n", 3, 16, "not valid YAML",
       "closing quote or bracket"},
  });
}

BOOST_AUTO_TEST_CASE(bytes_that_are_no_text_are_refused) {
  expect_refused({
      {std::string{"log: a\nb\0c", 10}, 2, 2, "NUL", "text file"},
      {"log: é \x80\n", 1, 8, "UTF-8", "save the file as UTF-8"},
      {"\xff\xfel", 1, 1, "UTF-8", "UTF-8"},
      {"a: \xc0\xaf", 1, 4, "UTF-8", "UTF-8"},          // overlong
      {"a: \xed\xa0\x80", 1, 4, "UTF-8", "UTF-8"},      // a surrogate
      {"a: \xf4\x90\x80\x80", 1, 4, "UTF-8", "UTF-8"},  // beyond U+10FFFF
      {"a: \xe2\x82", 1, 4, "UTF-8", "UTF-8"},          // cut off
  });
}

BOOST_AUTO_TEST_CASE(columns_count_characters) {
  expect_refused({{kDatabase + "processor: {name: \"äöü€\", pol: 1s}\n", 2, 27, "unknown key 'pol'",
                   "did you mean poll?"}});
}

BOOST_AUTO_TEST_SUITE_END()
