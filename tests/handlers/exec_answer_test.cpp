// What ends that are hard to bring about mean; those that are not have real children in exec_test.
#include "handlers/exec_answer.hpp"

#include <cerrno>
#include <csignal>

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include "support/exec.hpp"

namespace exec_answer_test {

using namespace outbox;
using namespace std::chrono_literals;
using handlers::Ending;
using handlers::Tail;
using test::exec_kind;

std::string text(const handlers::ExecAnswer& answer) {
  engine::Task task;
  task.answer = answer.ran;
  return std::string{answer.how} + " " + test::answer_text(task);
}

std::string started(const core::ExecHandler& settings, const char* step, int error) {
  return text(handlers::spawn_answer(settings, "report", {step, error}, 0.5));
}

Ending coded(int code, const std::string& err) {
  Ending ending;
  ending.status.code = code;
  ending.err = Tail{8'192};
  ending.err.add(err);
  return ending;
}

}  // namespace exec_answer_test

BOOST_AUTO_TEST_SUITE(exec_answer_test)

BOOST_AUTO_TEST_CASE(a_start_that_failed_says_what_to_do) {
  auto settings = *exec_kind({"/opt/x"}).exec;
  settings.user = "app";
  settings.cwd = "/data";
  BOOST_TEST(started(settings, "execve", EACCES) ==
             "retry retry: kind report: /opt/x cannot be started: execve: Permission denied; "
             "expected it and its folders to be open to its user");
  BOOST_TEST(started(settings, "execve", ENOEXEC).ends_with("or a script that starts with #!"));
  BOOST_TEST(started(settings, "setuid", EPERM).ends_with("to be root, for `user: app`"));
  BOOST_TEST(
      started(settings, "chdir", EACCES).ends_with("`cwd: /data` to be a folder open to its user"));
  for (const int error : {EAGAIN, ENOMEM, EMFILE, ENFILE})
    BOOST_TEST(started(settings, "clone", error) == "snooze snooze: 1500 ms");
}

BOOST_AUTO_TEST_CASE(a_status_that_somebody_else_took_is_not_taken_for_done) {
  const auto kind = exec_kind({"/opt/x"});
  BOOST_TEST(text(handlers::exec_answer(kind, Ending{}, false))
                 .starts_with("retry retry: somebody else in this process took its exit code"));
}

BOOST_AUTO_TEST_CASE(only_the_last_lines_stand_in_the_text_of_an_error) {
  const auto kind = exec_kind({"/opt/x"});
  std::string err;
  for (int i = 1; i <= 12; ++i) err += "line " + std::to_string(i) + "\n";
  BOOST_TEST(text(handlers::exec_answer(kind, coded(1, err + "\n\n"), false)) ==
             "retry retry: exit code 1: line 3\nline 4\nline 5\nline 6\nline 7\nline 8\nline 9\n"
             "line 10\nline 11\nline 12");
  const auto one = text(handlers::exec_answer(kind, coded(1, std::string(9'000, 'x')), false));
  BOOST_TEST(one.size() == std::string{"retry retry: exit code 1: "}.size() + 2'048);
}

BOOST_AUTO_TEST_CASE(a_tail_does_not_start_within_a_character) {
  auto kind = exec_kind({"/opt/x"});
  kind.exec->output_kept = 5;
  const auto ending = coded(0, "\xC3\xBC\xC3\xBC\xC3\xBC\n");  // üüü
  const auto detail = nlohmann::json::parse(handlers::exec_detail(*kind.exec, ending));
  BOOST_TEST(detail["stderr"] == "\xC3\xBC\xC3\xBC\n");
}

BOOST_AUTO_TEST_CASE(room_that_one_output_leaves_is_the_others) {
  auto kind = exec_kind({"/opt/x"});
  kind.exec->output_kept = 65'536;
  Ending ending;
  ending.out = Tail{65'536};
  ending.err = Tail{65'536};
  ending.out.add(std::string(60'000, 'o'));
  ending.err.add("short");
  auto detail = nlohmann::json::parse(handlers::exec_detail(*kind.exec, ending));
  BOOST_TEST(detail["stdout"].get<std::string>().size() == 31U * 1'024U - 5U);
  BOOST_TEST(detail["stderr"] == "short");
  ending.err.add(std::string(60'000, 'e'));
  detail = nlohmann::json::parse(handlers::exec_detail(*kind.exec, ending));
  BOOST_TEST(detail["stdout"].get<std::string>().size() == 31U * 512U);
  BOOST_TEST(detail["stderr"].get<std::string>().size() == 31U * 512U);
}

BOOST_AUTO_TEST_SUITE_END()
