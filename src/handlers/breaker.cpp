// The states of a breaker.
#include "handlers/breaker.hpp"

#include <algorithm>
#include <cmath>

namespace outbox::handlers {

using core::Clock;

bool Breaker::allows(Clock::time_point now) const {
  switch (state_) {
    case State::closed:
      return true;
    case State::open:
      return now >= open_until_;
    case State::half_open:
      return !probing_;
  }
  return false;
}

bool Breaker::sent(Clock::time_point now) {
  if (state_ == State::open && now >= open_until_) state_ = State::half_open;
  if (state_ != State::half_open) return false;
  probing_ = true;
  return true;
}

/// While it is open only the probe counts: what comes in was sent before.
bool Breaker::answered(Clock::time_point now, bool good, bool probe, double spin) {
  if (!options_.enabled) return false;
  if (probe) {
    probing_ = false;
    if (state_ != State::half_open) return false;
    if (!good) {
      open(now, spin);
      return true;
    }
    state_ = State::closed;
    opened_ = 0;
    slots_ = {};
    return true;
  }
  if (state_ != State::closed) return false;
  count(now, good);
  if (good || !failing()) return false;
  open(now, spin);
  return true;
}

void Breaker::open(Clock::time_point now, double spin) {
  const double plain =
      std::min(static_cast<double>(options_.pause_most.count()),
               static_cast<double>(options_.pause.count()) * std::pow(2.0, std::min(opened_, 40)));
  open_until_ = now + core::milliseconds{std::llround(plain * (0.8 + 0.4 * spin))};
  ++opened_;
  state_ = State::open;
}

void Breaker::count(Clock::time_point now, bool good) {
  const auto stretch = std::max<Clock::duration>(options_.window / kSlots, Clock::duration{1});
  const std::int64_t number = now.time_since_epoch() / stretch;
  for (auto& slot : slots_) {
    if (number - slot.number >= static_cast<std::int64_t>(kSlots)) slot = {};
  }
  auto& slot = slots_.at(static_cast<std::size_t>(number) % kSlots);
  slot.number = number;
  ++(good ? slot.good : slot.bad);
}

bool Breaker::failing() const {
  int bad = 0;
  int all = 0;
  for (const auto& slot : slots_) {
    bad += slot.bad;
    all += slot.bad + slot.good;
  }
  return all >= options_.least && bad >= options_.failures * all;
}

}  // namespace outbox::handlers
