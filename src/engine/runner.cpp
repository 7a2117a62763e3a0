// From a claimed job to its end. Whatever the handler does becomes an Outcome; what the database
// does becomes a Fault; a fault that is not the job's costs it nothing.
#include "engine/runner.hpp"

#include "core/limits.hpp"
#include "engine/begin.hpp"
#include "observe/fault_point.hpp"
#include "store/content.hpp"

namespace outbox::engine {

using core::Clock;
using core::DbError;
using core::Fault;
using core::microseconds;
using core::milliseconds;

namespace {

/// Connections that a job loses within so long count as one.
constexpr milliseconds kOneOutage{1'000};

/// A job that the server has no room for comes back after so long; it costs no attempt.
constexpr milliseconds kRefusedDelay{2'000};

microseconds since(Clock::time_point start, Clock::time_point end) {
  return std::chrono::duration_cast<microseconds>(end - start);
}

/// What is tried again under the same claim, and for how long.
struct Tries {
  int lost{0};
  Clock::time_point next_loss{};
  int conflicts{0};
  int refused{0};

  /// Nothing: once more. Else how this claim ends.
  std::optional<store::Ran> end_after(const DbError& error) {
    std::string why;
    if (error.connection_lost()) {
      // A server that crashes may let us in and go again, several times within one outage.
      if (const auto now = Clock::now(); now >= next_loss) {
        next_loss = now + kOneOutage;
        ++lost;
      }
      if (lost < core::kLostConnectionsMax) return std::nullopt;
      why = "the connection was lost each time it ran: ";
    } else if (error.session_lost()) {
      // A full disk, a server that takes no writes: not the job's fault, and nothing to wait for
      // with a runner and a claim.
      if (++refused < core::kLostConnectionsMax) return std::nullopt;
      return store::RanUndone{Snooze{jittered(kRefusedDelay)}, "error", {}};
    } else if (error.fault() == Fault::conflict) {
      if (++conflicts <= 2 * core::kLostConnectionsMax) return std::nullopt;
    }
    return store::RanUndone{Retry{why + error.what()}, "error", error.sqlstate()};
  }
};

}  // namespace

Runner::Runner(Services& services, const core::QueueOptions& queue, RunQueue& tasks, Inbox& inbox,
               Lane& dispatcher, Slots& slots, LanePlan& plan, Finisher& finisher)
    : services_{services},
      queue_{queue},
      tasks_{tasks},
      inbox_{inbox},
      dispatcher_{dispatcher},
      slots_{slots},
      finisher_{finisher},
      connection_{services.options.database, services.events, "runner", store::Use::handlers},
      settler_{services, plan, connection_} {}

void Runner::run(const std::stop_token& stop) {
  while (auto task = tasks_.take(stop)) {
    auto slot = slots_.take(task->stop.get_token());
    // Quick ones in a row: to take turns would cost more than to run them.
    for (int i = 1; slot && task->quick && i < core::kQuickInARow; ++i) {
      execute(*task);
      finisher_.push(std::move(task));
      task = tasks_.take_quick();
      if (!task) break;
    }
    if (!task) continue;
    if (slot) execute(*task);
    slot = Slots::Slot{nullptr};  // free before the dispatcher hears of it
    if (services_.handlers.at(task->claimed.job.kind).is_external()) {
      finisher_.push(std::move(task));
    } else {
      inbox_.push(std::move(task));
      dispatcher_.notify();
    }
  }
}

/// Runs one task to its end, or, an external one, to its answer.
void Runner::execute(Task& task) {
  if (task.abandoned) return;
  const auto& handler = services_.handlers.at(task.claimed.job.kind);
  if (const auto* function = std::get_if<ExternalFunction>(&handler.run)) {
    task.answer = answer(task, *function);
    end(task);
    return;
  }
  const auto ran = attempt_until_known(task);
  end(task);
  settler_.end(task, ran);
}

std::optional<store::Ran> Runner::bring_content(Task& task) {
  Tries tries;
  while (task.claimed.content_left && !task.abandoned) {
    try {
      if (!store::fetch_content(connection_.get(), task.processor, task.claimed))
        return store::RanStale{};
      return std::nullopt;
    } catch (const DbError& e) {
      const auto wait = connection_.failed(e);
      if (auto end = tries.end_after(e)) return end;
      Settler::pause(task, wait);
    }
  }
  return std::nullopt;
}

/// Runs an external handler.
store::Ran Runner::answer(Task& task, const ExternalFunction& function) {
  if (auto cannot = bring_content(task)) return *std::move(cannot);
  const auto start = Clock::now();
  begin(task, start);
  if (expired(task, start)) return store::RanExpired{};
  try {
    ExternalContext context{task.claimed.job, task.stop.get_token()};
    observe::fault_point("external.before");
    auto outcome = function(context);
    observe::fault_point("external.after");
    task.ran = since(start, Clock::now());
    if (std::holds_alternative<Done>(outcome)) return store::RanDone{};
    return store::undone(std::move(outcome));
  } catch (...) {
    task.ran = since(start, Clock::now());
    return store::undone_by_exception();
  }
}

store::Ran Runner::attempt(Task& task) {
  const auto& handler = services_.handlers.at(task.claimed.job.kind);
  auto& database = connection_.get();
  task.backend_pid = database.backend_pid();
  if (task.abandoned) return store::RanUndone{Retry{"given up at a stop"}, "error", {}};
  const store::RunRequest request{
      .processor = task.processor, .history = queue_.history, .timeout = handler.options.timeout};
  if (const auto* body = std::get_if<store::SqlBody>(&handler.run))
    return store::run(database, request, task.claimed, *body);
  const auto& function = std::get<HandlerFunction>(handler.run);
  return store::run(database, request, task.claimed, [&](pqxx::dbtransaction& tx) {
    Context context{task.claimed.job, tx, task.stop.get_token()};
    return function(context);
  });
}

/// Runs the handler until it is known whether its transaction committed. Lost connections, refusals
/// and conflicts run it again under the same claim, a bounded number of times; an outage while
/// connecting is waited for as long as it takes.
store::Ran Runner::attempt_until_known(Task& task) {
  if (auto cannot = bring_content(task)) return *std::move(cannot);
  Tries tries;
  while (!task.abandoned) {
    milliseconds wait{};
    try {
      (void)connection_.get();
    } catch (const DbError& e) {
      Settler::pause(task, connection_.failed(e));
      continue;
    }
    // The time of this try alone: what the database's outages take is not the handler's.
    const auto start = Clock::now();
    begin(task, start);
    try {
      auto ran = attempt(task);
      task.ran = since(start, Clock::now());
      return ran;
    } catch (const DbError& e) {
      task.ran = since(start, Clock::now());
      task.started = 0;
      task.backend_pid = 0;
      wait = connection_.failed(e);
      if (e.fault() == Fault::in_doubt && !still_ours(task)) return store::RanDone{};
      if (auto end = tries.end_after(e); end && !task.abandoned) return *std::move(end);
    }
    Settler::pause(task, wait);
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
      Settler::pause(task, connection_.failed(e));
    }
  }
  return true;
}

}  // namespace outbox::engine
