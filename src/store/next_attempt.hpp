// A job as its handler would see it at its next attempt; nothing is claimed.
#pragma once

#include <cstdint>
#include <optional>

#include <outbox/job.hpp>

#include "store/database.hpp"

namespace outbox::store {

struct NextAttempt {
  Job job;             ///< attempt: the one that runs, or the next.
  bool dead{};         ///< A dead letter: it would need a retry first.
  std::int64_t now{};  ///< Seconds since 1970 by the database's clock.
};

/// Nothing when no live or dead job has the id. Throws core::DbError, rejected with 42501 for a
/// dead letter when this role may not read its payload.
[[nodiscard]] std::optional<NextAttempt> next_attempt(Database& database, std::int64_t id);

}  // namespace outbox::store
