// The ends that are rare, and must be written all the same.
#include "engine/settler.hpp"

#include <condition_variable>
#include <mutex>
#include <thread>

#include "core/decide.hpp"
#include "store/kinds.hpp"

namespace outbox::engine {

using core::DbError;
using core::milliseconds;

observe::JobRef ref(const store::Claimed& claimed) {
  return {claimed.job.id, claimed.job.queue, claimed.job.kind, claimed.job.attempt};
}

void Settler::end(Task& task, const store::Ran& ran) {
  std::visit(core::overloaded{
                 [&](const store::RanDone&) { finished(task); },
                 [&](const store::RanUndone& how) { undone(task, how); },
                 [&](const store::RanStale&) { stale(task); },
                 [&](const store::RanExpired&) {
                   write(task, core::WriteDead{"expired", "it expired before it could start"},
                         {"expired", {}, task.detail});
                 },
             },
             ran);
}

void Settler::finished(Task& task) {
  task.settled = true;
  observe(task);
  services_.events.finished(ref(task.claimed), task.waited, task.ran);
}

void Settler::stale(Task& task) {
  task.settled = true;
  services_.events.stale_finish(ref(task.claimed));
}

void Settler::undone(Task& task, const store::RanUndone& undone) {
  if (task.abandoned) return;
  const auto& claimed = task.claimed;
  const auto& kind = services_.handlers.at(claimed.job.kind);
  const core::Standing standing{claimed.job.attempt, claimed.job.max_attempts, claimed.claim_token};
  write(task, core::decide(standing, undone.outcome, kind.options.backoff, spin()),
        {undone.reason, undone.sqlstate, task.detail});
  if (!std::holds_alternative<Snooze>(undone.outcome)) observe(task);
}

void Settler::observe(const Task& task) {
  if (plan_.observe(task.claimed.job.kind, task.ran)) services_.waker.wake_lanes();
}

/// Writes an end until the database has taken or refused it; the token makes a repetition harmless.
void Settler::write(Task& task, const core::Verdict& verdict, const store::Failure& failure) {
  bool in_doubt = false;
  ReconnectWait again;
  while (!task.abandoned) {
    try {
      const bool written =
          store::settle(connection_.get(), task.processor, task.claimed, verdict, failure);
      if (!written && !in_doubt) return stale(task);
      task.settled = true;
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
      in_doubt = in_doubt || e.unsure();
      pause(task, std::max(connection_.failed(e), again.next()));
    }
  }
}

void Settler::pause_kind(const Task& task) {
  if (task.pause_kind.empty()) return;
  const auto& kind = task.claimed.job.kind;
  plan_.pause(kind);
  ReconnectWait again;
  while (!task.abandoned) {
    try {
      const auto paused = store::pause_kind(
          connection_.get(), kind,
          {.why = task.pause_kind, .actor = "processor " + std::to_string(task.processor)});
      if (!paused.was_paused) services_.events.kind_paused(kind, task.pause_kind);
      return;
    } catch (const DbError& e) {
      pause(task, std::max(connection_.failed(e), again.next()));
    }
  }
}

void Settler::pause(const Task& task, milliseconds most) {
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
