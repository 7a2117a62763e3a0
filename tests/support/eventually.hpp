// Waits for a condition instead of sleeping. Any thread.
#pragma once

#include <chrono>
#include <thread>

namespace outbox::test {

/// Asks `condition` every 5 ms until it says true; false after `limit`.
template <class F>
[[nodiscard]] bool eventually(std::chrono::milliseconds limit, F condition) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= end) return condition();
    std::this_thread::sleep_for(std::chrono::milliseconds{5});
  }
  return true;
}

}  // namespace outbox::test
