// See the header.
#include "support/exec.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <sys/stat.h>

#include <boost/test/unit_test.hpp>

#include "core/fault.hpp"
#include "support/eventually.hpp"

namespace outbox::test {

namespace fs = std::filesystem;

Scripts::Scripts() : folder_{(fs::temp_directory_path() / "outbox_exec_XXXXXX").string()} {
  BOOST_REQUIRE(::mkdtemp(folder_.data()) != nullptr);
}

Scripts::~Scripts() {
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

std::string Scripts::add(const std::string& name, const std::string& body) const {
  {
    std::ofstream file{path(name)};
    file << "#!/bin/sh\n" << body << "\n";
  }
  BOOST_REQUIRE_EQUAL(::chmod(path(name).c_str(), 0755), 0);
  return path(name);
}

std::string Scripts::read(const std::string& name) const {
  std::ifstream file{path(name)};
  return {std::istreambuf_iterator<char>{file}, {}};
}

core::KindOptions exec_kind(std::vector<std::string> argv) {
  core::KindOptions kind;
  kind.timeout = std::chrono::minutes{1};
  kind.exec.emplace();
  kind.exec->argv = std::move(argv);
  return kind;
}

ExecRig::ExecRig(const core::KindOptions& options, const std::string& prefix)
    : loop{std::make_shared<handlers::ExecLoop>(prefix, events)},
      handler{handlers::make_exec("report", options, loop)} {}

engine::TaskPtr ExecRig::task(const std::string& payload) {
  static int last_id = 0;
  auto task = std::make_shared<engine::Task>();
  auto& job = task->claimed.job;
  job.id = ++last_id;
  job.queue = "default";
  job.kind = "report";
  job.payload = payload;
  job.headers = "{}";
  job.attempt = 2;
  job.max_attempts = 5;
  task->received = core::Clock::now();
  return task;
}

engine::TaskPtr ExecRig::start(engine::TaskPtr task) {
  handler->start(task, [this](engine::TaskPtr back) {
    const std::lock_guard lock{mutex_};
    ended_.push_back(std::move(back));
  });
  return task;
}

engine::TaskPtr ExecRig::start(const std::string& payload) { return start(task(payload)); }

bool ExecRig::ended(const engine::TaskPtr& task) const {
  const std::lock_guard lock{mutex_};
  return std::count(ended_.begin(), ended_.end(), task) == 1;
}

void ExecRig::wait(const engine::TaskPtr& task) {
  BOOST_REQUIRE(eventually(std::chrono::seconds{30}, [&] { return ended(task); }));
}

engine::TaskPtr ExecRig::run(const std::string& payload) {
  auto task = start(payload);
  wait(task);
  return task;
}

std::string answer_text(const engine::Task& task) {
  if (!task.answer) return "none";
  const auto* undone = std::get_if<store::RanUndone>(&*task.answer);
  if (std::holds_alternative<store::RanDone>(*task.answer)) return "done";
  if (std::holds_alternative<store::RanExpired>(*task.answer)) return "expired";
  if (undone == nullptr) return "stale";
  const bool timeout = std::string{undone->reason} == "timeout";
  return std::visit(
      core::overloaded{
          [](const Done&) { return std::string{"done, undone"}; },
          [](const Snooze& snooze) {
            return "snooze: " + std::to_string(snooze.delay.count()) + " ms";
          },
          [](const Discard& discard) { return "discard: " + discard.why; },
          [&](const Retry& retry) { return (timeout ? "timeout: " : "retry: ") + retry.why; },
      },
      undone->outcome);
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

bool lives(int pid) {
  std::ifstream file{"/proc/" + std::to_string(pid) + "/stat"};
  std::string stat;
  if (!std::getline(file, stat)) return false;
  const auto name_end = stat.rfind(')');
  return name_end != std::string::npos && stat.substr(name_end + 2, 1) != "Z";
}

std::size_t open_files() {
  return static_cast<std::size_t>(
      std::distance(fs::directory_iterator{"/proc/self/fd"}, fs::directory_iterator{}));
}

}  // namespace outbox::test
