// What a child gets of this process, and how much it may take: descriptors, signals, rights,
// folder, user, limits.
#include <csignal>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "support/exec.hpp"

namespace exec_limits_test {

using namespace outbox;
using namespace std::chrono_literals;
using test::answer_text;
using test::contains;
using test::exec_kind;
using test::ExecRig;
using test::Scripts;

core::KindOptions shell(const std::string& script) { return exec_kind({"/bin/sh", "-c", script}); }

std::string out_of(const core::KindOptions& kind) {
  ExecRig rig{kind};
  return nlohmann::json::parse(rig.run()->detail)["stdout"];
}

std::string end_of(const core::KindOptions& kind) {
  ExecRig rig{kind};
  return answer_text(*rig.run());
}

/// A value of /proc/self/status of a program that is no shell.
std::string status_of(const core::KindOptions& like, const std::string& key) {
  auto kind = like;
  kind.exec->argv = {"/bin/grep", "-h", "^" + key + ":", "/proc/self/status"};
  const auto line = out_of(kind);
  const auto start = line.find_first_not_of("\t ", key.size() + 1);
  return line.substr(start, line.find_last_not_of('\n') + 1 - start);
}

}  // namespace exec_limits_test

BOOST_AUTO_TEST_SUITE(exec_limits_test)

BOOST_AUTO_TEST_CASE(a_child_has_its_own_descriptors_and_none_of_ours) {
  const int leak = ::fcntl(0, F_DUPFD, 10);  // without O_CLOEXEC, as some library may do it
  BOOST_REQUIRE(leak >= 10);
  auto kind = exec_kind({"/bin/ls", "-1", "/proc/self/fd"});
  // The last one is what ls reads the folder with.
  BOOST_TEST(out_of(kind) == "0\n1\n2\n3\n");
  kind.exec->control = core::ExecControl::fd3;
  BOOST_TEST(out_of(kind) == "0\n1\n2\n3\n4\n");
  ::close(leak);
}

BOOST_AUTO_TEST_CASE(descriptors_of_ours_below_3_do_not_get_in_the_way) {
  const int in = ::dup(0);
  ::close(0);
  const auto seen = out_of(shell("cat; echo out; echo err >&2"));
  ::dup2(in, 0);
  ::close(in);
  BOOST_TEST(seen == "{}out\n");
}

BOOST_AUTO_TEST_CASE(a_child_starts_with_a_clean_slate_of_signals_and_no_way_to_more_rights) {
  const auto kind = shell("");
  const auto before = ::signal(SIGUSR1, SIG_IGN);
  BOOST_TEST(status_of(kind, "SigBlk") == "0000000000000000");
  BOOST_TEST(status_of(kind, "SigIgn") == "0000000000000000");
  ::signal(SIGUSR1, before);
  BOOST_TEST(status_of(kind, "NoNewPrivs") == "1");
}

BOOST_AUTO_TEST_CASE(a_child_leads_a_group_and_a_session_of_its_own) {
  const auto seen = out_of(shell("cut -d ' ' -f 1,5,6 /proc/$$/stat"));
  const auto pid = seen.substr(0, seen.find(' '));
  BOOST_TEST(seen == pid + " " + pid + " " + pid + "\n");
}

BOOST_AUTO_TEST_CASE(folder_and_umask_are_set) {
  const Scripts scripts;
  auto kind = shell("pwd; umask; touch made; stat -c %a made");
  kind.exec->cwd = scripts.folder();
  BOOST_TEST(out_of(kind) == scripts.folder() + "\n0077\n600\n");
  kind.exec->umask = 027;
  BOOST_TEST(out_of(kind) == scripts.folder() + "\n0027\n600\n");
}

