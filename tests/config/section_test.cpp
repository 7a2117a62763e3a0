// Keys that are unknown, double, misplaced or no text, and sections that are no maps.
#include "config/section.hpp"

#include "config/bad_config.hpp"

namespace section_test {

using namespace outbox::config;

}  // namespace section_test

BOOST_AUTO_TEST_SUITE(section_test)

BOOST_AUTO_TEST_CASE(unknown_keys_are_refused_and_the_nearest_is_named) {
  expect_refused({
      {kDatabase + "proccessor: {}\n", 2, 1, "'proccessor' at the top", "did you mean processor?"},
      {kDatabase + "Queues: {}\n", 2, 1, "'Queues'", "did you mean queues?"},
      {kDatabase + "processor: {dead-after: 10s}\n", 2, 13, "in processor", "mean dead_after?"},
      {kDatabase + "processor: {dead: 10s}\n", 2, 13, "'dead'", "mean dead_after?"},
      {kDatabase + "processor: {retention: 10d}\n", 2, 13, "'retention'", "queues.*.retention?"},
      {kDatabase + "heartbeat: 1s\n", 2, 1, "'heartbeat'", "mean processor.heartbeat?"},
      {kDatabase + "xyz: 1s\n", 2, 1, "'xyz'", "known here: database, processor, queues, kinds"},
      {kDatabase + "queues:\n  a:\n    hisotry: true\n", 4, 5, "in queues.a", "mean history?"},
      {kDatabase + "kinds:\n  k:\n    backoff: {jiter: 0}\n", 4, 15, "in kinds.k.backoff",
       "mean jitter?"},
      {kDatabase + "kinds:\n  k: {sqll: x}\n", 3, 7, "in kinds.k", "mean sql?"},
      {kDatabase + "kinds:\n  k: {url: 'https://h'}\n", 3, 7, "in kinds.k", "kinds.*.http.url?"},
      {kDatabase + "kinds:\n  k: {http: {url: 'http://h', breaker: {paus: 1s}}}\n", 3, 41,
       "in kinds.k.http.breaker", "mean pause?"},
      {kDatabase + "kinds:\n  k: {exec: {argv: [/x], argw: 1}}\n", 3, 26, "in kinds.k.exec",
       "mean argv?"},
      {"database:\n  url: dbname=a\n  password: s\n", 3, 3, "in database", "password_env?"},
      {kDatabase + "<<: {log: {}}\n", 2, 1, "'<<'", "known here"},
      {kDatabase + "? log\n: {leve: info}\n", 3, 4, "in log", "mean level?"},
  });
}

BOOST_AUTO_TEST_CASE(double_keys_are_refused_at_the_second) {
  expect_refused({
      {kDatabase + "database: {url: 'dbname=b'}\n", 2, 1, "duplicate key 'database'", "in line 1"},
      {kDatabase + "queues:\n  a: {}\n  b: {}\n  a: {}\n", 5, 3, "'queues.a'", "in line 3"},
      {kDatabase + "log:\n  level: info\n  \"level\": info\n", 4, 3, "'log.level'", "in line 3"},
  });
}

BOOST_AUTO_TEST_CASE(keys_that_are_no_text_are_refused) {
  expect_refused({
      {kDatabase + "? [a]\n: 1\n", 2, 3, "a key must be text, not a list", "'key: value'"},
      {kDatabase + "~: 1\n", 2, 1, "a key must be text, not nothing", "quote"},
      {kDatabase + "queues: {{a: b}: c}\n", 2, 10, "a key must be text, not a map", "'key: value'"},
  });
}

BOOST_AUTO_TEST_CASE(a_section_must_be_a_map) {
  expect_refused({
      {"hello\n", 1, 1, "the file must be a map", "own line"},
      {"- a\n", 1, 1, "the file must be a map", "own line"},
      {kDatabase + "log: info\n", 2, 6, "log: must be a map", "indented"},
      {kDatabase + "log:\n  - level: info\n", 2, 1, "not a list", "indented"},
      {kDatabase + "queues: default\n", 2, 9, "queues: must be a map", "indented"},
      {kDatabase + "queues:\n  default:\n  concurrency: 8\n", 4, 16, "queues.concurrency: must be",
       "indent it below the name"},
      {kDatabase + "kinds:\n  k: SELECT 1\n", 3, 6, "kinds.k: must be a map", "indented"},
  });
}

BOOST_AUTO_TEST_SUITE_END()
