// Whether a processor may start on a connection: its role, its rights, and the schema's version.
#pragma once

#include <string>
#include <vector>

#include "core/error.hpp"
#include "store/database.hpp"

namespace outbox::store {

/// What the session's role may do, of what matters to a processor.
struct Standing {
  std::string role;                  ///< In effect: after any SET ROLE.
  std::string excess;                ///< Why it may more than a processor should; or empty.
  std::vector<std::string> missing;  ///< "INSERT, UPDATE on outbox.processors"
};

/// Throws core::DbError.
[[nodiscard]] Standing standing(Database& database);

/// Why no processor should start with that role; its code is `configuration`. Pure.
[[nodiscard]] core::Error too_privileged(const Standing& standing);
[[nodiscard]] core::Error lacks_rights(const Standing& standing);

/// Throws core::Error when no processor must start here: its role may too much
/// (database.allow_privileged_role permits that) or too little (both `configuration`), or the
/// schema is missing or does not fit (see compatible()). Throws core::DbError, too.
Standing admit(Database& database, const core::DatabaseOptions& options);

}  // namespace outbox::store
