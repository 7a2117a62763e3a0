// What a migration does to relations that were there before it, measured within its transaction.
// Used by the rehearsal.
#pragma once

#include <string>
#include <vector>

#include "pg/session.hpp"
#include "store/rehearse.hpp"

namespace outbox::store {

/// Runs a migration's file in a transaction of its own and commits it. `allow_data_loss` is what
/// the file's setting of that name is set to. Throws core::DbError.
[[nodiscard]] MeasuredRun measured_run(pg::Session& session, const std::string& sql, bool up,
                                       bool allow_data_loss);

/// Tables and partitioned tables with more than kScanRows rows, by the statistics of ANALYZE.
[[nodiscard]] std::vector<std::string> large_tables(pg::Session& session);

}  // namespace outbox::store
