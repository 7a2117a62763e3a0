// The kinds of handler that run a program for each job. One thread for all of them.
#pragma once

#include <memory>
#include <string>
#include <thread>

#include "core/options.hpp"
#include "engine/async_handler.hpp"
#include "handlers/loop.hpp"
#include "handlers/spawn.hpp"
#include "observe/events.hpp"

namespace outbox::handlers {

/// The thread that starts, feeds and ends all children of a process. Children get SIGKILL when it
/// ends, so it lives as long as there are any. Make it once, before the threads of the engine: it
/// sees to it that exit codes are kept (SIGCHLD is not ignored). Thread contract: any thread.
class ExecLoop {
 public:
  /// `message_prefix` and a job's id make its OUTBOX_MESSAGE_ID. `events` must outlive it. Throws
  /// std::system_error when there is no descriptor or memory left.
  ExecLoop(std::string message_prefix, observe::Events& events);
  ~ExecLoop();
  ExecLoop(const ExecLoop&) = delete;
  ExecLoop& operator=(const ExecLoop&) = delete;

 private:
  friend class ExecKind;
  friend class ExecHandle;

  const std::string message_prefix_;
  observe::Events& events_;
  Loop loop_;
  Spawner spawner_;
  std::thread thread_;
};

/// `options.exec` must be set; check_exec() has had nothing to say about it. Throws core::Error
/// (configuration) when its user is unknown all the same. When the handler is destroyed its
/// children are killed and their tasks dropped: no end is told any more.
[[nodiscard]] std::shared_ptr<engine::AsyncHandler> make_exec(const std::string& kind,
                                                              const core::KindOptions& options,
                                                              std::shared_ptr<ExecLoop> loop);

}  // namespace outbox::handlers
