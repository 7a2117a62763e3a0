// While one batch commits, the next one gathers: no delay is added, and the busier the queue, the
// more jobs share a commit.
#include "engine/finisher.hpp"

#include <algorithm>

#include "core/limits.hpp"
#include "store/finish_batch.hpp"

namespace outbox::engine {

using core::DbError;

Finisher::Finisher(Services& services, const core::QueueOptions& queue, Inbox& inbox,
                   Lane& dispatcher, LanePlan& plan)
    : queue_{queue},
      inbox_{inbox},
      dispatcher_{dispatcher},
      connection_{services.options.database, services.events, "finish", store::Use::claims},
      settler_{services, plan, connection_} {}

void Finisher::push(TaskPtr task) {
  {
    const std::lock_guard lock{mutex_};
    tasks_.push_back(std::move(task));
  }
  ready_.notify_one();
}

void Finisher::run(const std::stop_token& stop) {
  for (;;) {
    {
      std::unique_lock lock{mutex_};
      if (!ready_.wait(lock, stop, [this] { return !tasks_.empty(); })) return;
    }
    (void)turn();
  }
}

int Finisher::turn() {
  auto tasks = take();
  if (tasks.empty()) return 0;
  const int count = static_cast<int>(tasks.size());
  finish(tasks);
  inbox_.push(std::move(tasks));
  dispatcher_.notify();
  return count;
}

std::vector<TaskPtr> Finisher::take() {
  const std::lock_guard lock{mutex_};
  if (tasks_.size() <= core::kFinishMost) return std::exchange(tasks_, {});
  const auto end = tasks_.begin() + core::kFinishMost;
  std::vector<TaskPtr> some{std::make_move_iterator(tasks_.begin()), std::make_move_iterator(end)};
  tasks_.erase(tasks_.begin(), end);
  return some;
}

void Finisher::finish(std::span<const TaskPtr> tasks) {
  std::map<int, std::vector<TaskPtr>> done;  // by processor: it may have registered anew meanwhile
  for (const auto& task : tasks) {
    if (task->abandoned || !task->answer) continue;
    if (std::holds_alternative<store::RanDone>(*task->answer)) {
      done[task->processor].push_back(task);
    } else {
      settler_.end(*task, *task->answer);
    }
  }
  for (const auto& [processor, some] : done) write_done(processor, some);
}

/// Until the database has answered or the tasks are abandoned; the tokens make a repetition
/// harmless.
void Finisher::write_done(int processor, std::span<const TaskPtr> tasks) {
  bool in_doubt = false;
  ReconnectWait again;
  for (;;) {
    std::vector<const store::Claimed*> claims;
    for (const auto& task : tasks) {
      if (!task->abandoned) claims.push_back(&task->claimed);
    }
    if (claims.empty()) return;
    try {
      const auto finished =
          store::finish_batch(connection_.get(), processor, claims, queue_.history);
      for (const auto& task : tasks) {
        if (task->abandoned) continue;
        const auto found = finished.find(task->claimed.job.id);
        if (in_doubt || (found != finished.end() && found->second == task->claimed.claim_token)) {
          settler_.finished(*task);
        } else {
          settler_.stale(*task);
        }
      }
      return;
    } catch (const DbError& e) {
      in_doubt = in_doubt || e.unsure();
      Settler::pause(*tasks.front(), std::max(connection_.failed(e), again.next()));
    }
  }
}

}  // namespace outbox::engine
