// Everything at a glance, bounded: live jobs by queue and state, what finished lately, dead
// letters, processors.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "store/database.hpp"
#include "store/moment.hpp"
#include "store/queues.hpp"

namespace outbox::store {

/// Jobs by queue. `capped`: counting stopped at the bound, so the numbers are lower limits.
struct CountByQueue {
  std::map<std::string, std::int64_t> queues;
  bool capped{};
};

struct ProcessorStatus {
  int id{};
  std::string name;
  std::string version;
  int pid{};
  std::vector<std::string> queues;
  Moment started_at;
  double heartbeat_age_seconds{};
  bool dead{};
  bool late{};  ///< No heartbeat for dead_after, and nobody has marked it dead yet.
  std::string dead_reason;
};

struct Stats {
  Moment now;  ///< The database's clock.
  int schema{};
  std::vector<QueueStatus> queues;
  std::optional<CountByQueue>
      finished_minute;  ///< Nothing: counting took longer than the statement timeout.
  std::optional<CountByQueue> finished_hour;  ///< Only queues that keep history.
  CountByQueue dead;
  std::vector<ProcessorStatus>
      processors;  ///< Alive ones, then the dead, latest first; at most kProcessorsMost.
};

inline constexpr int kFinishedMost = 1'000'000;
inline constexpr int kDeadMost = 100'000;
inline constexpr int kProcessorsMost = 100;

/// Several statements, so not one snapshot. Throws core::DbError.
[[nodiscard]] Stats stats(Database& database);

}  // namespace outbox::store
