// A queue's concurrency: both lanes take a slot for each handler that runs at the same time.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <list>
#include <mutex>
#include <stop_token>
#include <utility>
#include <variant>

namespace outbox::engine {

/// Thread contract: any thread. In turns: a direct worker asks again microseconds after it gave its
/// slot back, and would get it before a runner that waits has even woken.
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
    Slot& operator=(Slot&& other) noexcept {
      std::swap(slots_, other.slots_);
      return *this;
    }
    [[nodiscard]] explicit operator bool() const { return slots_ != nullptr; }

   private:
    Slots* slots_;
  };

  /// Waits for a free slot; an empty one when `stop` was requested first.
  [[nodiscard]] Slot take(const std::stop_token& stop) {
    std::unique_lock lock{mutex_};
    const auto place = waiting_.emplace(waiting_.end());
    const bool taken =
        freed_.wait(lock, stop, [&] { return free_ > 0 && place == waiting_.begin(); });
    waiting_.erase(place);
    if (taken) --free_;
    if (free_ > 0) freed_.notify_all();  // it is the next one's turn
    return Slot{taken ? this : nullptr};
  }
  /// How many wait for a slot.
  [[nodiscard]] std::size_t waiting() const {
    const std::lock_guard lock{mutex_};
    return waiting_.size();
  }

 private:
  void give_back() {
    {
      const std::lock_guard lock{mutex_};
      ++free_;
    }
    freed_.notify_all();  // only the first of those who wait may take it
  }

  mutable std::mutex mutex_;
  std::condition_variable_any freed_;
  std::list<std::monostate> waiting_;  // guarded by mutex_
  int free_;                           // guarded by mutex_
};

}  // namespace outbox::engine
