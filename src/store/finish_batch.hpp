// The finish of external jobs that worked: many in one statement, one commit. Fenced by their
// tokens.
#pragma once

#include <string_view>
#include <unordered_map>
#include <vector>

#include "store/claimed.hpp"
#include "store/database.hpp"

namespace outbox::store {

/// Tokens by job id.
using FinishedClaims = std::unordered_map<std::int64_t, int>;

struct FinishClaim {
  const Claimed* claimed{};
  std::string_view detail{};  ///< JSON text for the history, at most core::kDetailBytesMax; empty:
                              ///< none.
};

/// The claims that still held their jobs, which are finished now; the others are stale. Details of
/// which one is not JSON for the server are all left out; without history they are not looked at.
/// Throws core::DbError.
[[nodiscard]] FinishedClaims finish_batch(Database& database, int processor,
                                          const std::vector<FinishClaim>& claims, bool history);

}  // namespace outbox::store
