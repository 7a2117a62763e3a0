// Settings that do not fit together.
#include "config/checks.hpp"

#include "config/bad_config.hpp"

namespace checks_test {

using namespace outbox::config;

}  // namespace checks_test

BOOST_AUTO_TEST_SUITE(checks_test)

BOOST_AUTO_TEST_CASE(settings_that_do_not_fit_together_are_refused_at_one_of_them) {
  expect_refused({
      {kDatabase + "processor:\n  dead_after: 2s\n", 3, 15, "at least 3 heartbeats of 1s",
       "3s or more"},
      {kDatabase + "processor:\n  heartbeat: 4s\n", 3, 14, "dead_after (10s)", "dead_after: 12s"},
      {kDatabase + "processor:\n  heartbeat: 4s\n  dead_after: 11999ms\n", 4, 15, "11999ms", "12s"},
      {kDatabase + "queues: {a: {direct_workers: 5}}\n", 2, 30, "more than concurrency (4)",
       "raise"},
      {kDatabase + "queues: {a: {direct_workers: 2, concurrency: 1}}\n", 2, 30, "(2)", "lower"},
      {kDatabase + "kinds: {k: {backoff: {first: 2h}}}\n", 2, 30, "cap (1h)", "raise cap"},
      {kDatabase + "kinds: {k: {backoff: {cap: 10ms}}}\n", 2, 28, "first (1s)", "lower first"},
      {kDatabase + "kinds: {k: {sql: S, function: a.b}}\n", 2, 31, "second handler", "keep"},
      {kDatabase + "kinds: {k: {function: a.b, exec: {argv: [/x]}}}\n", 2, 28, "beside function",
       "keep one of"},
      {kDatabase + "kinds: {k: {exec: {argv: [/x]}, http: {url: 'http://h'}}}\n", 2, 13,
       "exec: is a second handler, beside http", "keep one of"},
      {kDatabase + "kinds: {k: {exec: {argv: [/x]}, role: r}}\n", 2, 39, "needs sql or function",
       "an http or exec kind"},
      {kDatabase + "kinds: {k: {http: {url: 'http://h'}, lane: direct}}\n", 2, 44,
       "needs sql or function", "an http or exec kind"},
      {kDatabase + "kinds: {k: {role: r}}\n", 2, 19, "needs sql or function", "C++ kind"},
      {kDatabase + "kinds: {k: {lane: claimed}}\n", 2, 19, "needs sql or function", "remove it"},
      {"database: {url: 'a=b', connect_timeout: 1500ms}\n", 1, 41, "whole number of seconds", "5s"},
      {"database: {url: 'a=b', url_env: U}\n", 1, 33, "second source of the url", "keep one"},
      {"database: {url_env: U}\n", 1, 21, "'U' is not set", "variable"},
  });
}

BOOST_AUTO_TEST_CASE(sources_of_one_secret_are_refused_when_there_are_two) {
  const Environment some = [](const std::string&) { return "postgresql://u:s3cret@h/db"; };
  const auto errors = [&](const std::string& text) {
    return format_errors(load_text(text, "c.yaml", some).errors);
  };
  BOOST_TEST(
      errors("database: {url_env: U, password_env: P}\n")
          .find("c.yaml:1:38: database.password_env: is a second source of the password: the url "
                "holds one too") == 0U);
  BOOST_TEST(errors("database: {url: 'password=x', password_env: P}\n").find("c.yaml:1:45: ") ==
             0U);
  BOOST_TEST(errors("database: {url: 'postgres://h?password=x', password_env: P}\n")
                 .find("c.yaml:1:58: ") == 0U);
  BOOST_TEST(
      errors("database: {url: 'a=b', password_env: P, password_file: /x}\n")
          .find("c.yaml:1:56: database.password_file: is a second source of the password, beside "
                "database.password_env") == 0U);
  BOOST_TEST(errors("database: {url: 'a=b', url_env: U}\n").find("c.yaml:1:33: ") == 0U);
}

BOOST_AUTO_TEST_CASE(a_missing_url_is_told_where_it_belongs) {
  const auto place = [](const std::string& text) {
    const Loaded loaded = load_text(text, "c.yaml", {});
    BOOST_REQUIRE(loaded.errors.size() == 1U);
    BOOST_TEST(loaded.errors[0].message == "the database has no url: database.url is missing");
    return std::to_string(loaded.errors[0].line) + ":" + std::to_string(loaded.errors[0].column);
  };
  BOOST_TEST(place("kinds: {}\n") == "1:1");
  BOOST_TEST(place("kinds: {}\ndatabase:\n") == "2:1");
  BOOST_TEST(place("kinds: {}\ndatabase:\n  connect_timeout: 1s\n") == "2:1");
}

// One wrong value must not make a second error out of a default it did not replace.
BOOST_AUTO_TEST_CASE(rules_wait_until_their_values_are_sound) {
  expect_refused({
      {kDatabase + "processor: {heartbeat: 5x, dead_after: 301ms}\n", 2, 24, "unknown unit", ""},
      {kDatabase + "queues: {a: {concurrency: x, direct_workers: 9}}\n", 2, 27, "whole number", ""},
      {kDatabase + "kinds: {k: {backoff: {cap: 1, first: 2h}}}\n", 2, 28, "no unit", ""},
      {kDatabase + "kinds: {k: {sql: [], role: r, lane: direct}}\n", 2, 13, "not a list", ""},
  });
}

BOOST_AUTO_TEST_CASE(a_second_handler_is_told_whatever_else_is_wrong) {
  const Loaded loaded =
      load_text(kDatabase + "kinds: {k: {exec: {argv: [x]}, sql: S}}\n", "c.yaml", {});
  BOOST_REQUIRE(loaded.errors.size() == 2U);
  BOOST_TEST(loaded.errors[0].message == "kinds.k.exec: is a second handler, beside sql");
  BOOST_TEST(loaded.errors[1].message.find("not an absolute path") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
