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

/// `now` by the database's clock, in microseconds since 1970: it told the time of the claim, and
/// ours the time since then.
[[nodiscard]] inline std::int64_t database_us(const Task& task, core::Clock::time_point now) {
  const auto held = std::chrono::duration_cast<core::microseconds>(now - task.received);
  return task.claimed.claimed_at_us + held.count();
}

[[nodiscard]] inline bool expired(const Task& task, core::Clock::time_point now) {
  return task.claimed.expires_at_us && *task.claimed.expires_at_us <= database_us(task, now);
}

/// The handler is done with it; what takes long from now on is the database.
inline void end(Task& task) {
  task.started = 0;
  task.backend_pid = 0;
  if (task.claimed.content_left) store::drop_content(task.claimed);
}

}  // namespace outbox::engine
