// Status, plan and verification of migrations as text and JSON. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/output.hpp"
#include "store/migrate_plan.hpp"
#include "store/migrate_state.hpp"
#include "store/schema_version.hpp"

namespace outbox::cli {

struct StatusCounts {
  int pending{};
  int different{};
  int by_hand{};
};

[[nodiscard]] StatusCounts count(const std::vector<store::MigrationState>& states);

[[nodiscard]] std::string status_text(const std::vector<store::MigrationState>& states,
                                      const std::optional<store::SchemaVersion>& schema);
[[nodiscard]] Json status_json(const std::vector<store::MigrationState>& states,
                               const std::optional<store::SchemaVersion>& schema);

/// `sql`: with the text of every step at the end.
[[nodiscard]] std::string plan_text(const store::MigrationPlan& plan, bool sql);
[[nodiscard]] Json plan_json(const store::MigrationPlan& plan);

[[nodiscard]] std::string verified_text(const std::vector<store::Verified>& all);
[[nodiscard]] Json verified_json(const std::vector<store::Verified>& all);

}  // namespace outbox::cli
