// The direct lane of one queue: a loop around one statement that does everything. One thread, one
// connection.
#pragma once

#include <stop_token>
#include <string>

#include "core/pacing.hpp"
#include "engine/connection.hpp"
#include "engine/due_wait.hpp"
#include "engine/lane_plan.hpp"
#include "engine/services.hpp"
#include "engine/slots.hpp"
#include "store/direct.hpp"

namespace outbox::engine {

class DirectWorker {
 public:
  /// Only the first worker of a queue polls while the process sleeps; it rings the others when
  /// there is more than it can take.
  enum class Role { first, helper };

  DirectWorker(Services& services, std::string queue, const core::QueueOptions& options,
               LanePlan& plan, Slots& slots, Lane& lane, Role role);

  /// Handles one group. Returns how long nothing needs it; tests call it by hand. Does not throw
  /// for what the database does.
  core::milliseconds turn(const std::stop_token& stop);
  void run(const std::stop_token& stop);

  /// Cancels the statement that is running, if any, from another thread's connection. Any thread.
  [[nodiscard]] int backend_pid() const { return backend_pid_; }

 private:
  core::milliseconds handle_group(int processor, const store::DirectKinds& kinds);
  core::milliseconds group_failed(const core::DbError& error);
  void report(const store::DirectKinds& kinds, const std::vector<store::DirectJob>& jobs);
  [[nodiscard]] core::milliseconds rest(store::From from);

  Services& services_;
  const std::string queue_;
  const core::QueueOptions& options_;
  LanePlan& plan_;
  Slots& slots_;
  Lane& lane_;
  const Role role_;

  // only the worker's thread
  Connection connection_;
  store::Cursor cursor_;
  core::SweepPace sweep_;
  core::GroupSize size_;
  core::IdleWait idle_;
  int conflicts_{0};
  DueWait due_;

  std::atomic<int> backend_pid_{0};
};

}  // namespace outbox::engine
