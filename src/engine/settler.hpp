// Writes the ends of claimed jobs that did not finish in a transaction of their own: retry, snooze,
// dead letter. On the connection, and on the thread, of its owner.
#pragma once

#include "engine/connection.hpp"
#include "engine/services.hpp"
#include "engine/task.hpp"
#include "store/finish.hpp"
#include "store/run.hpp"

namespace outbox::engine {

[[nodiscard]] observe::JobRef ref(const store::Claimed& claimed);

class Settler {
 public:
  Settler(Services& services, Connection& connection)
      : services_{services}, connection_{connection} {}

  /// Both return when the database has taken or refused the end, or the task is abandoned.
  void settle(Task& task, const store::RanUndone& undone);
  void bury_expired(Task& task);

  /// Waits, but not longer than until the task is abandoned.
  static void pause(const Task& task, core::milliseconds most);

 private:
  void write(Task& task, const core::Verdict& verdict, const store::Failure& failure);

  Services& services_;
  Connection& connection_;
};

}  // namespace outbox::engine
