// Whether a processor may start on a connection: its role, its rights, and the schema's version.
#pragma once

#include <string>

#include "store/database.hpp"

namespace outbox::store {

/// Who a processor works as.
struct Standing {
  std::string role;    ///< In effect: after any SET ROLE.
  std::string excess;  ///< Why it may more than a processor should; or empty.
};

/// Throws core::Error when no processor must start here: its role may too much
/// (database.allow_privileged_role permits that) or too little (both `configuration`), or the
/// schema is missing or does not fit (see compatible()). Throws core::DbError, too.
Standing admit(Database& database, const core::DatabaseOptions& options);

}  // namespace outbox::store
