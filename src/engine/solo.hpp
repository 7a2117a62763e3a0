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
  /// `patience`: longest time that the other claims are held back for a suspect; after it the
  /// suspect runs beside those that are still running.
  explicit SoloGate(core::Clock::duration patience = std::chrono::seconds{30})
      : patience_{patience} {}

  /// An ordinary claim in the making, if one may be made now. It counts as a job until it goes, so
  /// that no suspect is let in between the statement and the jobs that it brings.
  class Entry {
   public:
    explicit Entry(SoloGate& gate) : gate_{gate}, open_{gate.enter()} {}
    ~Entry() {
      if (open_) gate_.finished(1);
    }
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;
    [[nodiscard]] explicit operator bool() const { return open_; }

   private:
    SoloGate& gate_;
    const bool open_;
  };

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
      return has_ = has_ || gate_.take(core::Clock::now() - since_ > gate_.patience_);
    }

   private:
    SoloGate& gate_;
    core::Clock::time_point since_;
    bool has_{false};
  };

 private:
  bool enter() {
    const std::lock_guard lock{mutex_};
    if (wanted_ > 0 || taken_) return false;
    ++held_;
    return true;
  }
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

  const core::Clock::duration patience_;
  std::mutex mutex_;
  int held_{0};        // guarded by mutex_
  int wanted_{0};      // guarded by mutex_
  bool taken_{false};  // guarded by mutex_
};

}  // namespace outbox::engine
