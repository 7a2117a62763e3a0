// When the next scheduled job of a queue is due, so that a processor can sleep until then.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "store/database.hpp"

namespace outbox::store {

/// Time until the first job that is not due yet; nullopt when none is scheduled. At least 0.
[[nodiscard]] std::optional<std::chrono::milliseconds> next_due(Database& database,
                                                                const std::string& queue);

}  // namespace outbox::store
