// Queues as a table and as JSON; for queues list and stats. Pure.
#pragma once

#include <string>
#include <vector>

#include "cli/output.hpp"
#include "store/queues.hpp"

namespace outbox::cli {

[[nodiscard]] std::string queues_text(const std::vector<store::QueueStatus>& statuses);
[[nodiscard]] Json queue_json(const store::QueueStatus& status);

/// A count that may have stopped at its bound: "100000+".
[[nodiscard]] std::string count_text(std::int64_t count, bool capped);

}  // namespace outbox::cli
