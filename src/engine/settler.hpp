// The end of a claimed job: tells of it, and writes what no transaction of its handler has written
// (retry, snooze, dead letter). On the connection, and on the thread, of its owner.
#pragma once

#include "engine/connection.hpp"
#include "engine/lane_plan.hpp"
#include "engine/services.hpp"
#include "engine/task.hpp"
#include "store/finish.hpp"
#include "store/run.hpp"

namespace outbox::engine {

[[nodiscard]] observe::JobRef ref(const store::Claimed& claimed);  ///< For events.

class Settler {
 public:
  Settler(Services& services, LanePlan& plan, Connection& connection)
      : services_{services}, plan_{plan}, connection_{connection} {}

  /// What follows from how it ran; RanDone is in the database already. Returns when the database
  /// has taken or refused the end, or the task is abandoned.
  void end(Task& task, const store::Ran& ran);
  /// The finish was written.
  void finished(Task& task);
  /// The job was not this claim's any more.
  void stale(Task& task);
  /// Pauses the task's kind when that is wished for: at once here, then in the database. Before the
  /// end is written, or a crash between the two would leave the kind running. Returns as end().
  void pause_kind(const Task& task);

  /// Waits, but not longer than until the task is abandoned.
  static void pause(const Task& task, core::milliseconds most);

 private:
  void undone(Task& task, const store::RanUndone& undone);
  void observe(const Task& task);
  void write(Task& task, const core::Verdict& verdict, const store::Failure& failure);

  Services& services_;
  LanePlan& plan_;
  Connection& connection_;
};

}  // namespace outbox::engine
