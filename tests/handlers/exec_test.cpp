// Jobs that are programs: what goes in, what comes out, and what each end means. Real children.
#include "handlers/exec.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include "support/eventually.hpp"
#include "support/exec.hpp"

namespace exec_test {

using namespace outbox;
using namespace std::chrono_literals;
using test::answer_text;
using test::contains;
using test::eventually;
using test::exec_kind;
using test::ExecRig;
using test::Scripts;

core::KindOptions shell(const std::string& script) { return exec_kind({"/bin/sh", "-c", script}); }

nlohmann::json detail(const engine::TaskPtr& task) { return nlohmann::json::parse(task->detail); }

}  // namespace exec_test

BOOST_AUTO_TEST_SUITE(exec_test)

BOOST_AUTO_TEST_CASE(a_program_gets_its_payload_and_code_0_is_done) {
  const Scripts scripts;
  const auto script = scripts.add("keep", "cat > \"$1\"; echo written; echo fine >&2");
  ExecRig rig{exec_kind({script, scripts.path("seen")})};
  const auto task = rig.run(R"({"to": "ann", "text": "$(reboot) `x` \"ü\""})");
  BOOST_TEST(answer_text(*task) == "done");
  BOOST_TEST(scripts.read("seen") == task->claimed.job.payload);
  const auto kept = detail(task);
  BOOST_TEST(kept["exit"] == 0);
  BOOST_TEST(kept["stdout"] == "written\n");
  BOOST_TEST(kept["stderr"] == "fine\n");
  BOOST_TEST(kept["stdout_bytes"] == 8);
  BOOST_TEST(kept["stderr_bytes"] == 5);
  BOOST_TEST(kept.contains("ms"));
  BOOST_TEST(!task->keep_detail);
  BOOST_TEST(task->started == 0);
  BOOST_TEST(task->ran.count() > 0);
}

BOOST_AUTO_TEST_CASE(each_code_has_its_meaning) {
  const auto end_of = [](const std::string& script, auto change) {
    auto kind = shell(script);
    change(*kind.exec);
    ExecRig rig{kind};
    return answer_text(*rig.run());
  };
  const auto usual = [](core::ExecHandler&) {};
  BOOST_TEST(end_of("exit 0", usual) == "done");
  BOOST_TEST(end_of("echo no such customer >&2; exit 65", usual) ==
             "discard: exit code 65: no such customer");
  BOOST_TEST(end_of("exit 75", usual) == "retry: exit code 75");
  BOOST_TEST(end_of("echo only stdout; exit 1", usual) == "retry: exit code 1: only stdout");
  const auto other = [](core::ExecHandler& exec) {
    exec.done_codes = {0, 3};
    exec.dead_codes = {1, 2};
  };
  BOOST_TEST(end_of("exit 3", other) == "done");
  BOOST_TEST(end_of("exit 2", other) == "discard: exit code 2");
  BOOST_TEST(end_of("exit 65", other) == "retry: exit code 65");
}

BOOST_AUTO_TEST_CASE(a_crash_is_told_with_its_signal) {
  ExecRig rig{shell("echo before >&2; kill -SEGV $$")};
  const auto task = rig.run();
  BOOST_TEST(answer_text(*task) == "retry: killed by SIGSEGV (11); core dumps are off: before");
  BOOST_TEST(detail(task)["signal"] == "SIGSEGV");
  BOOST_TEST(!detail(task).contains("exit"));
  const auto metrics = rig.events.metrics_text();
  BOOST_TEST(contains(metrics, R"(outboxd_exec_ends_total{how="signal",kind="report"} 1)"));
  BOOST_TEST(contains(metrics, R"(outboxd_exec_running{kind="report"} 0)"));
}

