// Values of the wrong type, without unit, out of range or of unknown words: where, what and what to
// write instead.
#include "config/reader.hpp"

#include "config/bad_config.hpp"

namespace reader_test {

using namespace outbox::config;

std::string in_queue(const std::string& text) {
  return kDatabase + "queues: {q: {" + text + "}}\n";
}
std::string in_kind(const std::string& text) { return kDatabase + "kinds: {k: {" + text + "}}\n"; }
std::string in_processor(const std::string& text) {
  return kDatabase + "processor:\n  " + text + "\n";
}

}  // namespace reader_test

BOOST_AUTO_TEST_SUITE(reader_test)

BOOST_AUTO_TEST_CASE(durations) {
  expect_refused({
      {in_processor("heartbeat: 30"), 3, 14, "'30' has no unit", "write 30s"},
      {in_processor("heartbeat: 0"), 3, 14, "'0' has no unit", "write 0s"},
      {in_processor("heartbeat: 1.5s"), 3, 14, "from 100ms to 1m", "1500ms"},
      {in_processor("heartbeat: 1 s"), 3, 14, "unknown unit", "write 1s"},
      {in_processor("heartbeat: 99ms"), 3, 14, "99ms is out of range", "write 100ms or more"},
      {in_processor("heartbeat: 61s"), 3, 14, "expected 100ms to 1m", "write 1m or less"},
      {in_processor("heartbeat:"), 3, 3, "processor.heartbeat: has no value", "remove the line"},
      {in_processor("heartbeat: null"), 3, 3, "has no value", "give it a value"},
      {in_processor("heartbeat: ''"), 3, 14, "is not a duration", "units"},
      {in_processor("heartbeat: [1s]"), 3, 3, "must be a duration from 100ms to 1m, not a list",
       "single value"},
      {in_processor("heartbeat: {s: 1}"), 3, 3, "not a map", "single value"},
      {in_processor("grace: 61m"), 3, 10, "expected 0s to 1h", "write 1h or less"},
      {in_processor("poll: 49ms"), 3, 9, "expected 50ms to 1m", "50ms or more"},
      {in_processor("dead_after: 11m"), 3, 15, "expected 300ms to 10m", "10m or less"},
      {in_kind("timeout: 9ms"), 2, 22, "expected 10ms to 1d", "10ms or more"},
      {in_kind("timeout: 25h"), 2, 22, "expected 10ms to 1d", "1d or less"},
      {in_kind("backoff: {first: 0s}"), 2, 30, "expected 1ms to 1d", "1ms or more"},
      {in_kind("backoff: {cap: 31d}"), 2, 28, "expected 1ms to 30d", "30d or less"},
      {"database: {url: 'a=b', connect_timeout: 500ms}\n", 1, 41, "expected 1s to 1m",
       "1s or more"},
      {"database: {url: 'a=b', statement_timeout: 11m}\n", 1, 43, "100ms to 10m", "10m or less"},
  });
}

BOOST_AUTO_TEST_CASE(days) {
  expect_refused({
      {in_queue("retention: 14"), 2, 25, "'14' has no unit", "write 14d"},
      {in_queue("retention: 36h"), 2, 25, "not a whole number of days", "as in 14d"},
      {in_queue("retention: 0d"), 2, 25, "0d is out of range", "1d or more"},
      {in_queue("retention: 31d"), 2, 25, "31d is out of range", "30d or less"},
      {in_processor("dead_retention: 3651d"), 3, 19, "expected 1d to 3650d", "3650d or less"},
  });
}

BOOST_AUTO_TEST_CASE(whole_numbers) {
  expect_refused({
      {in_queue("concurrency: 010"), 2, 27, "'010' is not a whole number from 1 to 256", "zeros"},
      {in_queue("concurrency: 0x10"), 2, 27, "not a whole number", "digits only"},
      {in_queue("concurrency: 1_0"), 2, 27, "not a whole number", "digits only"},
      {in_queue("concurrency: 4.0"), 2, 27, "not a whole number", "digits only"},
      {in_queue("concurrency: 1e2"), 2, 27, "not a whole number", "digits only"},
      {in_queue("concurrency: +4"), 2, 27, "not a whole number", "digits only"},
      {in_queue("concurrency: four"), 2, 27, "not a whole number", "as in 4"},
      {in_queue("concurrency: '4'"), 2, 27, "text in quotes", "remove the quotes"},
      {in_queue("concurrency: 0"), 2, 27, "0 is out of range", "write 1 or more"},
      {in_queue("concurrency: -1"), 2, 27, "-1 is out of range", "write 1 or more"},
      {in_queue("concurrency: 257"), 2, 27, "expected 1 to 256", "write 256 or less"},
      {in_queue("concurrency: 99999999999999999999"), 2, 27, "out of range", "256 or less"},
      {in_queue("concurrency: -99999999999999999999"), 2, 27, "out of range", "1 or more"},
      {in_queue("concurrency: ~"), 2, 14, "has no value", "give it a value"},
      {in_processor("max_crashes: 101"), 3, 16, "expected 1 to 100", "100 or less"},
  });
}

