// A scratch database beside the one at hand, and rows to fill it with. Used by the rehearsal.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/options.hpp"
#include "store/database.hpp"

namespace outbox::store {

/// Created on the same server, dropped when destroyed.
class ScratchDatabase {
 public:
  enum class Contents {
    nothing,
    copy  ///< Of the database at hand, which nobody else may use meanwhile.
  };

  /// Throws core::Error `refused` when the role may not create databases or others use the one that
  /// is to be copied; core::DbError.
  ScratchDatabase(const core::DatabaseOptions& options, Contents contents);
  ~ScratchDatabase();
  ScratchDatabase(const ScratchDatabase&) = delete;
  ScratchDatabase& operator=(const ScratchDatabase&) = delete;
  ScratchDatabase(ScratchDatabase&&) = delete;
  ScratchDatabase& operator=(ScratchDatabase&&) = delete;

  [[nodiscard]] core::DatabaseOptions options() const;

 private:
  core::DatabaseOptions server_;
  std::string name_;
};

/// Inserts synthetic jobs where outbox.jobs is there and empty: `live` waiting and scheduled ones,
/// a tenth of that finished, a hundredth dead with a failure each; then ANALYZE. Returns whether it
/// did.
bool fill_with_jobs(Database& database, std::int64_t live);

/// A fingerprint of every live job's data, by id: it stays the same as long as no row is lost or
/// changed. Empty when there is no table of jobs.
[[nodiscard]] std::string live_jobs_fingerprint(Database& database);

/// Tables of outbox that have rows and that the SQL drops, when it is not allowed to lose data. All
/// is undone. Throws core::DbError, OB001 when the SQL refuses.
[[nodiscard]] std::vector<std::string> tables_lost_by(Database& database, const std::string& sql);

/// Rows of the tables of outbox, counted.
[[nodiscard]] std::map<std::string, std::int64_t> count_rows(Database& database);

}  // namespace outbox::store
