// The finish of external jobs that worked: many in one statement, one commit. Fenced by their
// tokens.
#pragma once

#include <unordered_set>
#include <vector>

#include "store/claimed.hpp"
#include "store/database.hpp"

namespace outbox::store {

/// Ids of those jobs that were still these claims', and are finished now; the others are stale.
/// Throws core::DbError.
[[nodiscard]] std::unordered_set<std::int64_t> finish_batch(
    Database& database, int processor, const std::vector<const Claimed*>& claims, bool history);

}  // namespace outbox::store
