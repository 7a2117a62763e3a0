// Keeps history, dead letters and failures within their retention; no DDL, only TRUNCATE of whole
// day slots and small deletes.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/options.hpp"
#include "store/database.hpp"

namespace outbox::store {

/// Writes the history settings of these queues where people and retention can see them; a pause is
/// left as it is.
void save_queues(Database& database, const std::map<std::string, core::QueueOptions>& queues);

/// The day slots, 0 to 31, that hold rows and that no queue keeps any more.
[[nodiscard]] std::vector<int> expired_slots(Database& database);

/// Truncates one of them; false: it is not expired any more. Waits at most 1 s for the lock, which
/// every finish of the slot's day needs too (core::Fault::busy).
[[nodiscard]] bool truncate_slot(Database& database, int slot);

/// One day of one queue whose history is past that queue's retention but not past the longest one
/// of all queues, or (no queue) the rows of 32 days ago that today's slot still holds because no
/// processor ran to truncate it.
struct HistoryDay {
  std::string queue;   ///< Empty: every queue.
  std::int64_t day{};  ///< Days since 1970, UTC.
  friend auto operator<=>(const HistoryDay&, const HistoryDay&) = default;
};
[[nodiscard]] std::vector<HistoryDay> expired_days(Database& database);

/// Deletes up to `most` rows of that day. Reads the day's slot: call it once a day for each.
[[nodiscard]] std::int64_t trim_history(Database& database, const HistoryDay& day, int most);

/// Deletes up to `most` dead letters, and failures of jobs that are gone, older than `days`.
[[nodiscard]] std::int64_t prune_dead(Database& database, int days, int most);
[[nodiscard]] std::int64_t prune_failures(Database& database, int days, int most);

/// Deletes audit rows older than a year, among the `most` oldest.
[[nodiscard]] std::int64_t prune_audit(Database& database, int most);

}  // namespace outbox::store
