// Lets a suspect job run with nothing else of the claimed lane in this process, so that a crash is
// charged to it alone.
#pragma once

#include <chrono>
#include <mutex>

#include "core/pacing.hpp"

namespace outbox::engine {

/// Counts the claims that this process holds, over all queues. Thread contract: any thread.
class SoloGate {
 public:
  /// Longest time that the other claims are held back for a suspect; after it the suspect runs
  /// beside those that are still running.
  static constexpr std::chrono::seconds kPatience{30};

  /// Whether ordinary claims may be made now.
  [[nodiscard]] bool open() const {
    const std::lock_guard lock{mutex_};
    return wanted_ == 0 && !taken_;
  }

  void claimed(int jobs) {
    const std::lock_guard lock{mutex_};
    held_ += jobs;
  }
  void finished(int jobs) {
    const std::lock_guard lock{mutex_};
    held_ -= jobs;
  }

  /// One dispatcher's wish to run a suspect, from its first try until the suspect is finished or
  /// the wish is dropped.
  class Wish {
   public:
    explicit Wish(SoloGate& gate) : gate_{gate}, since_{core::Clock::now()} { gate_.want(+1); }
    ~Wish() {
      gate_.want(-1);
      if (has_) gate_.give_back();
    }
    Wish(const Wish&) = delete;
    Wish& operator=(const Wish&) = delete;

    /// True once everything else has finished, or patience is over, and no other dispatcher runs a
    /// suspect.
    [[nodiscard]] bool granted() {
      return has_ = has_ || gate_.take(core::Clock::now() - since_ > kPatience);
    }

   private:
    SoloGate& gate_;
    core::Clock::time_point since_;
    bool has_{false};
  };

 private:
  void want(int change) {
    const std::lock_guard lock{mutex_};
    wanted_ += change;
  }
  bool take(bool impatient) {
    const std::lock_guard lock{mutex_};
    if (taken_ || (held_ > 0 && !impatient)) return false;
    return taken_ = true;
  }
  void give_back() {
    const std::lock_guard lock{mutex_};
    taken_ = false;
  }

  mutable std::mutex mutex_;
  int held_{0};        // guarded by mutex_
  int wanted_{0};      // guarded by mutex_
  bool taken_{false};  // guarded by mutex_
};

}  // namespace outbox::engine
