// The circuit breaker of one endpoint: opens when many of the last answers failed, lets one request
// through now and then, closes when that one succeeds. Plain state, one owner, no clock of its own.
#pragma once

#include <array>
#include <cstdint>

#include "core/options.hpp"
#include "core/pacing.hpp"

namespace outbox::handlers {

class Breaker {
 public:
  explicit Breaker(const core::BreakerOptions& options) : options_{options} {}

  enum class State { closed, open, half_open };
  [[nodiscard]] State state() const { return state_; }
  /// When it lets a request through again; only while it is open.
  [[nodiscard]] core::Clock::time_point open_until() const { return open_until_; }

  /// Whether a request may be sent now. In the half-open state one at a time may: the probe.
  [[nodiscard]] bool allows(core::Clock::time_point now) const;
  /// A request is sent. True: it is the probe, and answered() must hear of it.
  [[nodiscard]] bool sent(core::Clock::time_point now);
  /// What came of it. `spin`, uniform in [0, 1), spreads the pause by +-20 %. Returns whether the
  /// state changed.
  bool answered(core::Clock::time_point now, bool good, bool probe, double spin);
  /// The probe was not answered either way: it was dropped, or failed here.
  void probe_dropped() { probing_ = false; }

 private:
  void open(core::Clock::time_point now, double spin);
  void count(core::Clock::time_point now, bool good);
  [[nodiscard]] bool failing() const;

  static constexpr std::size_t kSlots = 10;
  struct Slot {
    std::int64_t number{-1};  ///< Which stretch of time it counts.
    int good{0};
    int bad{0};
  };

  const core::BreakerOptions& options_;
  State state_{State::closed};
  bool probing_{false};
  int opened_{0};  ///< Times in a row, without having closed.
  core::Clock::time_point open_until_{};
  std::array<Slot, kSlots> slots_{};  ///< Together they cover the window.
};

}  // namespace outbox::handlers
