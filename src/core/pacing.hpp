// When to sweep, how many jobs to take at once, how long to wait when nothing was found. Plain
// state, one owner, no clock of its own.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "core/limits.hpp"

namespace outbox::core {

using Clock = std::chrono::steady_clock;
using std::chrono::microseconds;

/// A sweep may take at most a tenth of the time: due again after max(50 ms, 10 x its duration);
/// soon, when somebody waits for it (to fall asleep), after 10 x its duration. Of the last two the
/// shorter counts, and a pause has an end: a stall (a lock, a network that was away) is no slow
/// index, and what came meanwhile waits behind the cursor.
class SweepPace {
 public:
  enum class When { usual, soon };
  [[nodiscard]] bool due(Clock::time_point now, When when = When::usual) const {
    return now >= (when == When::soon ? soon_ : next_);
  }
  void swept(Clock::time_point end, Clock::duration took) {
    soon_ = end + std::min<Clock::duration>(10 * std::min(took, last_), kPauseMost);
    last_ = took;
    next_ = std::max(soon_, end + std::chrono::milliseconds{50});
  }

 private:
  static constexpr std::chrono::seconds kPauseMost{5};

  Clock::time_point next_;
  Clock::time_point soon_;
  Clock::duration last_{Clock::duration::max()};
};

/// Size of a direct group: grows while statements stay short, shrinks when they do not.
class GroupSize {
 public:
  [[nodiscard]] int value() const { return value_; }
  void handled(int jobs, Clock::duration took) {
    if (took > kGroupTarget) {
      value_ = std::max(1, value_ / 2);
    } else if (jobs >= value_ && took < kGroupTarget / 2) {
      value_ = std::min(kGroupMax, value_ * 2);
    }
  }
  void shrink_to_one() { value_ = 1; }

 private:
  int value_{8};
};

/// Waits of 1, 2, 4, 8 ms after empty claims, back to 1 after work.
class IdleWait {
 public:
  void worked() { next_ = std::chrono::milliseconds{1}; }
  [[nodiscard]] std::chrono::milliseconds next() {
    const auto wait = next_;
    next_ = std::min(next_ * 2, std::chrono::milliseconds{8});
    return wait;
  }

 private:
  std::chrono::milliseconds next_{1};
};

/// How many jobs to hold beyond those that run, so that runners find work while the next claim is
/// on its way: about kAheadTime of work, and none for long handlers, whose jobs others may run
/// meanwhile.
[[nodiscard]] inline int jobs_ahead(int concurrency, bool known, microseconds mean) {
  if (!known) return concurrency;
  if (mean > kShortHandler) return 0;
  const auto each = std::max(mean, microseconds{1});
  const auto jobs = static_cast<std::int64_t>(concurrency) * (microseconds{kAheadTime} / each);
  return static_cast<int>(
      std::clamp<std::int64_t>(jobs, concurrency, std::max(concurrency, kAheadMost)));
}

/// Running mean of a kind's handler time; the last 16 or so jobs weigh most.
class MeanTime {
 public:
  void add(microseconds took) {
    const double us = static_cast<double>(took.count());
    mean_us_ = seen_++ == 0 ? us : mean_us_ + (us - mean_us_) / 16;
  }
  [[nodiscard]] microseconds value() const {
    return microseconds{static_cast<std::int64_t>(mean_us_)};
  }
  [[nodiscard]] bool known() const { return seen_ > 0; }

 private:
  double mean_us_{0};
  std::int64_t seen_{0};
};

}  // namespace outbox::core
