// Applies and rolls back migrations. One thread; one migrator at a time, never through a
// transaction pooler, where the session lock that keeps others out does not hold.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "store/database.hpp"

namespace outbox::store {

/// Called after a migration is committed.
struct MigrationStep {
  int version{};
  std::string name;
  bool up{};
  std::chrono::milliseconds took{};
};

struct MigrateOptions {
  /// Waiting for another migrator and for busy tables, together. At least one try is made.
  std::chrono::milliseconds lock_wait{60'000};
  bool force{};  ///< Go on although processors are alive that could not live with the result.
  std::function<void(const MigrationStep&)> on_step;
  /// Told once for each thing that it waits for, with who holds it.
  std::function<void(const std::string&)> on_wait;
};

struct DownOptions {
  int to{};                ///< 0 removes the schema.
  bool allow_data_loss{};  ///< Go on although jobs, history or dead letters would be lost.
};

/// Applies the pending migrations up to `to` (all when not given), each in its own transaction:
/// after a failure or a kill, run it again. Works as the schema's owner where the connection's role
/// is a member of it. Returns the schema version reached. Throws core::Error with code `failed`,
/// `drift` (an applied migration's checksum differs), `usage` (no such version), `busy`, `refused`
/// (a pooler), `live_processors`, `schema_newer`; core::DbError when the connection fails.
int migrate_up(Database& database, std::optional<int> to, const MigrateOptions& options);

/// Rolls back to a version, all of it in one transaction, so that a refusal half-way leaves nothing
/// changed. Runs the way back that the ledger kept, else the program's own file. Returns the
/// version reached. Throws as migrate_up; `refused` also when data would be lost.
int migrate_down(Database& database, const DownOptions& down, const MigrateOptions& options);

/// Rolls the newest migration back and applies this program's file again, in one transaction.
/// Returns its version. Throws as migrate_down; data is never lost.
int migrate_redo(Database& database, const MigrateOptions& options);

/// Completes the ledger for migrations that were applied by hand, after looking that everything is
/// as this program would have made it. Returns how many. Throws core::Error `drift` when something
/// differs, and as migrate_up.
int migrate_adopt(Database& database, const MigrateOptions& options);

}  // namespace outbox::store
