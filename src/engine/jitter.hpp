// Spread for every timer, so that processors that started together do not act together.
#pragma once

#include <chrono>
#include <random>

namespace outbox::engine {

/// Uniform in [0, 1); one generator for each thread.
[[nodiscard]] inline double spin() {
  thread_local std::minstd_rand generator{std::random_device{}()};
  return std::uniform_real_distribution<double>{0.0, 1.0}(generator);
}

/// `duration` made up to a tenth shorter or longer.
[[nodiscard]] inline std::chrono::milliseconds jittered(std::chrono::milliseconds duration) {
  return std::chrono::milliseconds{
      static_cast<std::int64_t>(static_cast<double>(duration.count()) * (0.9 + 0.2 * spin()))};
}

/// Waits between tries to connect: 100 ms, doubling to 2 s, jittered; back to the start by reset().
class ReconnectWait {
 public:
  [[nodiscard]] std::chrono::milliseconds next() {
    const auto wait = next_;
    next_ = std::min(next_ * 2, std::chrono::milliseconds{2'000});
    return jittered(wait);
  }
  void reset() { next_ = std::chrono::milliseconds{100}; }

 private:
  std::chrono::milliseconds next_{100};
};

}  // namespace outbox::engine
