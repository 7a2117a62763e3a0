// How children are ended: at their timeout, at a stop, and when this process is no more. Nothing
// may be left behind.
#include <csignal>
#include <filesystem>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include "handlers/exec.hpp"
#include "support/captured_log.hpp"
#include "support/eventually.hpp"
#include "support/exec.hpp"

namespace exec_end_test {

using namespace outbox;
using namespace std::chrono_literals;
using test::answer_text;
using test::contains;
using test::eventually;
using test::exec_kind;
using test::ExecRig;
using test::lives;
using test::Scripts;

/// Writes its pid to FOLDER/NAME when it is as far as `script` has come.
constexpr const char* kPrelude =
    "here() { echo $$ > \"$1/$2.new\"; mv \"$1/$2.new\" \"$1/$2\"; }\n";

int pid_in(const Scripts& scripts, const std::string& name) {
  BOOST_REQUIRE(eventually(20s, [&] { return std::filesystem::exists(scripts.path(name)); }));
  return std::stoi(scripts.read(name));
}

core::KindOptions script_kind(const Scripts& scripts, const std::string& body) {
  return exec_kind({scripts.add("script", kPrelude + body), scripts.folder()});
}

bool gone(int pid) {
  return eventually(10s, [&] { return !lives(pid); });
}

}  // namespace exec_end_test

BOOST_AUTO_TEST_SUITE(exec_end_test)

BOOST_AUTO_TEST_CASE(at_its_timeout_a_program_is_asked_to_end) {
  const Scripts scripts;
  auto kind = script_kind(scripts,
                          "trap 'echo told >&2; exit 0' TERM; here \"$1\" pid\n"
                          "while :; do sleep 0.01; done");
  kind.timeout = 300ms;
  ExecRig rig{kind};
  const auto task = rig.run();
  // Whatever it says then: it was not done in its time.
  const auto answer = answer_text(*task);
  BOOST_TEST(
      answer.starts_with("timeout: it ran longer than its timeout of 300ms; SIGTERM ended it: "));
  BOOST_TEST(answer.ends_with("told"));
  BOOST_TEST((task->ran >= 300ms));
  BOOST_TEST(contains(rig.events.metrics_text(), R"(how="timeout",kind="report"} 1)"));
}

BOOST_AUTO_TEST_CASE(one_that_ignores_sigterm_is_killed_with_all_its_group) {
  const Scripts scripts;
  auto kind = script_kind(scripts,
                          "trap '' TERM\n"
                          "(sh -c 'echo $$ > \"$0/new\"; mv \"$0/new\" \"$0/grandchild\"; "
                          "while :; do sleep 0.01; done' \"$1\") &\n"
                          "here \"$1\" child; while :; do sleep 0.01; done");
  kind.timeout = 500ms;
  kind.exec->kill_after = 100ms;
  ExecRig rig{kind};
  const auto task = rig.start();
  const int child = pid_in(scripts, "child");
  const int grandchild = pid_in(scripts, "grandchild");
  rig.wait(task);
  BOOST_TEST(contains(answer_text(*task),
                      "timeout: it ran longer than its timeout of 500ms; SIGTERM did not end it "
                      "within 100ms, SIGKILL did"));
  BOOST_TEST(nlohmann::json::parse(task->detail)["signal"] == "SIGKILL");
  BOOST_TEST(gone(child));
  BOOST_TEST(gone(grandchild));
}

BOOST_AUTO_TEST_CASE(one_that_is_stopped_can_still_be_ended) {
  auto kind = exec_kind({"/bin/sh", "-c", "kill -STOP $$"});
  kind.timeout = 200ms;
  ExecRig rig{kind};
  BOOST_TEST(contains(answer_text(*rig.run()), "SIGTERM ended it"));
}

// It holds our pipes open, and is in the group.
BOOST_AUTO_TEST_CASE(what_a_program_leaves_behind_neither_delays_its_end_nor_survives_it) {
  const Scripts scripts;
  ExecRig rig{script_kind(
      scripts,
      "sh -c 'echo $$ > \"$0/new\"; mv \"$0/new\" \"$0/left\"; exec sleep 600' \"$1\" &\n"
      "while ! [ -e \"$1/left\" ]; do sleep 0.01; done; echo bye")};
  const auto task = rig.run();
  BOOST_TEST(answer_text(*task) == "done");
  BOOST_TEST(nlohmann::json::parse(task->detail)["stdout"] == "bye\n");
  BOOST_TEST(gone(pid_in(scripts, "left")));
}

// Out of the group it survives, but it cannot hold up the job.
BOOST_AUTO_TEST_CASE(a_session_of_its_own_that_holds_our_pipes_does_not_delay_the_end) {
  const Scripts scripts;
  ExecRig rig{script_kind(
      scripts,
      "setsid sh -c 'echo $$ > \"$0/new\"; mv \"$0/new\" \"$0/away\"; exec sleep 600' \"$1\" &\n"
      "while ! [ -e \"$1/away\" ]; do sleep 0.01; done; echo bye")};
  BOOST_TEST(answer_text(*rig.run()) == "done");
  const int away = pid_in(scripts, "away");
  BOOST_TEST(lives(away));
  ::kill(away, SIGKILL);
}