BOOST_AUTO_TEST_CASE(a_program_that_cannot_be_started_is_told_by_step_and_name) {
  const Scripts scripts;
  const auto end_of = [](const core::KindOptions& kind) {
    ExecRig rig{kind};
    return answer_text(*rig.run());
  };
  BOOST_TEST(end_of(exec_kind({scripts.path("none")})) ==
             "retry: kind report: " + scripts.path("none") +
                 " cannot be started: execve: No such file or directory; expected a program there, "
                 "and the one that its #! names");
  auto kind = shell("true");
  kind.exec->cwd = scripts.path("none");
  BOOST_TEST(
      contains(end_of(kind), "cannot be started: chdir: No such file or directory; expected"));
}

BOOST_AUTO_TEST_CASE(the_environment_is_the_jobs_and_what_is_allowed) {
  ::setenv("EXEC_TEST_SECRET", "hunter2", 1);
  ::setenv("EXEC_TEST_ALLOWED", "yes", 1);
  ::setenv("OUTBOX_JOB_ID", "not this", 1);
  auto kind = shell("env | sort");
  kind.exec->env = {"EXEC_TEST_ALLOWED", "EXEC_TEST_UNSET", "OUTBOX_JOB_ID"};
  ExecRig rig{kind, "shop/"};
  auto task = ExecRig::task();
  task->claimed.job.id = 4711;
  task->claimed.job.headers = R"({"trace": "a b"})";
  const auto before = std::chrono::system_clock::now().time_since_epoch() + kind.timeout;
  rig.wait(rig.start(task));
  ::unsetenv("OUTBOX_JOB_ID");
  const std::string seen = detail(task)["stdout"];
  const auto at = seen.find("OUTBOX_DEADLINE=");
  BOOST_REQUIRE(at != std::string::npos);
  const auto end = seen.find('\n', at);
  const auto deadline = std::stoll(seen.substr(at + 16, end - at - 16));
  const auto expected = std::chrono::duration_cast<std::chrono::seconds>(before).count();
  BOOST_TEST(deadline >= expected);
  BOOST_TEST(deadline <= expected + 30);
  BOOST_TEST(seen.substr(0, at) + seen.substr(end + 1) ==
             "EXEC_TEST_ALLOWED=yes\nOUTBOX_ATTEMPT=2\nOUTBOX_HEADERS={\"trace\": \"a b\"}\n"
             "OUTBOX_JOB_ID=4711\nOUTBOX_KIND=report\nOUTBOX_MAX_ATTEMPTS=5\n"
             "OUTBOX_MESSAGE_ID=shop/4711\nOUTBOX_QUEUE=default\n"
             "PATH=/usr/local/bin:/usr/bin:/bin\nPWD=/\n");
}

BOOST_AUTO_TEST_CASE(large_headers_are_left_out_and_path_may_be_allowed) {
  auto kind = shell("echo $PATH; echo ${OUTBOX_HEADERS-absent}");
  kind.exec->env = {"PATH"};
  ExecRig rig{kind};
  auto task = ExecRig::task();
  task->claimed.job.headers = R"({"h": ")" + std::string(32 * 1024, 'x') + R"("})";
  rig.wait(rig.start(task));
  BOOST_TEST(detail(task)["stdout"] == std::string{std::getenv("PATH")} + "\nabsent\n");
}

// --- payloads

BOOST_AUTO_TEST_CASE(a_payload_that_nobody_reads_is_no_failure) {
  ExecRig rig{shell("exec 0<&-; echo fine")};
  BOOST_TEST(answer_text(*rig.run(std::string(1 << 20, 'x'))) == "done");
  ExecRig holds_it{shell("echo fine")};
  BOOST_TEST(answer_text(*holds_it.run(std::string(1 << 20, 'x'))) == "done");
}

BOOST_AUTO_TEST_CASE(a_large_payload_arrives_whole_at_a_slow_reader) {
  const std::string payload = "\"" + std::string(1 << 20, 'x') + "\"";
  ExecRig rig{
      shell("n=0; while c=$(dd bs=9999 count=1 2>/dev/null | wc -c) && [ $c -gt 0 ]; do "
            "n=$((n+c)); done; echo $n")};
  const auto task = rig.run(payload);
  BOOST_TEST(detail(task)["stdout"] == std::to_string(payload.size()) + "\n");
}

