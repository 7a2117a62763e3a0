// A claimed job on its way through this process, and the two hand-overs: dispatcher to runners,
// runners to dispatcher.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "core/pacing.hpp"
#include "store/claimed.hpp"
#include "store/run.hpp"

namespace outbox::engine {

struct Task {
  // constant once handed over
  int processor{};  ///< Id that it was claimed with.
  store::Claimed claimed;
  core::Clock::time_point received{};  ///< When the claim's reply came.
  bool quick{};  ///< An external handler that takes microseconds: a runner may take many in a row.

  std::stop_source stop;  ///< Requested at the timeout, and when it is abandoned.
  std::atomic<bool> abandoned{
      false};  ///< Do not write its end: it will be given back, or is not ours any more.
  std::atomic<int> backend_pid{0};           ///< While its handler runs.
  std::atomic<core::Clock::rep> started{0};  ///< 0: no handler runs.

  // written by the runner before it comes back
  bool settled{false};  ///< Its end is in the database.
  core::microseconds ran{};
  core::microseconds waited{};       ///< From run_at to its handler's start.
  std::optional<store::Ran> answer;  ///< Of an external handler that ran: for the finisher.
  std::string detail;                ///< JSON object as text, for job_failures.detail; empty: none.
  bool keep_detail{false};           ///< Also for finished_jobs.detail.
  std::string pause_kind;            ///< Not empty: why its kind is to be paused.
};
using TaskPtr = std::shared_ptr<Task>;

/// Unstarted tasks, first in first out. Thread contract: any thread.
class RunQueue {
 public:
  /// Adds tasks and wakes up to `runners` of those that wait.
  void push(std::vector<TaskPtr> tasks, int runners) {
    {
      const std::lock_guard lock{mutex_};
      tasks_.insert(tasks_.end(), std::make_move_iterator(tasks.begin()),
                    std::make_move_iterator(tasks.end()));
    }
    for (int i = 0; i < runners; ++i) ready_.notify_one();
  }
  /// Wakes one more runner if tasks are left: those that were woken may be held up. True when it
  /// did.
  bool nudge() {
    {
      const std::lock_guard lock{mutex_};
      if (tasks_.empty()) return false;
    }
    ready_.notify_one();
    return true;
  }
  /// The next task if it is there and quick; else nullptr.
  [[nodiscard]] TaskPtr take_quick() {
    const std::lock_guard lock{mutex_};
    if (tasks_.empty() || !tasks_.front()->quick) return nullptr;
    auto task = std::move(tasks_.front());
    tasks_.pop_front();
    return task;
  }
  /// Waits for a task; nullptr when `stop` was requested first.
  [[nodiscard]] TaskPtr take(const std::stop_token& stop) {
    std::unique_lock lock{mutex_};
    if (!ready_.wait(lock, stop, [this] { return !tasks_.empty(); })) return nullptr;
    auto task = std::move(tasks_.front());
    tasks_.pop_front();
    return task;
  }
  /// Takes all that no runner has taken.
  [[nodiscard]] std::deque<TaskPtr> drain() {
    const std::lock_guard lock{mutex_};
    return std::exchange(tasks_, {});
  }

 private:
  std::mutex mutex_;
  std::condition_variable_any ready_;
  std::deque<TaskPtr> tasks_;  // guarded by mutex_
};

/// Tasks that came back from their runner. Thread contract: any thread pushes, the dispatcher
/// takes.
class Inbox {
 public:
  void push(std::vector<TaskPtr> tasks) {
    const std::lock_guard lock{mutex_};
    tasks_.insert(tasks_.end(), std::make_move_iterator(tasks.begin()),
                  std::make_move_iterator(tasks.end()));
  }
  void push(TaskPtr task) {
    const std::lock_guard lock{mutex_};
    tasks_.push_back(std::move(task));
  }
  [[nodiscard]] std::vector<TaskPtr> take() {
    const std::lock_guard lock{mutex_};
    return std::exchange(tasks_, {});
  }

 private:
  std::mutex mutex_;
  std::vector<TaskPtr> tasks_;  // guarded by mutex_
};

}  // namespace outbox::engine