BOOST_AUTO_TEST_CASE(abandoned_jobs_come_back_within_the_time_of_a_stop) {
  const Scripts scripts;
  auto kind = script_kind(scripts, "trap '' TERM; here \"$1\" pid; while :; do sleep 0.01; done");
  kind.exec->concurrency = 1;
  kind.exec->kill_after = 10min;
  ExecRig rig{kind};
  const auto running = rig.start();
  const auto waiting = rig.start();
  const int pid = pid_in(scripts, "pid");
  rig.handler->look_for_abandoned();  // nobody is
  running->abandoned = true;
  waiting->abandoned = true;
  const auto start = core::Clock::now();
  rig.handler->look_for_abandoned();
  rig.wait(waiting);
  rig.wait(running);
  BOOST_TEST((core::Clock::now() - start < 5s));  // 300 ms, on a machine that has time
  BOOST_TEST(gone(pid));
}

BOOST_AUTO_TEST_CASE(a_handler_that_goes_away_takes_its_children_with_it) {
  const Scripts scripts;
  int pid = 0;
  {
    ExecRig rig{
        script_kind(scripts, "trap '' TERM; here \"$1\" pid; while :; do sleep 0.01; done")};
    const auto task = rig.start();
    pid = pid_in(scripts, "pid");
    rig.handler.reset();
    BOOST_TEST(!rig.ended(task));
    BOOST_TEST(!lives(pid));
  }
}

BOOST_AUTO_TEST_CASE(children_die_with_their_processor) {
  for (const std::string user : {"", "nobody"}) {  // a change of user makes the kernel forget it
    if (!user.empty() && ::geteuid() != 0) continue;
    const Scripts scripts;
    ::chmod(scripts.folder().c_str(), 0777);
    auto kind = script_kind(scripts, "here \"$1\" pid; while :; do sleep 0.01; done");
    kind.exec->user = user;
    kind.exec->umask = 022;
    const int processor = ::fork();
    if (processor == 0) {
      ExecRig rig{kind};
      (void)rig.start();
      for (;;) ::pause();
    }
    const int pid = pid_in(scripts, "pid");
    BOOST_TEST(lives(pid));
    ::kill(processor, SIGKILL);
    ::waitpid(processor, nullptr, 0);
    BOOST_TEST(gone(pid));
  }
}

BOOST_AUTO_TEST_CASE(many_children_leave_neither_zombies_nor_descriptors) {
  auto kind = exec_kind({"/bin/true"});
  kind.exec->concurrency = 8;
  ExecRig rig{kind};
  rig.wait(rig.start());
  const auto files = test::open_files();
  std::vector<engine::TaskPtr> tasks;
  for (int i = 0; i < 500; ++i) tasks.push_back(rig.start());
  for (const auto& task : tasks) {
    rig.wait(task);
    BOOST_TEST(answer_text(*task) == "done");
  }
  BOOST_TEST(test::open_files() == files);
  BOOST_TEST(::waitpid(-1, nullptr, WNOHANG) == -1);
  BOOST_TEST(errno == ECHILD);
  BOOST_TEST(rig.handler->room().jobs >= 8);
}

// What this machine is short of is not the job's fault.
BOOST_AUTO_TEST_CASE(without_descriptors_a_job_waits_and_is_not_charged) {
  const test::CapturedLog log{"warn", core::LogFormat::human};
  ExecRig rig{exec_kind({"/bin/true"})};
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  const rlimit few{test::open_files() + 2, before.rlim_max};
  ::setrlimit(RLIMIT_NOFILE, &few);
  const auto task = rig.start();
  const bool ended = eventually(20s, [&] { return rig.ended(task); });
  ::setrlimit(RLIMIT_NOFILE, &before);
  BOOST_REQUIRE(ended);
  const auto* undone = std::get_if<store::RanUndone>(&*task->answer);
  BOOST_REQUIRE(undone != nullptr);
  const auto* snooze = std::get_if<Snooze>(&undone->outcome);
  BOOST_REQUIRE(snooze != nullptr);
  BOOST_TEST((snooze->delay >= 1s && snooze->delay <= 2s));
  BOOST_TEST(
      contains(log.text(), "exec_no_room kind=report step=pipe error=\"Too many open files\""));
  const auto room = rig.handler->room();
  BOOST_TEST(room.jobs == 0);  // or the whole backlog would be claimed and snoozed
  BOOST_TEST((room.again > 0ms && room.again <= 1s));
  BOOST_TEST(answer_text(*rig.run()) == "done");
  BOOST_TEST(eventually(5s, [&] { return rig.handler->room().jobs > 0; }));
}

BOOST_AUTO_TEST_SUITE_END()
