// The section exec of a kind: what a good one becomes, and what is refused, where.
#include "config/bad_config.hpp"

namespace exec_handler_test {

using namespace outbox::config;
using namespace std::chrono_literals;
namespace core = outbox::core;

// The line under test is the fourth, its value at 3 + the key's length + 2.
std::string with(const std::string& line) {
  return kDatabase + "kinds: {k: {exec: {\n  argv: [/bin/true],\n  " + line + "}}}\n";
}
std::string argv(const std::string& list) {
  return kDatabase + "kinds: {k: {exec: {argv: " + list + "}}}\n";
}

core::ExecHandler good(const std::string& text) {
  const Loaded loaded = load_text(text, "c.yaml", {});
  BOOST_TEST(format_errors(loaded.errors) == "");
  return loaded.options.kinds.at("k").exec.value();
}

}  // namespace exec_handler_test

BOOST_AUTO_TEST_SUITE(exec_handler_test)

BOOST_AUTO_TEST_CASE(every_setting_reaches_its_field) {
  const core::ExecHandler exec = good(kDatabase + R"(kinds:
  k:
    exec:
      argv:
        - /usr/local/bin/thumb
        - --size
        - 200
        - ""
        - |
          two
          lines
      cwd: /srv/app
      umask: 0027
      user: www-data
      env: [PATH, _a1]
      concurrency: 1000
      kill_after: 0s
      done_codes: [0, 255]
      dead_codes: []
      control: last_line
      output_kept: 0
      output_most: 16GiB
      memory: 16MiB
      cpu: 1m
      files: 8
      processes: 1
      file_size: 1KiB
      keep_output: true
)");
  BOOST_TEST((exec.argv == std::vector<std::string>{"/usr/local/bin/thumb", "--size", "200", "",
                                                    "two\nlines\n"}));
  BOOST_TEST(exec.cwd == "/srv/app");
  BOOST_TEST(exec.umask == 027);
  BOOST_TEST(exec.user == "www-data");
  BOOST_TEST((exec.env == std::vector<std::string>{"PATH", "_a1"}));
  BOOST_TEST((exec.concurrency == 1'000 && exec.kill_after == 0s));
  BOOST_TEST((exec.done_codes == std::vector<int>{0, 255}));
  BOOST_TEST(exec.dead_codes.empty());
  BOOST_TEST((exec.control == core::ExecControl::last_line));
  BOOST_TEST((exec.output_kept == 0 && exec.output_most == 16LL << 30U));
  BOOST_TEST((exec.memory == 16LL << 20U && exec.cpu == 60s && exec.files == 8));
  BOOST_TEST((exec.processes == 1 && exec.file_size == 1'024 && exec.keep_output));
}

BOOST_AUTO_TEST_CASE(masks_are_octal_with_quotes_or_without) {
  BOOST_TEST(good(with("umask: \"022\"")).umask == 022);
  BOOST_TEST(good(with("umask: 22")).umask == 022);
  BOOST_TEST(good(with("umask: 0")).umask == 0);
  BOOST_TEST(good(with("umask: 0777")).umask == 0777);
  expect_refused({
      {with("umask: 078"), 4, 10, "'078' is not accepted, expected octal digits from 000 to 777",
       "\"077\""},
      {with("umask: 1000"), 4, 10, "'1000' is not accepted", "umask"},
      {with("umask: -1"), 4, 10, "'-1' is not accepted", "umask"},
      {with("umask: 0o77"), 4, 10, "'0o77' is not accepted", "umask"},
      {with("umask: ''"), 4, 10, "'' is not accepted", "umask"},
      {with("umask: 99999999999999999999"), 4, 10, "is not accepted", "umask"},
      {with("umask: 77777777777777777777"), 4, 10, "is not accepted", "umask"},
  });
}

BOOST_AUTO_TEST_CASE(wrong_programs_are_refused) {
  expect_refused({
      {kDatabase + "kinds: {k: {exec: }}\n", 2, 13, "kinds.k.exec.argv is missing", "write argv:"},
      {kDatabase + "kinds: {k: {exec: {cwd: /}}}\n", 2, 13, "argv is missing", "write argv:"},
      {argv("[]"), 2, 20, "has no item, expected 1 to 64 arguments", "at least one"},
      {argv("/bin/true"), 2, 26, "must be a list, expected 1 to 64 arguments", "- "},
      {argv("[thumb, -x]"), 2, 20, "the program 'thumb' is not an absolute path", "/usr/local"},
      {argv("['']"), 2, 20, "the program '' is not an absolute path", "/usr/local"},
      {argv("[/x, ~]"), 2, 20, "item 2 is no text", "\"null\""},
      {argv("[/x, {a: b}]"), 2, 31, "item 2 is no text", "quote"},
      {argv("[/x, \"a\\0b\"]"), 2, 31, "item 2 has a NUL", "program"},
      {argv("[/x, " + std::string(4'097, 'a') + "]"), 2, 31, "4097 bytes", "payload"},
      {with("cwd: tmp"), 4, 8, "'tmp' is not an absolute path", "from the root"},
      {with("cwd: ''"), 4, 8, "'' is not an absolute path", "from the root"},
      {with("env: [1A]"), 4, 9, "item 1 is not the name of a variable", "no digit first"},
      {with("env: [A=b]"), 4, 9, "item 1 is not the name of a variable", "only its name"},
      {with("env: [HOME, '']"), 4, 15, "item 2 is not the name of a variable", "only its name"},
      {with("env: [OUTBOX_JOB_ID]"), 4, 9, "item 1 is set by outboxd itself", "remove it"},
      {with("user: " + std::string(33, 'u')), 4, 9, "33 characters", "shorten"},
  });
}

BOOST_AUTO_TEST_CASE(wrong_codes_and_limits_are_refused) {
  expect_refused({
      {with("done_codes: []"), 4, 3, "has no item, expected 1 to 64 of 0 to 255", "at least one"},
      {with("done_codes: 0"), 4, 15, "must be a list", "brackets"},
      {with("done_codes: [0, 256]"), 4, 19, "item 2 is not a whole number from 0 to 255", "digits"},
      {with("done_codes: [-1]"), 4, 16, "item 1 is not a whole number", "digits"},
      {with("done_codes: ['0']"), 4, 16, "item 1 is not a whole number", "without quotes"},
      {with("done_codes: [0, 00]"), 4, 19, "item 2 is not a whole number", "digits"},
      {with("dead_codes: [a]"), 4, 16, "item 1 is not a whole number", "digits"},
      {with("dead_codes: [65, 0]"), 4, 3, "0 is one of done_codes, too", "one thing"},
      {with("done_codes: [65]"), 4, 3, "65 is one of done_codes, too", "one thing"},
      {with("control: stdout"), 4, 12, "expected off, last_line or fd3", ""},
      {with("output_kept: 65KiB"), 4, 16, "expected 0 to 64KiB", "64KiB or less"},
      {with("output_most: 0"), 4, 16, "expected 1KiB to 16GiB", "1KiB or more"},
      {with("memory: 1MiB"), 4, 11, "expected 0 (no limit) or 16MiB to 1024GiB", "16MiB or more"},
      {with("memory: 1025GiB"), 4, 11, "is too large", "1024GiB"},
      {with("cpu: 1500ms"), 4, 8, "is not a whole number of seconds", "30s"},
      {with("cpu: 0"), 4, 8, "has no unit", "0s"},
      {with("files: 7"), 4, 10, "expected 8 to 1048576", "8 or more"},
      {with("processes: -1"), 4, 14, "expected 0 to 1048576", "0 or more"},
      {with("concurrency: 1001"), 4, 16, "expected 1 to 1000", "1000 or less"},
      {with("kill_after: 11m"), 4, 15, "expected 0s to 10m", "10m or less"},
  });
}

// A list's own error must not make a second one out of the defaults.
BOOST_AUTO_TEST_CASE(rules_wait_until_lists_are_sound) {
  expect_refused({
      {with("done_codes: [65, x]"), 4, 20, "item 2 is not a whole number", "digits"},
      {argv("[x, [y]]"), 2, 30, "item 2 is no text", "quote"},
  });
}

BOOST_AUTO_TEST_SUITE_END()
