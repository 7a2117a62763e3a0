// How a claimed job's handler begins and ends, in whatever kind of thread.
#pragma once

#include "engine/task.hpp"
#include "store/content.hpp"

namespace outbox::engine {

/// Its handler runs from `now` on.
inline void begin(Task& task, core::Clock::time_point now) {
  task.started = now.time_since_epoch().count();
  task.waited =
      task.claimed.waited + std::chrono::duration_cast<core::microseconds>(now - task.received);
}

/// The job's expiry goes by the database's clock at the claim and the time since then.
[[nodiscard]] inline bool expired(const Task& task, core::Clock::time_point now) {
  if (!task.claimed.expires_at_us) return false;
  const auto held = std::chrono::duration_cast<core::microseconds>(now - task.received);
  return *task.claimed.expires_at_us <= task.claimed.claimed_at_us + held.count();
}

/// The handler is done with it; what takes long from now on is the database.
inline void end(Task& task) {
  task.started = 0;
  task.backend_pid = 0;
  if (task.claimed.content_left) store::drop_content(task.claimed);
}

}  // namespace outbox::engine
