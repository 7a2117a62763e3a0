// Looks at the sql handlers of the configuration before any job runs: the function exists, the
// statement is valid, the role may be used.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/options.hpp"
#include "store/sql_body.hpp"

namespace outbox::store {

struct CheckedHandlers {
  std::map<std::string, SqlBody> bodies;  ///< By kind: what outbox.guard executes.
  std::vector<std::string> errors;  ///< One line for each kind that cannot run here, all at once.
};

/// Resolves functions to the longest of their signatures (jsonb, bigint, integer, jsonb), and
/// prepares every statement once.
[[nodiscard]] CheckedHandlers check_handlers(Database& database,
                                             const std::map<std::string, core::KindOptions>& kinds);

}  // namespace outbox::store
