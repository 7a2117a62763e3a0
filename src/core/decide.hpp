// From what a handler said to what is written: a pure function, so that every case stands in one
// table test.
#pragma once

#include <chrono>
#include <string>
#include <variant>

#include <outbox/outcome.hpp>

#include "core/options.hpp"

namespace outbox::core {

/// The counters of a claimed job that decide its fate.
struct Standing {
  int attempt{};  ///< The running one included.
  int max_attempts{};
  int claims{};  ///< claim_token: claims so far, of whatever end.
};

struct WriteDone {};
struct WriteRetry {
  milliseconds delay{};
  std::string error;
};
struct WriteSnooze {
  milliseconds delay{};
};
struct WriteDead {
  const char* reason{};  ///< As in dead_jobs.reason.
  std::string error;
};
using Verdict = std::variant<WriteDone, WriteRetry, WriteSnooze, WriteDead>;

template <class... Fs>
struct overloaded : Fs... {
  using Fs::operator()...;
};
template <class... Fs>
overloaded(Fs...) -> overloaded<Fs...>;

/// first * factor^(attempt-1), at most cap, spread by +-jitter; `spin` is uniform in [0, 1). Same
/// formula as outbox.backoff.
[[nodiscard]] milliseconds backoff_delay(const Backoff& backoff, int attempt, double spin);

/// Delays that handlers give are cut to [0, kDelayMax].
[[nodiscard]] Verdict decide(const Standing& standing, const Outcome& outcome,
                             const Backoff& backoff, double spin);

}  // namespace outbox::core
