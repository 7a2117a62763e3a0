// What a migration would do here and now, before it is run. Changes nothing; one thread.
#pragma once

#include <string>
#include <vector>

#include "core/migration_header.hpp"
#include "store/database.hpp"

namespace outbox::store {

/// A pre-check and what it found.
struct Precheck {
  std::string what;                   ///< In words, or the SQL of the file's header.
  std::vector<std::string> findings;  ///< A line each; empty: all is well.
};

struct PlannedStep {
  int version{};
  std::string name;
  bool up{};
  core::MigrationHeader header;
  std::string sql;  ///< The file that would be run.
  std::vector<Precheck> prechecks;
};

struct PlannedProcessor {
  int id{};
  std::string name;
  std::string program;  ///< Version of outboxd.
  bool could_live{};    ///< With the schema after the last step.
};

struct MigrationPlan {
  int from{};
  int to{};
  std::vector<PlannedStep> steps;
  std::vector<Precheck> prechecks;  ///< Of every migration: what would keep it from its locks.
  std::vector<PlannedProcessor> processors;

  /// Whether nothing found stands in the way.
  [[nodiscard]] bool clear() const;
};

/// The way from the present version to `to`, up or down. Throws core::Error `usage` when there is
/// no such version, `failed` when there is no way back; core::DbError.
[[nodiscard]] MigrationPlan migration_plan(Database& database, int to);

}  // namespace outbox::store