BOOST_AUTO_TEST_CASE(decimal_numbers) {
  expect_refused({
      {in_kind("backoff: {factor: 1e1}"), 2, 31, "'1e1' is not a number from 1 to 10", "decimal"},
      {in_kind("backoff: {factor: .inf}"), 2, 31, "not a number", "decimal"},
      {in_kind("backoff: {factor: 2.}"), 2, 31, "not a number", "as in 2"},
      {in_kind("backoff: {factor: 0.9}"), 2, 31, "0.9 is out of range", "1 or more"},
      {in_kind("backoff: {factor: 10.01}"), 2, 31, "out of range", "10 or less"},
      {in_kind("backoff: {jitter: .5}"), 2, 31, "not a number", "as in 0.1"},
      {in_kind("backoff: {jitter: 10%}"), 2, 31, "not a number", "as in 0.1"},
      {in_kind("backoff: {jitter: -0.1}"), 2, 31, "expected 0 to 0.5", "0 or more"},
      {in_kind("backoff: {jitter: \"0.1\"}"), 2, 31, "text in quotes", "remove the quotes"},
  });
}

BOOST_AUTO_TEST_CASE(words) {
  expect_refused({
      {in_queue("history: yes"), 2, 23, "'yes' is not accepted", "write true"},
      {in_queue("history: on"), 2, 23, "expected true or false", "write true"},
      {in_queue("history: True"), 2, 23, "expected true or false", "write true"},
      {in_queue("history: 1"), 2, 23, "expected true or false", "write true"},
      {in_queue("history: 'true'"), 2, 23, "text in quotes", "remove the quotes"},
      {kDatabase + "log: {level: inf}\n", 2, 14, "expected trace, debug", "did you mean info?"},
      {kDatabase + "log: {format: text}\n", 2, 15, "expected human or json", "one of them"},
      {kDatabase + "log: {format: [json]}\n", 2, 7, "human or json, not a list", "single"},
      {in_kind("sql: S, lane: Direct"), 2, 27, "expected auto, direct", "mean direct?"},
  });
}

BOOST_AUTO_TEST_CASE(texts) {
  expect_refused({
      {in_processor("name: " + std::string(64, 'x')), 3, 9, "has 64 characters", "shorten"},
      {in_processor("name: \"a\\nb\""), 3, 9, "control character", "remove"},
      {in_processor("name: [a]"), 3, 3, "not a list", "single value"},
      {in_kind("sql: ''"), 2, 18, "kinds.k.sql: is empty", "SELECT"},
      {in_kind("sql:"), 2, 13, "has no value", "give it a value"},
      {in_kind("sql: [a]"), 2, 13, "one SQL statement, not a list", "single value"},
      {in_kind("function: post"), 2, 23, "'post' has no schema", "ledger.post"},
      {in_kind("function: a.post($1)"), 2, 23, "without parentheses", "sql: SELECT"},
      {in_kind("function: a.b.c"), 2, 23, "not a function's name", "ledger.post"},
      {in_kind("function: a."), 2, 23, "not a function's name", "ledger.post"},
      {in_kind("function: '\"a.b'"), 2, 23, "not a function's name", "ledger.post"},
      {in_kind("function: 1a.b"), 2, 23, "not a function's name", "ledger.post"},
      {in_kind("sql: S, role: " + std::string(64, 'r')), 2, 27, "has 64 bytes", "CREATE ROLE"},
  });
}

BOOST_AUTO_TEST_CASE(addresses) {
  const auto listen = [](const std::string& text) {
    return kDatabase + "admin: {listen: " + text + "}\n";
  };
  expect_refused({
      {listen("localhost"), 2, 17, "no port", "127.0.0.1:9464"},
      {listen("'localhost:'"), 2, 17, "no port", "127.0.0.1:9464"},
      {listen("h:http"), 2, 17, "no port", "127.0.0.1:9464"},
      {listen("h:080"), 2, 17, "no port", "127.0.0.1:9464"},
      {listen("65536"), 2, 17, "expected 0 to 65535", "free port"},
      {listen("-1"), 2, 17, "expected 0 to 65535", "free port"},
      {listen("\":80\""), 2, 17, "names no address", "0.0.0.0:80"},
      {listen("\"*:80\""), 2, 17, "names no address", "0.0.0.0:80"},
      {listen("\"::1:80\""), 2, 17, "more than one colon", "brackets"},
      {listen("\"[]:80\""), 2, 17, "no IPv6 address", "[::1]"},
      {listen("\"[1.2.3.4]:80\""), 2, 17, "no IPv6 address", "[::1]"},
      {listen("\"a b:80\""), 2, 17, "no host name", "127.0.0.1"},
      {listen("\"\""), 2, 17, "no port", "write off"},
  });
}

BOOST_AUTO_TEST_CASE(names_of_queues_and_kinds) {
  const std::string longest(63, 'q');
  expect_refused({
      {kDatabase + "queues:\n  " + longest + "q: {}\n", 3, 3,
       "has 64 characters, expected at most 63", "choose a name"},
      {kDatabase + "queues:\n  a b: {}\n", 3, 3, "'a b' has a character", "choose a name"},
      {kDatabase + "queues: {'': {}}\n", 2, 10, "is empty", "choose a name"},
      {kDatabase + "kinds:\n  é: {}\n", 3, 3, "kinds: the name 'é'", "choose a name"},
  });
  const Loaded loaded = load_text(kDatabase + "queues:\n  " + longest + ": {}\n", "c.yaml", {});
  BOOST_TEST(format_errors(loaded.errors) == "");
  BOOST_TEST(loaded.options.queues.count(longest) == 1U);
}

BOOST_AUTO_TEST_SUITE_END()
