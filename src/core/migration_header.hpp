// The comment at the top of a migration file, read as what it promises: locks, rewrites, scans,
// time, what is lost. migrations/README.md describes the fields. Pure; any thread.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace outbox::core {

/// A lock on a table or view that existed before the migration.
struct DeclaredLock {
  std::string table;  ///< With its schema.
  std::string mode;   ///< As in LOCK TABLE: ACCESS EXCLUSIVE.
  std::string words;  ///< What it blocks, and for how long.
};

struct MigrationHeader {
  /// Every field by its key, in the order of the file; lines joined by '\n'.
  std::vector<std::pair<std::string, std::string>> fields;
  std::vector<DeclaredLock> locks;
  std::vector<std::string> rewrites;  ///< Tables.
  std::vector<std::string> scans;     ///< Tables.
  std::chrono::milliseconds duration{};
  bool loses_data{};
  std::vector<std::string> prechecks;  ///< SQL that returns no row when all is well.
  int min_reader{};
  /// What is missing or cannot be read, in words; empty: the header is whole.
  std::vector<std::string> problems;

  /// A field's text; empty when there is none.
  [[nodiscard]] std::string field(std::string_view key) const;
};

/// The fields that every file has, in their order.
[[nodiscard]] const std::vector<std::string>& migration_header_keys();

/// Reads the header of a whole file. Never throws: see MigrationHeader::problems.
[[nodiscard]] MigrationHeader parse_migration_header(std::string_view file);

/// The text after the line that ends the header; all of it when there is no such line.
[[nodiscard]] std::string_view below_header(std::string_view file);

}  // namespace outbox::core
