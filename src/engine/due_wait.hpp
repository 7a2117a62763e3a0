// How long a sleeping lane may rest before the next scheduled job of its queue. Plain state of one
// thread.
#pragma once

#include <algorithm>
#include <chrono>
#include <optional>

#include "core/pacing.hpp"

namespace outbox::engine {

/// Remembers the moment, so that the database is asked once a rest, and again when the moment has
/// passed: what it belonged to may be gone, and the next one be due soon after.
class DueWait {
 public:
  /// Something changed: ask again.
  void forget() { at_.reset(); }

  /// Time until the next scheduled job, at most `most`. `ask` tells how long that is from now, or
  /// nothing when none is scheduled.
  template <class Ask>
  [[nodiscard]] core::milliseconds next(core::milliseconds most, Ask ask) {
    const auto now = core::Clock::now();
    if (!at_ || now >= *at_) {
      const core::milliseconds day = std::chrono::hours{24};
      at_ = now + std::min(day, ask().value_or(day));  // a run_at may be far beyond our clock's end
    }
    return std::min(most, std::chrono::ceil<core::milliseconds>(*at_ - now));
  }

 private:
  std::optional<core::Clock::time_point> at_;
};

}  // namespace outbox::engine
