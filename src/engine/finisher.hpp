// Writes the ends of external jobs: those that worked in batches, the others one by one. One thread
// and one connection for a queue, however many handlers it runs.
#pragma once

#include <condition_variable>
#include <mutex>
#include <span>
#include <stop_token>
#include <vector>

#include "engine/connection.hpp"
#include "engine/lane_plan.hpp"
#include "engine/services.hpp"
#include "engine/settler.hpp"
#include "engine/task.hpp"

namespace outbox::engine {

class Finisher {
 public:
  Finisher(Services& services, const core::QueueOptions& queue, Inbox& inbox, Lane& dispatcher,
           LanePlan& plan);

  /// Takes a task whose handler has answered. Any thread.
  void push(TaskPtr task);

  /// The thread's body: returns when `stop` is requested and everything pushed has come back.
  void run(const std::stop_token& stop);

  /// Writes what has been pushed, at most one batch, and brings it back; returns how many. Public
  /// for tests.
  int turn();

 private:
  [[nodiscard]] std::vector<TaskPtr> take();
  void finish(std::span<const TaskPtr> tasks);
  void write_done(int processor, std::span<const TaskPtr> tasks);

  const core::QueueOptions& queue_;
  Inbox& inbox_;
  Lane& dispatcher_;
  Connection connection_;  // only the finisher's thread
  Settler settler_;        // only the finisher's thread

  std::mutex mutex_;
  std::condition_variable_any ready_;
  std::vector<TaskPtr> tasks_;  // guarded by mutex_
};

}  // namespace outbox::engine