// --- outputs

BOOST_AUTO_TEST_CASE(the_tail_of_each_output_is_kept_and_all_is_counted) {
  auto kind = shell("i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done; echo x >&2");
  kind.exec->output_kept = 100;
  kind.exec->keep_output = true;
  ExecRig rig{kind};
  const auto task = rig.run();
  const std::string kept = detail(task)["stdout"];
  BOOST_TEST(kept.size() == 100U);
  BOOST_TEST(kept.ends_with("line 19998\nline 19999\n"));
  BOOST_TEST(detail(task)["stdout_bytes"] == 208'890);
  BOOST_TEST(task->keep_detail);
}

BOOST_AUTO_TEST_CASE(nothing_is_kept_when_nothing_may_be) {
  auto kind = shell("echo secret; echo secret >&2; exit 1");
  kind.exec->output_kept = 0;
  ExecRig rig{kind};
  const auto task = rig.run();
  BOOST_TEST(answer_text(*task) == "retry: exit code 1");
  BOOST_TEST(!contains(task->detail, "secret"));
  BOOST_TEST(detail(task)["stdout_bytes"] == 7);
}

BOOST_AUTO_TEST_CASE(hostile_output_is_made_storable) {
  ExecRig rig{shell(R"(printf 'a\0b\377\303\n\033[31m'; printf '\0\0' >&2; exit 9)")};
  const auto task = rig.run();
  BOOST_TEST(detail(task)["stdout"] ==
             "a\xEF\xBF\xBD"
             "b\xEF\xBF\xBD\xEF\xBF\xBD\n\033[31m");
  BOOST_TEST(!contains(task->detail, "\\u0000"));
}

BOOST_AUTO_TEST_CASE(what_is_kept_is_bounded_as_json) {
  auto kind = shell(
      R"(head -c 70000 /dev/zero | tr '\0' '\001'; head -c 70000 /dev/zero | tr '\0' '"' >&2)");
  kind.exec->output_kept = 65'536;
  ExecRig rig{kind};
  const auto task = rig.run();
  BOOST_TEST(task->detail.size() < 32U * 1024U);
  BOOST_TEST(task->detail.size() > 30U * 1024U);
}

BOOST_AUTO_TEST_CASE(a_program_that_writes_for_ever_is_killed) {
  auto kind = shell("yes");
  kind.exec->output_most = 1 << 20;
  ExecRig rig{kind};
  const auto task = rig.run();
  BOOST_TEST(contains(answer_text(*task),
                      "retry: it wrote more than `output_most`, 1048576 bytes, and was killed: y"));
  BOOST_TEST(detail(task)["stdout_bytes"].get<std::int64_t>() < 2 << 20);
}

// --- control

BOOST_AUTO_TEST_CASE(the_last_line_may_say_snooze_or_discard) {
  const auto end_of = [](const std::string& script) {
    auto kind = shell(script);
    kind.exec->control = core::ExecControl::last_line;
    ExecRig rig{kind};
    return answer_text(*rig.run());
  };
  BOOST_TEST(end_of(R"(echo working; echo '{"snooze": "5m"}'; echo)") == "snooze: 300000 ms");
  BOOST_TEST(end_of(R"(printf '{"discard": "gone"}')") == "discard: gone");
  BOOST_TEST(end_of(R"(echo '{"discard": "gone"}'; echo done)") == "done");
  BOOST_TEST(end_of(R"(echo '{"level": "info"}')") == "done");
  BOOST_TEST(end_of(R"(echo '{"snooze": "5m"}'; exit 1)") ==
             R"(retry: exit code 1: {"snooze": "5m"})");
  BOOST_TEST(contains(end_of(R"(echo '{"snooze": "soon"}')"), R"(retry: control: "snooze": )"));
  // Its beginning is lost, so it is not the last line, whatever is left of it.
  BOOST_TEST(end_of(R"(head -c 100000 /dev/zero | tr '\0' ' '; echo '{"snooze": "5m"}')") ==
             "done");
}

BOOST_AUTO_TEST_CASE(descriptor_3_may_say_so_too_and_nothing_else) {
  const auto end_of = [](const std::string& script, core::ExecControl control) {
    auto kind = shell(script);
    kind.exec->control = control;
    kind.exec->output_kept = 0;
    ExecRig rig{kind};
    return answer_text(*rig.run());
  };
  using core::ExecControl;
  BOOST_TEST(end_of(R"(echo x; echo '{"snooze": "90s"}' >&3; echo y)", ExecControl::fd3) ==
             "snooze: 90000 ms");
  BOOST_TEST(end_of("true", ExecControl::fd3) == "done");
  BOOST_TEST(contains(end_of("echo hello >&3", ExecControl::fd3),
                      "retry: control: descriptor 3 says neither"));
  BOOST_TEST(contains(end_of("yes | head -c 9999 >&3", ExecControl::fd3), "retry: control: "));
  BOOST_TEST(end_of(R"(echo '{"snooze": "90s"}')", ExecControl::off) == "done");
}

// --- waiting

BOOST_AUTO_TEST_CASE(no_more_than_its_concurrency_run) {
  const Scripts scripts;
  auto kind = exec_kind({scripts.add("wait",
                                     "echo $OUTBOX_JOB_ID >> \"$1/order\"\n"
                                     "while ! [ -e \"$1/go\" ]; do sleep 0.01; done"),
                         scripts.folder()});
  kind.exec->concurrency = 2;
  ExecRig rig{kind};
  BOOST_TEST(rig.handler->room().jobs == 2);
  std::vector<engine::TaskPtr> tasks;
  for (int i = 0; i < 5; ++i) tasks.push_back(rig.start());
  BOOST_TEST(rig.handler->room().jobs == 0);
  BOOST_TEST(eventually(10s, [&] {
    const auto order = scripts.read("order");
    return std::count(order.begin(), order.end(), '\n') == 2;
  }));
  BOOST_TEST(tasks[0]->started != 0);
  BOOST_TEST(tasks[2]->started == 0);
  BOOST_TEST(eventually(5s, [&] {
    return contains(rig.events.metrics_text(), R"(outboxd_exec_running{kind="report"} 2)");
  }));
  (void)scripts.add("go", "");
  for (const auto& task : tasks) rig.wait(task);
  BOOST_TEST(eventually(5s, [&] { return rig.handler->room().jobs >= 2; }));
}

BOOST_AUTO_TEST_CASE(the_first_come_first) {
  const Scripts scripts;
  auto kind = shell("echo $OUTBOX_JOB_ID >> order");
  kind.exec->cwd = scripts.folder();
  kind.exec->concurrency = 1;
  ExecRig rig{kind};
  std::vector<engine::TaskPtr> tasks;
  std::string expected;
  for (int i = 0; i < 5; ++i) {
    tasks.push_back(rig.start());
    expected += std::to_string(tasks.back()->claimed.job.id) + "\n";
  }
  for (const auto& task : tasks) rig.wait(task);
  BOOST_TEST(scripts.read("order") == expected);
}

BOOST_AUTO_TEST_CASE(a_job_that_expired_while_it_waited_is_not_run) {
  const Scripts scripts;
  ExecRig rig{exec_kind({scripts.add("touch", "touch \"$1\""), scripts.path("ran")})};
  auto task = ExecRig::task();
  task->claimed.claimed_at_us = 1'000'000;
  task->claimed.expires_at_us = 1'500'000;
  task->received = core::Clock::now() - 1s;
  rig.wait(rig.start(task));
  BOOST_TEST(answer_text(*task) == "expired");
  BOOST_TEST(scripts.read("ran").empty());
  BOOST_TEST(!std::filesystem::exists(scripts.path("ran")));
  task = ExecRig::task();
  task->claimed.claimed_at_us = 1'000'000;
  task->claimed.expires_at_us = 61'000'000;
  rig.wait(rig.start(task));
  BOOST_TEST(answer_text(*task) == "done");
}

BOOST_AUTO_TEST_SUITE_END()
