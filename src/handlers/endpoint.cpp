// The rules of asking an endpoint.
#include "handlers/endpoint.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace outbox::handlers {

using core::Clock;
using core::microseconds;
using core::milliseconds;

namespace {

/// A first crowd of connections would meet an empty DNS cache, and a server that is not warm.
constexpr int kFirstLimit = 64;
/// Jobs are claimed so long before their turn comes, if there is a rate.
constexpr milliseconds kRateAhead{250};

double seconds(Clock::duration duration) { return std::chrono::duration<double>(duration).count(); }

}  // namespace

double Rate::tokens(Clock::time_point now) const {
  if (at_ == Clock::time_point{}) return most();
  return std::min(most(), tokens_ + seconds(now - at_) * refill());
}

void Rate::take(Clock::time_point now) {
  if (!limited()) return;
  tokens_ = tokens(now) - 1;
  at_ = now;
}

Clock::time_point Rate::next(Clock::time_point now) const {
  if (!limited()) return now;
  const double missing = 1 - tokens(now);
  if (missing <= 0) return now;
  return now + std::chrono::ceil<microseconds>(std::chrono::duration<double>(missing / refill()));
}

Endpoint::Endpoint(const core::HttpHandler& options)
    : options_{options},
      breaker_{options.breaker},
      rate_{options.rate},
      limit_{std::min(options.concurrency, kFirstLimit)} {}

bool Endpoint::open(Clock::time_point now) const {
  return now >= held_until_ && breaker_.allows(now);
}

Clock::time_point Endpoint::again(Clock::time_point now) const {
  auto at = std::max(now, held_until_);
  if (breaker_.state() == Breaker::State::open) at = std::max(at, breaker_.open_until());
  return at;
}

bool Endpoint::ready(Clock::time_point now) const {
  return in_flight_ < limit_ && in_flight() < options_.concurrency && open(now) &&
         rate_.next(now) <= now;
}

Clock::time_point Endpoint::next(Clock::time_point now) const {
  return std::max(again(now), rate_.next(now));
}

Endpoint::Pass Endpoint::sent(Clock::time_point now) {
  ++in_flight_;
  rate_.take(now);
  used_at_ = now;
  return {breaker_.sent(now), era_};
}

Endpoint::Change Endpoint::ended(Clock::time_point now, Sign sign, const Pass& pass,
                                 microseconds took, double spin) {
  used_at_ = now;
  if (pass.era != era_) {
    --old_;
    return {.excused = sign == Sign::bad};
  }
  --in_flight_;
  if (sign == Sign::none) {
    if (pass.probe) breaker_.probe_dropped();
    return {};
  }
  const bool good = sign == Sign::good;
  if (good) {
    mean_.add(took);
    limit_ = std::min(options_.concurrency, limit_ + 1);
  }
  if (!breaker_.answered(now, good, pass.probe, spin)) return {};
  if (breaker_.state() == Breaker::State::closed) return {.closed = true};
  ++era_;
  old_ += std::exchange(in_flight_, 0);
  limit_ = 1;
  return {.opened = true, .excused = pass.probe};
}

void Endpoint::hold(Clock::time_point now, milliseconds wait) {
  held_until_ = std::max(held_until_, now + std::min(wait, options_.breaker.pause_most));
}

int Endpoint::room(Clock::time_point now, int held) const {
  if (!open(now)) return 0;
  if (breaker_.state() != Breaker::State::closed)
    return held <= in_flight() && in_flight() < options_.concurrency ? 1 : 0;
  const int ahead = mean_.known() ? core::jobs_ahead(limit_, true, mean_.value()) : 0;
  // With a stock of short jobs, one large claim when it is half gone instead of many small ones.
  const int fresh = held - old_;
  if (fresh > limit_ + ahead / 2) return 0;
  int room = std::min(limit_, options_.concurrency - old_) + ahead - fresh;
  if (rate_.limited()) {
    const double soon = rate_.tokens(now) + options_.rate * seconds(kRateAhead);
    room = std::min(room, static_cast<int>(std::ceil(soon)) - (held - in_flight()));
  }
  return std::max(0, room);
}

}  // namespace outbox::handlers
