// The claim: a processor takes jobs of one queue, and says so in the rows before any handler runs.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "store/claimed.hpp"
#include "store/database.hpp"

namespace outbox::store {

struct ClaimRequest {
  int processor{};
  std::string queue;
  std::vector<std::string> kinds;  ///< Only these are taken.
  int most{1};                     ///< 1 to 1000.
};

/// Takes up to `most` due jobs in order of priority, run_at, id, and advances `cursor`. From::start
/// makes it a sweep, which also finds rows behind the cursor: late commits, retries, jobs given
/// back. A paused queue gives none. Throws core::DbError.
[[nodiscard]] std::vector<Claimed> claim(Database& database, const ClaimRequest& request, From from,
                                         Cursor& cursor);

/// A look that found nothing, but took so long: it has walked past many jobs that are not to be
/// claimed now (of kinds without room, paused or unknown here). Moves `cursor` up to a second
/// before it, so that the next look from there need not. Throws core::DbError.
void pass_empty(Database& database, core::microseconds took, Cursor& cursor);

/// Whether claim_suspect() would find a job now. Throws core::DbError.
[[nodiscard]] bool suspect_waiting(Database& database, const ClaimRequest& request);

/// Takes up to `most` jobs whose last claim ended with its processor. Throws core::DbError.
[[nodiscard]] std::vector<Claimed> claim_suspects(Database& database, const ClaimRequest& request);

/// The same for one; `most` is ignored.
[[nodiscard]] std::optional<Claimed> claim_suspect(Database& database, ClaimRequest request);

}  // namespace outbox::store
