// A running outboxd: builds the parts, starts them in order, stops them in two phases.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/health.hpp"
#include "engine/maintenance.hpp"
#include "engine/queue.hpp"
#include "engine/services.hpp"

namespace outbox::engine {

class Processor {
 public:
  using GiveUp = std::function<void(const core::Error&)>;

  /// Nothing is done yet. `options` and `handlers` must outlive it. `give_up` is called at most
  /// once, on any thread, when only another process can help (a handler is stuck, the schema is
  /// none that this program can run on): stop this one soon, and exit with the error's code.
  Processor(const core::Options& options, const HandlerTable& handlers, observe::Events& events,
            GiveUp give_up = {});
  ~Processor();

  /// Checks the schema, registers, starts all threads. Throws core::Error or core::DbError; then
  /// nothing runs.
  void start();

  /// Stops claiming, gives handlers `processor.grace`, gives unstarted claims back, leaves. Returns
  /// false when handlers ignored their stop token: the caller must then end the process with _exit,
  /// because their threads cannot be joined.
  [[nodiscard]] bool stop(const std::string& why);

  /// Any thread.
  [[nodiscard]] Health health() const;

 private:
  /// Returns the role that it works as.
  std::string check_database();
  [[nodiscard]] GiveUp once(GiveUp give_up);
  void set_paused(const std::vector<std::string>& kinds);
  void cancel_late_groups();
  [[nodiscard]] store::Registration registration() const;

  const core::Options& options_;
  const HandlerTable& handlers_;
  observe::Events& events_;
  std::atomic<int> suspects_hint_{0};
  SoloGate solo_;
  Waker waker_;
  Membership membership_;
  Services services_;
  Maintenance maintenance_;
  std::vector<std::unique_ptr<Queue>> queues_;
  core::Clock::time_point started_at_{};
  std::atomic<bool> running_{false};
  std::atomic<bool> stopping_{false};
  std::atomic<bool> gave_up_{false};
};

}  // namespace outbox::engine
