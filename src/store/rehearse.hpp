// Migrations tried on a scratch copy: up, verify, down, compare, up again; what was measured beside
// what the files declare. One thread. Whatever the database at hand holds is migrated, rolled back
// and filled: never call it on one that matters.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/migration_header.hpp"
#include "store/database.hpp"

namespace outbox::store {

/// One run of one file.
struct MeasuredRun {
  bool up{};
  std::chrono::milliseconds took{};
  std::int64_t wal_bytes{};
  std::map<std::string, std::string> locks;  ///< Strongest mode by table, as in the header.
  std::vector<std::string> rewrites;         ///< Tables.
  std::vector<std::string> scans;            ///< Tables read by more than kScanRows rows.
};

/// A read of more rows than this counts as a scan: looking whether a table is empty is none.
inline constexpr int kScanRows = 10'000;

struct RehearsedMigration {
  int version{};
  std::string name;
  core::MigrationHeader up;
  core::MigrationHeader down;
  std::vector<MeasuredRun> runs;      ///< Up, down, up; fewer when one failed.
  std::vector<std::string> problems;  ///< What differs from what is declared; empty: nothing.
};

struct Rehearsal {
  int from{};
  int to{};
  std::string server;                        ///< Version of PostgreSQL.
  std::map<std::string, std::int64_t> rows;  ///< Before the first step, by table.
  std::vector<RehearsedMigration> migrations;

  [[nodiscard]] bool as_declared() const;
};

struct RehearseOptions {
  int to{};                    ///< The last migration to rehearse.
  std::int64_t rows{100'000};  ///< Live jobs made where there are none; 0: none are made.
  std::function<void(const std::string&)> on_progress;
};

/// Rehearses every migration from the database's version up to `to`, and leaves it there. A failing
/// file ends the rehearsal and is reported as a problem. Throws core::Error, core::DbError.
[[nodiscard]] Rehearsal rehearse(Database& scratch, const RehearseOptions& options);

/// What a run differs in from its header, in words. `large`: the tables of more than kScanRows
/// rows, the only ones whose scan can be seen. Pure.
[[nodiscard]] std::vector<std::string> differences(const core::MigrationHeader& declared,
                                                   const MeasuredRun& run,
                                                   const std::vector<std::string>& large);

}  // namespace outbox::store
