// Applies and rolls back the migrations that are embedded in the program. One thread; one migrator
// at a time, never through a transaction pooler, where the session lock that keeps others out does
// not hold.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "store/database.hpp"

namespace outbox::store {

/// One migration, as the ledger and this program see it.
struct MigrationState {
  int version{};
  std::string name;
  bool applied{};
  bool known{};    ///< This program contains it.
  bool by_hand{};  ///< Applied without outboxd: the ledger has no checksum to compare.
  bool checksum_ok{
      true};  ///< False: what was applied under this number is not what this program contains.
  std::string applied_at;  ///< ISO 8601, UTC; empty when not applied.
};

/// What is applied and what this program could apply, oldest first. Throws core::DbError.
[[nodiscard]] std::vector<MigrationState> migration_status(Database& database);

/// Called after a migration is committed.
struct MigrationStep {
  int version{};
  std::string name;
  std::chrono::milliseconds took{};
};

struct MigrateOptions {
  /// Waiting for another migrator and for busy tables, together. At least one try is made.
  std::chrono::milliseconds lock_wait{60'000};
  std::function<void(const MigrationStep&)> on_step;
  /// Told once for each thing that it waits for, with who holds it.
  std::function<void(const std::string&)> on_wait;
};

struct DownOptions {
  int to{};                ///< 0 removes the schema.
  bool allow_data_loss{};  ///< Go on although jobs, history or dead letters would be lost.
  bool force{};            ///< Go on although processors are alive.
};

/// Applies the pending migrations up to `to` (all when not given), each in its own transaction:
/// after a failure or a kill, run it again. Returns the schema version reached. Throws core::Error
/// with code `failed` (also when an applied migration's checksum differs), `usage` (no such
/// version), `busy`, `refused` (a pooler), `schema_newer`; core::DbError when the connection fails.
int migrate_up(Database& database, std::optional<int> to, const MigrateOptions& options);

/// Rolls back to a version, all of it in one transaction, so that a refusal half-way leaves nothing
/// changed. Runs the way back that the ledger kept, else the program's own file. Returns the
/// version reached. Throws as migrate_up; `refused` also when data would be lost or processors are
/// alive.
int migrate_down(Database& database, const DownOptions& down, const MigrateOptions& options);

}  // namespace outbox::store
