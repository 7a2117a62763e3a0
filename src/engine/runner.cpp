// From a claimed job to its end. Whatever the handler does becomes an Outcome; what the database
// does becomes a Fault; a fault that is not the job's costs it nothing.
#include "engine/runner.hpp"

#include <condition_variable>
#include <mutex>

#include "core/decide.hpp"
#include "core/limits.hpp"

namespace outbox::engine {

using core::Clock;
using core::DbError;
using core::Fault;
using core::microseconds;
using core::milliseconds;

namespace {

observe::JobRef ref(const store::Claimed& claimed) {
  return {claimed.job.id, claimed.job.queue, claimed.job.kind, claimed.job.attempt};
}

microseconds since(Clock::time_point start) {
  return std::chrono::duration_cast<microseconds>(Clock::now() - start);
}

}  // namespace

Runner::Runner(Services& services, const core::QueueOptions& queue, RunQueue& tasks, Inbox& inbox,
               Lane& dispatcher, Slots& slots, LanePlan& plan)
    : services_{services},
      queue_{queue},
      tasks_{tasks},
      inbox_{inbox},
      dispatcher_{dispatcher},
      slots_{slots},
      plan_{plan},
      connection_{services.options.database, services.events, "runner", store::Use::handlers} {}

void Runner::run(const std::stop_token& stop) {
  while (auto task = tasks_.take(stop)) {
    {
      const auto slot = slots_.take(task->stop.get_token());
      if (slot) execute(*task);
    }
    inbox_.push(std::move(task));
    dispatcher_.notify();
  }
}

void Runner::execute(Task& task) {
  if (task.abandoned) return;
  const auto ran = attempt_until_known(task);
  task.backend_pid = 0;
  std::visit(core::overloaded{
                 [&](const store::RanDone&) {
                   task.settled = true;
                   observe(task);
                   services_.events.finished(ref(task.claimed), task.claimed.waited, task.ran);
                 },
                 [&](const store::RanUndone& undone) {
                   if (!task.abandoned) settle(task, undone);
                 },
                 [&](const store::RanStale&) {
                   task.settled = true;
                   services_.events.stale_finish(ref(task.claimed));
                 },
                 [&](const store::RanExpired&) { bury_expired(task); },
             },
             ran);
}

store::Ran Runner::attempt(Task& task) {
  const auto& handler = services_.handlers.at(task.claimed.job.kind);
  auto& database = connection_.get();
  task.backend_pid = database.backend_pid();
  if (task.abandoned) return store::RanUndone{Retry{"given up at a stop"}, "error", {}};
  const store::RunRequest request{
      .processor = task.processor, .history = queue_.history, .timeout = handler.options.timeout};
  return std::visit(core::overloaded{
                        [&](const store::SqlBody& body) {
                          return store::run(database, request, task.claimed, body);
                        },
                        [&](const HandlerFunction& function) {
                          return store::run(
                              database, request, task.claimed, [&](pqxx::dbtransaction& tx) {
                                Context context{task.claimed.job, tx, task.stop.get_token()};
                                return function(context);
                              });
                        },
                    },
                    handler.run);
}

/// Runs the handler until it is known whether its transaction committed. Lost connections and
/// conflicts run it again under the same claim, a bounded number of times; an outage while
/// connecting is waited for as long as it takes.
store::Ran Runner::attempt_until_known(Task& task) {
  int lost = 0;
  int conflicts = 0;
  while (!task.abandoned) {
    milliseconds wait{};
    try {
      (void)connection_.get();
    } catch (const DbError& e) {
      pause(task, connection_.failed(e));
      continue;
    }
    // The time of this try alone: what the database's outages take is not the handler's.
    const auto start = Clock::now();
    task.started = start.time_since_epoch().count();
    try {
      auto ran = attempt(task);
      task.ran = since(start);
      return ran;
    } catch (const DbError& e) {
      task.ran = since(start);
      task.started = 0;
      task.backend_pid = 0;
      wait = connection_.failed(e);
      const bool blame = e.fault() == Fault::conflict ? ++conflicts > 2 * core::kLostConnectionsMax
                         : e.session_lost()           ? ++lost >= core::kLostConnectionsMax
                                                      : true;
      if (e.fault() == Fault::in_doubt && !still_ours(task)) return store::RanDone{};
      if (blame && !task.abandoned) {
        const std::string why =
            e.session_lost() ? "the connection was lost each time it ran: " : "";
        return store::RanUndone{Retry{why + e.what()}, "error", e.sqlstate()};
      }
    }
    pause(task, wait);
  }
  return store::RanUndone{Retry{"given up at a stop"}, "error", {}};
}

/// After a COMMIT whose reply was lost: the row tells. Waits for the database as long as it takes.
bool Runner::still_ours(Task& task) {
  while (!task.abandoned) {
    try {
      const bool ours = store::still_claimed(connection_.get(), task.processor, task.claimed);
      services_.events.resolved_in_doubt(ref(task.claimed), !ours);
      return ours;
    } catch (const DbError& e) {
      pause(task, connection_.failed(e));
    }
  }
  return true;
}

void Runner::bury_expired(Task& task) {
  write(task, core::WriteDead{"expired", "it expired before it could start"}, {"expired", {}});
}

void Runner::settle(Task& task, const store::RanUndone& undone) {
  const auto& claimed = task.claimed;
  const auto& kind = services_.handlers.at(claimed.job.kind);
  const core::Standing standing{claimed.job.attempt, claimed.job.max_attempts, claimed.claim_token};
  write(task, core::decide(standing, undone.outcome, kind.options.backoff, spin()),
        {undone.reason, undone.sqlstate});
  if (!std::holds_alternative<Snooze>(undone.outcome)) observe(task);
}

void Runner::observe(const Task& task) {
  if (plan_.observe(task.claimed.job.kind, task.ran)) services_.waker.wake_lanes();
}

/// Writes an end until the database has taken or refused it; the token makes a repetition harmless.
void Runner::write(Task& task, const core::Verdict& verdict, const store::Failure& failure) {
  bool in_doubt = false;
  ReconnectWait again;
  while (!task.abandoned) {
    try {
      const bool written =
          store::settle(connection_.get(), task.processor, task.claimed, verdict, failure);
      task.settled = true;
      if (!written && !in_doubt) return services_.events.stale_finish(ref(task.claimed));
      auto& events = services_.events;
      const auto job = ref(task.claimed);
      return std::visit(
          core::overloaded{
              [](const core::WriteDone&) {},
              [&](const core::WriteRetry& retry) {
                events.retried(job, failure.sqlstate, retry.error, retry.delay, task.ran);
              },
              [&](const core::WriteSnooze& snooze) { events.snoozed(job, snooze.delay); },
              [&](const core::WriteDead& dead) { events.dead(job, dead.reason, dead.error); },
          },
          verdict);
    } catch (const DbError& e) {
      in_doubt = in_doubt || e.session_lost();
      pause(task, std::max(connection_.failed(e), again.next()));
    }
  }
}

void Runner::pause(Task& task, milliseconds most) {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock{mutex};
  // A timeout of the job must not shorten the waits for the database, only giving up may.
  if (task.stop.stop_requested() && !task.abandoned) {
    std::this_thread::sleep_for(most);
    return;
  }
  never.wait_for(lock, task.stop.get_token(), most, [] { return false; });
}

}  // namespace outbox::engine
