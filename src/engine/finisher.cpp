// While one batch commits, the next one gathers: no delay is added, and the busier the queue, the
// more jobs share a commit.
#include "engine/finisher.hpp"

#include <algorithm>

#include "core/limits.hpp"
#include "store/finish_batch.hpp"

namespace outbox::engine {

using core::DbError;

namespace {

std::string_view kept(const Task& task) {
  return task.keep_detail ? std::string_view{task.detail} : std::string_view{};
}

/// How many of the first ones fit into one statement with what is kept of them; at least one.
std::size_t at_once(std::span<const TaskPtr> tasks) {
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    bytes += kept(*tasks[i]).size();
    if (i > 0 && bytes > core::kDetailBytesAtOnce) return i;
  }
  return tasks.size();
}

}  // namespace

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
    settler_.pause_kind(*task);
    if (std::holds_alternative<store::RanDone>(*task->answer)) {
      done[task->processor].push_back(task);
    } else {
      settler_.end(*task, *task->answer);
    }
  }
  for (const auto& [processor, some] : done) {
    for (std::span<const TaskPtr> rest{some}; !rest.empty();) {
      const auto first = rest.first(at_once(rest));
      write_done(processor, first);
      rest = rest.subspan(first.size());
    }
  }
}

/// Until the database has answered or the tasks are abandoned; the tokens make a repetition
/// harmless.
void Finisher::write_done(int processor, std::span<const TaskPtr> tasks) {
  bool in_doubt = false;
  ReconnectWait again;
  for (;;) {
    std::vector<store::FinishClaim> claims;
    for (const auto& task : tasks) {
      if (!task->abandoned) claims.push_back({&task->claimed, kept(*task)});
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
