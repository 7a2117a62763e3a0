// Keeps history, dead letters and failures within their retention; no DDL, only TRUNCATE of whole
// day slots and small deletes.
#pragma once

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

/// Truncates the day slots that no queue keeps any more. Returns them. Waits at most 1 s for a lock
/// (core::Fault::busy).
[[nodiscard]] std::vector<int> truncate_history(Database& database);

/// Deletes up to `most` history rows that their own queue keeps for fewer days than others do, or
/// that an idle month left behind.
[[nodiscard]] std::int64_t trim_history(Database& database, int most);

/// Deletes up to `most` dead letters, and failures of jobs that are gone, older than `days`.
[[nodiscard]] std::int64_t prune_dead(Database& database, int days, int most);
[[nodiscard]] std::int64_t prune_failures(Database& database, int days, int most);

}  // namespace outbox::store
