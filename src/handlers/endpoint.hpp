// How much one endpoint (scheme, host, port) may be asked, now: concurrency with a slow start,
// rate, circuit breaker, and the wait that an answer asked for. Plain state, one owner, no clock of
// its own.
#pragma once

#include <string>

#include "core/options.hpp"
#include "core/pacing.hpp"
#include "handlers/breaker.hpp"

namespace outbox::handlers {

/// At most `rate` in any second, in steps of about 10 ms for high rates: a token bucket that holds
/// what 10 ms bring, at least one.
class Rate {
 public:
  explicit Rate(double per_second) : per_second_{per_second} {}
  [[nodiscard]] bool limited() const { return per_second_ > 0; }
  /// How many may go now.
  [[nodiscard]] double tokens(core::Clock::time_point now) const;
  void take(core::Clock::time_point now);
  /// When the next may go.
  [[nodiscard]] core::Clock::time_point next(core::Clock::time_point now) const;

 private:
  [[nodiscard]] double most() const { return per_second_ > 100 ? per_second_ / 100 : 1; }
  /// A full bucket and a second's refill together stay 2 % below `rate`: on their way requests draw
  /// nearer to each other.
  [[nodiscard]] double refill() const {
    return per_second_ > 100 ? per_second_ * 0.97 : per_second_;
  }

  double per_second_;
  double tokens_{1};
  core::Clock::time_point at_{};
};

class Endpoint {
 public:
  explicit Endpoint(const core::HttpHandler& options);

  /// Whether a request may be sent now.
  [[nodiscard]] bool ready(core::Clock::time_point now) const;
  /// A request that is sent; ended() wants it back.
  struct Pass {
    bool probe{};  ///< It is the breaker's probe.
    int era{};     ///< How often the breaker had opened before.
  };
  [[nodiscard]] Pass sent(core::Clock::time_point now);

  /// What an answer says about the endpoint itself.
  enum class Sign { good, bad, none };
  struct Change {
    bool opened{};  ///< The breaker has opened, again or for the first time.
    bool closed{};
    bool excused{};  ///< It failed while the endpoint was known to be down, or was sent before that
                     ///< was known.
  };
  /// One is over. `took`: of good ones, for the number of jobs to hold ready. What was sent before
  /// the breaker opened says nothing more, however late it ends.
  Change ended(core::Clock::time_point now, Sign sign, const Pass& pass, core::microseconds took,
               double spin);
  /// The endpoint asked to be left alone so long; at most breaker.pause_most.
  void hold(core::Clock::time_point now, core::milliseconds wait);

  /// Neither breaker nor wait keeps requests from it.
  [[nodiscard]] bool open(core::Clock::time_point now) const;
  /// When it may be asked again, if it is not open().
  [[nodiscard]] core::Clock::time_point again(core::Clock::time_point now) const;
  /// When the next request may be sent as far as time decides; a slot may be missing all the same.
  [[nodiscard]] core::Clock::time_point next(core::Clock::time_point now) const;
  /// How many more jobs to claim when `held` are waiting or under way.
  [[nodiscard]] int room(core::Clock::time_point now, int held) const;

  [[nodiscard]] int in_flight() const { return in_flight_ + old_; }
  [[nodiscard]] Breaker::State breaker() const { return breaker_.state(); }
  [[nodiscard]] core::Clock::time_point used_at() const { return used_at_; }

 private:
  const core::HttpHandler& options_;
  Breaker breaker_;
  Rate rate_;
  int era_{0};
  int in_flight_{0};  ///< Of this era.
  int old_{0};  ///< Under way since before the breaker opened: they hold slots, but no answer of
                ///< theirs is waited for.
  int limit_;   ///< Grows by one with every good answer, from little to options_.concurrency.
  core::MeanTime mean_;
  core::Clock::time_point held_until_{};
  core::Clock::time_point used_at_{};
};

}  // namespace outbox::handlers
