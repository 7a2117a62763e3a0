// The threads of one queue: its dispatcher and runners (claimed lane) and its direct workers.
#pragma once

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "engine/direct_worker.hpp"
#include "engine/dispatcher.hpp"
#include "engine/runner.hpp"

namespace outbox::engine {

class Queue {
 public:
  Queue(Services& services, const std::string& name, const core::QueueOptions& options);
  ~Queue();

  void start();
  /// Stops claiming; handlers have until `grace_ends`. Returns at once.
  void request_stop(core::Clock::time_point grace_ends);
  /// Waits for the end of what request_stop() began. False: handlers that ignore their stop token
  /// are still running; their claims are given back, and the process must end without waiting for
  /// their threads.
  [[nodiscard]] bool join();
  void fence() { dispatcher_.fence(); }
  /// As LanePlan::set_paused. Any thread.
  [[nodiscard]] bool set_paused(const std::vector<std::string>& kinds) {
    return plan_.set_paused(kinds);
  }
  /// After join(): some claims could not be given back.
  [[nodiscard]] bool left_claims() const { return dispatcher_.left_claims(); }
  /// Server processes of direct groups that are running now.
  [[nodiscard]] std::vector<int> direct_backends() const;
  /// The most connections that it may open.
  [[nodiscard]] int connections_most() const;

 private:
  const core::QueueOptions& options_;
  LanePlan plan_;
  Slots slots_;
  RunQueue tasks_;
  Inbox inbox_;
  Lane& dispatcher_lane_;
  Dispatcher dispatcher_;
  Finisher finisher_;
  std::vector<std::unique_ptr<Runner>> runners_;
  std::vector<std::unique_ptr<DirectWorker>> direct_workers_;
  // last: joined first
  std::jthread finisher_thread_;
  std::vector<std::jthread> runner_threads_;
  std::vector<std::jthread> direct_threads_;
  std::jthread dispatcher_thread_;
};

}  // namespace outbox::engine
