// The finish of external jobs that worked: many in one statement, one commit. Fenced by their
// tokens.
#pragma once

#include <unordered_map>
#include <vector>

#include "store/claimed.hpp"
#include "store/database.hpp"

namespace outbox::store {

/// Tokens by job id.
using FinishedClaims = std::unordered_map<std::int64_t, int>;

/// The claims that still held their jobs, which are finished now; the others are stale. Throws
/// core::DbError.
[[nodiscard]] FinishedClaims finish_batch(Database& database, int processor,
                                          const std::vector<const Claimed*>& claims, bool history);

}  // namespace outbox::store
