// Claims that nobody knows of: their statement committed, and its reply was lost.
#pragma once

#include <string>

#include "store/claimed.hpp"
#include "store/database.hpp"

namespace outbox::store {

/// Gives back, uncharged, what `processor` has claimed in `queue` apart from the claims `known`.
/// Walks the queue's due jobs: only for after a lost connection. Rows that are locked just now are
/// left; ask again later. Returns how many. Throws core::DbError.
int release_strays(Database& database, int processor, const std::string& queue,
                   const LatestClaims& known);

}  // namespace outbox::store