BOOST_AUTO_TEST_CASE(a_child_can_be_another_user,
                     *boost::unit_test::precondition([](auto) { return ::geteuid() == 0; })) {
  const passwd* nobody = ::getpwnam("nobody");
  BOOST_REQUIRE(nobody != nullptr);
  const auto uid = std::to_string(nobody->pw_uid);
  const auto gid = std::to_string(nobody->pw_gid);
  auto kind = shell("");
  kind.exec->user = "nobody";
  const auto four = [](const std::string& id) { return id + "\t" + id + "\t" + id + "\t" + id; };
  BOOST_TEST(status_of(kind, "Uid") == four(uid));
  BOOST_TEST(status_of(kind, "Gid") == four(gid));
  BOOST_TEST(status_of(kind, "Groups") == gid + " ");
  BOOST_TEST(status_of(kind, "CapEff") == "0000000000000000");
  auto deaf = shell("trap '' TERM; while :; do sleep 0.01; done");
  deaf.exec->user = "nobody";
  deaf.timeout = 100ms;
  deaf.exec->kill_after = 50ms;
  BOOST_TEST(contains(end_of(deaf), "SIGKILL did"));
}

BOOST_AUTO_TEST_CASE(nothing_runs_as_us_in_place_of_a_user_that_is_not_there) {
  auto kind = shell("");
  kind.exec->user = "no_such_user_here";
  BOOST_CHECK_THROW(ExecRig{kind}, core::Error);
}

// --- limits: each is reached, and said to be

BOOST_AUTO_TEST_CASE(limits_are_as_configured) {
  auto kind = shell("ulimit -c; ulimit -n; ulimit -v; ulimit -t; ulimit -f");
  kind.exec->files = 64;
  kind.exec->memory = 512LL << 20;
  kind.exec->cpu = 7s;
  kind.exec->file_size = 1 << 20;
  BOOST_TEST(out_of(kind) == "0\n64\n524288\n7\n2048\n");
}

BOOST_AUTO_TEST_CASE(memory_is_bounded) {
  auto kind = exec_kind({"/bin/dd", "if=/dev/zero", "of=/dev/null", "bs=200M", "count=1"});
  BOOST_TEST(end_of(kind) == "done");
  kind.exec->memory = 64LL << 20;
  BOOST_TEST(contains(end_of(kind), "retry: exit code 1: /bin/dd: memory exhausted"));
}

BOOST_AUTO_TEST_CASE(processor_time_is_bounded) {
  auto kind = shell("while :; do :; done");
  kind.exec->cpu = 1s;
  BOOST_TEST(end_of(kind) == "retry: killed by SIGXCPU (24); it used more than `cpu: 1s`");
}

BOOST_AUTO_TEST_CASE(descriptors_are_bounded) {
  const Scripts scripts;
  auto kind = exec_kind({"/usr/bin/tee"});
  for (const char* name : {"1", "2", "3", "4", "5", "6", "7", "8", "9"})
    kind.exec->argv.push_back(scripts.path(name));
  BOOST_TEST(end_of(kind) == "done");
  kind.exec->files = 8;
  const auto end = end_of(kind);
  BOOST_TEST_INFO(end);
  BOOST_TEST(contains(end, "retry: exit code 1"));
  BOOST_TEST(contains(end, "Too many open files"));
}

BOOST_AUTO_TEST_CASE(files_are_bounded) {
  const Scripts scripts;
  auto kind =
      exec_kind({"/bin/sh", "-c", "exec head -c 100000 /dev/zero > \"$0\"", scripts.path("large")});
  kind.exec->file_size = 4'096;
  BOOST_TEST(end_of(kind) == "retry: killed by SIGXFSZ (25); a file grew beyond `file_size`");
  BOOST_TEST(scripts.read("large").size() == 4'096U);
}

BOOST_AUTO_TEST_CASE(processes_of_another_user_are_bounded,
                     *boost::unit_test::precondition([](auto) { return ::geteuid() == 0; })) {
  auto kind = shell("for i in 1 2 3 4 5 6 7 8; do sleep 60 & done; echo all");
  kind.exec->user = "nobody";
  kind.exec->processes = 3;
  const auto end = end_of(kind);
  BOOST_TEST(contains(end, "retry: exit code 2"));
  BOOST_TEST(contains(end, "annot fork"));
}

BOOST_AUTO_TEST_SUITE_END()
