// Every bound that is not a setting, with its name and its reason. Values only.
#pragma once

#include <chrono>
#include <cstddef>

namespace outbox::core {

using std::chrono::milliseconds;

/// Priorities are few and fixed: a claim makes one index descent for each.
inline constexpr int kPriorities = 4;

/// Text kept of one error: enough for a stack trace, little enough for 1000 attempts of a job.
inline constexpr std::size_t kErrorBytesMax = 8'192;

/// Text kept in jobs.last_error.
inline constexpr std::size_t kLastErrorBytesMax = 1'024;

/// JSON text kept of what an external handler got back: the ends of two outputs, or an answer's
/// body.
inline constexpr std::size_t kDetailBytesMax = 65'536;

/// Details that one statement writes into the history: a batch that has more is cut.
inline constexpr std::size_t kDetailBytesAtOnce = 4'194'304;

/// Jobs that one direct statement handles. Each that writes takes a subtransaction id; beyond 64
/// the server's cache overflows.
inline constexpr int kGroupMax = 50;

/// A direct statement is kept near this: long ones hold back vacuum and make a cancel expensive.
inline constexpr milliseconds kGroupTarget{50};

/// A kind whose jobs take longer than this on average leaves the direct lane.
inline constexpr milliseconds kSlowJob{500};

/// A kind with a shorter timeout stays out of the direct lane: a group must not outlast the timeout
/// of any of its kinds.
inline constexpr milliseconds kDirectTimeoutLeast{250};

/// Jobs that one claim takes.
inline constexpr int kClaimMost = 500;

/// Handlers below this mean are prefetched.
inline constexpr milliseconds kShortHandler{20};

/// Work that is claimed ahead of the runners of one queue, in time and in jobs. A crash marks all
/// of it suspect: each of those then runs alone once.
inline constexpr milliseconds kAheadTime{10};
inline constexpr int kAheadMost = 1'000;

/// External handlers below this mean are handed over many at a time.
inline constexpr std::chrono::microseconds kQuickHandler{100};

/// Quick handlers that run under one turn of a slot.
inline constexpr int kQuickInARow = 64;

/// Large payloads of one queue that are with async handlers at a time (jobs of up to 8 KiB do not
/// count; the claim brought them). One more may start when they have not reached it.
inline constexpr std::size_t kOutsideBytes = 64U * 1024U * 1024U;

/// Suspects of async kinds that one claim takes: their handlers run no code of others in this
/// process, so they need not run alone.
inline constexpr int kSuspectsMost = 500;

/// Ends of external jobs that one statement writes.
inline constexpr int kFinishMost = 500;

/// Claims of one job, of whatever end: a snooze at a multiple of it ends in the dead letters, which
/// bounds a handler that snoozes for ever; a dead letter that somebody retries starts above the
/// next multiple.
inline constexpr int kClaimsMax = 10'000;

/// A C++ handler that ignores its stop token for so long after its timeout is stuck, and takes its
/// processor down: a thread cannot be ended from outside. Longer than a dead connection can block.
inline constexpr milliseconds kStuckAfter{30'000};

/// Longest delay that a handler or a backoff may ask for.
inline constexpr std::chrono::hours kDelayMax{24 * 30};

/// Times that one claim is run again because its connection was lost, before the job is blamed.
inline constexpr int kLostConnectionsMax = 3;

}  // namespace outbox::core
