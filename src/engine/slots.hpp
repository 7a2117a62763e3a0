// A queue's concurrency: both lanes take a slot for each handler that runs at the same time.
#pragma once

#include <condition_variable>
#include <mutex>
#include <stop_token>
#include <utility>

namespace outbox::engine {

/// Thread contract: any thread.
class Slots {
 public:
  explicit Slots(int most) : free_{most} {}

  class Slot {
   public:
    explicit Slot(Slots* slots) : slots_{slots} {}
    ~Slot() {
      if (slots_ != nullptr) slots_->give_back();
    }
    Slot(Slot&& other) noexcept : slots_{std::exchange(other.slots_, nullptr)} {}
    Slot(const Slot&) = delete;
    Slot& operator=(const Slot&) = delete;
    Slot& operator=(Slot&&) = delete;
    [[nodiscard]] explicit operator bool() const { return slots_ != nullptr; }

   private:
    Slots* slots_;
  };

  /// Waits for a free slot; an empty one when `stop` was requested first.
  [[nodiscard]] Slot take(const std::stop_token& stop) {
    std::unique_lock lock{mutex_};
    if (!freed_.wait(lock, stop, [this] { return free_ > 0; })) return Slot{nullptr};
    --free_;
    return Slot{this};
  }

 private:
  void give_back() {
    {
      const std::lock_guard lock{mutex_};
      ++free_;
    }
    freed_.notify_one();
  }

  std::mutex mutex_;
  std::condition_variable_any freed_;
  int free_;  // guarded by mutex_
};

}  // namespace outbox::engine
