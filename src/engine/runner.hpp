// Runs claimed jobs, one at a time, each in its own transaction, and writes their ends. One thread,
// one connection. READ THIS THIRD.
#pragma once

#include <stop_token>

#include "engine/connection.hpp"
#include "engine/finisher.hpp"
#include "engine/lane_plan.hpp"
#include "engine/services.hpp"
#include "engine/slots.hpp"
#include "engine/task.hpp"

namespace outbox::engine {

class Runner {
 public:
  Runner(Services& services, const core::QueueOptions& queue, RunQueue& tasks, Inbox& inbox,
         Lane& dispatcher, Slots& slots, LanePlan& plan, Finisher& finisher);

  /// The thread's body: returns when `stop` is requested and the job in hand has come back.
  void run(const std::stop_token& stop);

  /// Runs one task to its end: settled, stale, or abandoned; an external one to its answer, which
  /// the finisher writes. Public for tests.
  void execute(Task& task);

 private:
  /// Nothing: the job has its payload. Else why it cannot run.
  [[nodiscard]] std::optional<store::Ran> bring_content(Task& task);
  [[nodiscard]] store::Ran attempt(Task& task);
  [[nodiscard]] store::Ran attempt_until_known(Task& task);
  [[nodiscard]] store::Ran answer(Task& task, const ExternalFunction& function);
  [[nodiscard]] bool still_ours(Task& task);

  Services& services_;
  const core::QueueOptions& queue_;
  RunQueue& tasks_;
  Inbox& inbox_;
  Lane& dispatcher_;
  Slots& slots_;
  Finisher& finisher_;
  Connection connection_;
  Settler settler_;
};

}  // namespace outbox::engine
