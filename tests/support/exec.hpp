// Real children for tests: shell scripts in a folder of their own, and a handler that runs them.
#pragma once

#include <future>
#include <memory>
#include <string>
#include <vector>

#include "core/options.hpp"
#include "engine/async_handler.hpp"
#include "handlers/exec.hpp"
#include "observe/events.hpp"

namespace outbox::test {

/// A new folder, gone with all that is in it at the end.
class Scripts {
 public:
  Scripts();
  ~Scripts();
  Scripts(const Scripts&) = delete;
  Scripts& operator=(const Scripts&) = delete;

  /// An executable of /bin/sh; its path.
  [[nodiscard]] std::string add(const std::string& name, const std::string& body) const;
  [[nodiscard]] std::string path(const std::string& name) const { return folder_ + "/" + name; }
  [[nodiscard]] const std::string& folder() const { return folder_; }
  /// What a file in it holds; empty: it is not there.
  [[nodiscard]] std::string read(const std::string& name) const;

 private:
  std::string folder_;
};

/// A kind that runs `argv`, with a timeout that only a test that hangs reaches.
[[nodiscard]] core::KindOptions exec_kind(std::vector<std::string> argv);

/// One handler on a loop of its own.
class ExecRig {
 public:
  explicit ExecRig(const core::KindOptions& options, const std::string& prefix = {});

  /// Starts a job and does not wait for its end.
  engine::TaskPtr start(const std::string& payload = "{}");
  engine::TaskPtr start(engine::TaskPtr task);
  /// The same, and waits; fails the test when it takes more than 30 s.
  engine::TaskPtr run(const std::string& payload = "{}");
  void wait(const engine::TaskPtr& task);
  [[nodiscard]] bool ended(const engine::TaskPtr& task) const;

  [[nodiscard]] static engine::TaskPtr task(const std::string& payload = "{}");

  observe::Events events;
  std::shared_ptr<handlers::ExecLoop> loop;
  std::shared_ptr<engine::AsyncHandler> handler;

 private:
  mutable std::mutex mutex_;
  std::vector<engine::TaskPtr> ended_;  // guarded by mutex_
};

/// How it ended, for comparisons: "done", "retry: why", "discard: why", "snooze: 300000 ms",
/// "timeout: why", "expired".
[[nodiscard]] std::string answer_text(const engine::Task& task);

[[nodiscard]] bool contains(const std::string& text, const std::string& part);

/// Whether a process of this number is there and no zombie.
[[nodiscard]] bool lives(int pid);

/// Open descriptors of this process.
[[nodiscard]] std::size_t open_files();

}  // namespace outbox::test
