// The state machine's only decision.
#include "core/decide.hpp"

#include <algorithm>
#include <cmath>

#include "core/limits.hpp"

namespace outbox::core {

namespace {

milliseconds cut(milliseconds delay) {
  return std::clamp<milliseconds>(delay, milliseconds{0}, kDelayMax);
}

}  // namespace

milliseconds backoff_delay(const Backoff& backoff, int attempt, double spin) {
  const double exponent = std::min(attempt, 64) - 1;
  const double plain =
      std::min(static_cast<double>(backoff.cap.count()),
               static_cast<double>(backoff.first.count()) * std::pow(backoff.factor, exponent));
  return milliseconds{std::llround(plain * (1 + backoff.jitter * (2 * spin - 1)))};
}

Verdict decide(const Standing& standing, const Outcome& outcome, const Backoff& backoff,
               double spin) {
  return std::visit(
      overloaded{
          [](const Done&) -> Verdict { return WriteDone{}; },
          [&](const Snooze& snooze) -> Verdict {
            if (standing.claims > 0 && standing.claims % kClaimsMax == 0) {
              return WriteDead{"discarded",
                               "snoozed too often: " + std::to_string(kClaimsMax) + " claims"};
            }
            return WriteSnooze{cut(snooze.delay)};
          },
          [](const Discard& discard) -> Verdict {
            return WriteDead{"discarded", discard.why};
          },
          [&](const Retry& retry) -> Verdict {
            if (standing.attempt >= standing.max_attempts) return WriteDead{"attempts", retry.why};
            const auto delay =
                retry.after ? cut(*retry.after) : backoff_delay(backoff, standing.attempt, spin);
            return WriteRetry{delay, retry.why};
          },
      },
      outcome);
}

}  // namespace outbox::core
