// The roles of migrations/roles.sql in a test database, and sessions that have them.
#pragma once

#include <string>

#include "support/database.hpp"

namespace outbox::test {

/// Runs migrations/roles.sql there. Roles belong to the server: they stay, and other test programs
/// may be making them at the same moment.
void make_roles(TestDatabase& db);

/// The same database, with `role` as current_user; session_user stays who logged in.
[[nodiscard]] core::DatabaseOptions as_role(core::DatabaseOptions options, const std::string& role);

}  // namespace outbox::test
