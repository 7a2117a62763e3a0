// Thresholds, and what to say beyond them.
#include "store/doctor_judge.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

#include "store/doctor_check.hpp"

namespace outbox::store::doctor {

namespace {

using std::chrono::microseconds;

constexpr microseconds kSkewMost{1'000'000};
/// Half of what there is: the server stops taking writes at about 2.1 billion.
constexpr std::int64_t kAgeMost = 1'000'000'000;

}  // namespace

std::string milliseconds_text(microseconds time) {
  std::array<char, 32> text{};
  const int size =
      std::snprintf(text.data(), text.size(), "%.1f ms", static_cast<double>(time.count()) / 1000);
  return {text.data(), static_cast<std::size_t>(std::max(size, 0))};
}

Finding judge_clock(microseconds skew, microseconds trip) {
  const auto size = skew < microseconds::zero() ? -skew : skew;
  const auto what = "the server's clock is " + milliseconds_text(size) +
                    (skew < microseconds::zero() ? " behind" : " ahead of") + " this machine's (" +
                    "round trip " + milliseconds_text(trip) + ")";
  if (size - trip / 2 <= kSkewMost) return ok("clock", what);
  return warning(
      "clock", what,
      "the database's clock decides when a job is due, expires or is late: a run_at that a "
      "producer computes by another clock is early or late by as much",
      "synchronise both (chronyc tracking, or timedatectl timesync-status); let producers "
      "give delays, not moments: outbox.enqueue(..., run_at => now() + interval '5 min')");
}

Finding judge_age(const std::string& object, std::int64_t age, std::int64_t freeze_max_age,
                  const std::string& fix) {
  const auto what = "the oldest transaction id of " + object + " is " + std::to_string(age) +
                    " back; autovacuum freezes at " + std::to_string(freeze_max_age);
  // It begins there and needs its time.
  if (age <= freeze_max_age + freeze_max_age / 10) return ok("wraparound", what);
  constexpr const char* kWhy =
      "autovacuum does not get through; at about 2.1 billion the server takes no more writes";
  if (age > kAgeMost) return problem("wraparound", what, kWhy, fix);
  return warning("wraparound", what, kWhy, fix);
}

Finding judge_connections(std::int64_t used, std::int64_t most) {
  const auto what =
      std::to_string(used) + " of " + std::to_string(most) + " connections are in use";
  constexpr const char* kWhy =
      "a processor that starts, or comes back after an outage, opens a handful and is refused";
  constexpr const char* kFix =
      "SELECT usename, application_name, state, count(*) FROM pg_stat_activity GROUP BY 1, 2, 3 "
      "ORDER "
      "BY 4 DESC; -- who holds them; then put a pooler before the applications, or raise "
      "max_connections";
  if (used * 100 > most * 95) return problem("connections", what, kWhy, kFix);
  if (used * 100 > most * 80) return warning("connections", what, kWhy, kFix);
  return ok("connections", what);
}

}  // namespace outbox::store::doctor
