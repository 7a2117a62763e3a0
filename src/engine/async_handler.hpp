// External handlers that need no thread for each job: the dispatcher starts jobs as there is room,
// and the handler's own loop brings them back.
#pragma once

#include <functional>

#include "core/pacing.hpp"
#include "engine/task.hpp"

namespace outbox::engine {

/// The handler of one kind; several queues may use it at the same time. Thread contract: room(),
/// start() and look_for_abandoned() from any thread; they do not block.
class AsyncHandler {
 public:
  virtual ~AsyncHandler() = default;

  struct Room {
    int jobs{};  ///< How many more jobs would start soon.
    core::milliseconds again{
        core::milliseconds::max()};  ///< When there is none: after so long there may be
                                     ///< some although no job has ended.
    bool turns{false};  ///< When there is none: one more would wait for its turn, and not be sent
                        ///< away. A queue that has no job here may then start one, or the backlog
                        ///< of another would keep it out for ever.
  };
  [[nodiscard]] virtual Room room() = 0;

  /// Runs the job of a task that has its payload, and calls `ended` exactly once, on any thread,
  /// maybe before it returns, with task->answer, ran and detail set. More than room() said are kept
  /// waiting; what is not started by its expiry ends as store::RanExpired. Ends early, with any
  /// answer, once the task is abandoned and look_for_abandoned() was called.
  using Ended = std::function<void(TaskPtr)>;
  virtual void start(TaskPtr task, Ended ended) = 0;

  virtual void look_for_abandoned() = 0;
};

}  // namespace outbox::engine
