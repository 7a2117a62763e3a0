// What is applied, and whether it is as it should be. Changes nothing; one thread.
#pragma once

#include <string>
#include <vector>

#include "store/database.hpp"

namespace outbox::store {

/// One migration, as the ledger and this program see it.
struct MigrationState {
  int version{};
  std::string name;
  int min_reader{};
  bool applied{};
  bool known{};    ///< This program contains it.
  bool by_hand{};  ///< Applied without outboxd: the ledger has no checksum to compare.
  bool checksum_ok{
      true};  ///< False: what was applied under this number is not what this program contains.
  std::string applied_at;   ///< ISO 8601, UTC; empty when not applied.
  std::string applied_by;   ///< Session user.
  std::string applied_via;  ///< application_name.
};

/// What is applied and what this program could apply, oldest first. Throws core::DbError.
[[nodiscard]] std::vector<MigrationState> migration_status(Database& database);

/// What verifying one applied migration gave.
struct Verified {
  int version{};
  std::string name;
  std::string problem;  ///< Empty: as it should be.
};

/// Runs the verify script of each applied migration, this program's or else the one that the ledger
/// kept, read-only, and compares checksums. Throws core::DbError when the connection fails.
[[nodiscard]] std::vector<Verified> migrate_verify(Database& database);

/// The first line of the server's error, without its severity.
[[nodiscard]] std::string server_message(const std::string& text);

}  // namespace outbox::store
