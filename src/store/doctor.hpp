// A look at one database with a processor's eyes: what is wrong, why it matters, how to mend it.
// Changes nothing: every statement runs in a read-only transaction with a time limit.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/duration.hpp"
#include "store/database.hpp"

namespace outbox::store::doctor {

enum class Status {
  ok,
  warning,  ///< Works, but not as well or as long as it should.
  problem,  ///< Work is lost, stands still or will, or somebody may do what nobody may.
  skipped,  ///< Could not be looked at; `what` says why, `fix` who can.
};

struct Finding {
  std::string check;  ///< One lower-case word, stable: scripts match it.
  Status status{Status::ok};
  std::string what;  ///< What was found, with names and values.
  std::string why;   ///< Why it matters; empty when ok.
  std::string fix;  ///< SQL for psql (each statement ends with `;`), else a shell command or words;
                    ///< empty when ok.
};

struct Settings {
  /// The connection is the one that a processor would have: its role is judged as well.
  bool as_processor{false};
  /// Transactions that hold the xmin horizon for longer are a warning, a problem.
  std::chrono::seconds pinned_warning{300};
  std::chrono::seconds pinned_problem{3'600};
  /// So many transactions behind, whatever its time, is a problem.
  std::int64_t pinned_ids{10'000'000};
};

/// More connections to the same database. Throws core::DbError.
using Open = std::function<Database(Use)>;

/// Every check, at least one finding each, in a fixed order. Throws core::DbError only when the
/// connection of `database` is lost.
[[nodiscard]] std::vector<Finding> examine(Database& database, const Open& open,
                                           const Settings& settings);

}  // namespace outbox::store::doctor
