// A part of a queue's claimed lane that has its own place in the index and its own pace. Plain
// state of the dispatcher's thread.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "core/pacing.hpp"
#include "engine/async_handler.hpp"
#include "store/claimed.hpp"

namespace outbox::engine {

/// Either all kinds that run on the queue's threads, or one kind with an AsyncHandler. Apart,
/// because a kind that has no room just now would otherwise be left behind by the cursor of the
/// others, and found again by sweeps only.
struct Share {
  AsyncHandler* async{nullptr};  ///< nullptr: the queue's threads.
  std::string kind;              ///< Of the AsyncHandler.

  store::Cursor cursor;
  core::SweepPace sweep;
  core::IdleWait idle;
  core::Clock::time_point next_look{};    ///< Not before, while other shares keep the lane busy.
  core::Clock::time_point empty_since{};  ///< Start of the last look from the start that was empty.

  // of this turn
  std::vector<std::string> kinds;  ///< That may be claimed.
  int room{0};
};

/// A look that found nothing and took longer has walked past jobs that are not to be claimed.
constexpr std::chrono::milliseconds kCheapLook{5};

/// A look that found nothing may take at most a tenth of the time: it may have walked past many
/// jobs of kinds that are not to be claimed.
[[nodiscard]] inline core::milliseconds pause_after_empty(core::Clock::duration took) {
  constexpr std::chrono::seconds kMost{5};
  if (took < kCheapLook) return core::milliseconds{0};
  return std::chrono::ceil<core::milliseconds>(std::min<core::Clock::duration>(9 * took, kMost));
}

}  // namespace outbox::engine
