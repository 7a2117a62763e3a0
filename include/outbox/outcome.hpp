// What a handler says about its job: a closed set of values; the engine decides what follows.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <variant>

namespace outbox {

/// The job is finished. The only outcome that commits what the handler wrote.
struct Done {};

/// Not now: run again after `delay` (0 to 30 days, longer is cut). Costs no attempt. The handler's
/// writes are undone.
struct Snooze {
  std::chrono::milliseconds delay{};
};

/// Never again: the job goes to the dead letters with `why`. The handler's writes are undone.
struct Discard {
  std::string why;
};

/// This attempt failed. Runs again after `after`, or after the kind's backoff when not given; goes
/// to the dead letters when it was the last attempt. The handler's writes are undone. Throwing any
/// exception means the same.
struct Retry {
  std::string why;
  std::optional<std::chrono::milliseconds> after{};
};

using Outcome = std::variant<Done, Snooze, Discard, Retry>;

}  // namespace outbox
