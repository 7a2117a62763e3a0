// Which schema the database has, and whether this program may run on it. Reads one small table;
// never waits for a migration.
#pragma once

#include <optional>

#include "core/error.hpp"
#include "store/database.hpp"

namespace outbox::store {

/// The schema that this program was built for: the newest embedded migration.
[[nodiscard]] int schema_built_for();

/// The oldest schema that this program can run on.
inline constexpr int kSchemaOldest = 5;

struct SchemaVersion {
  int version{};     ///< Newest applied migration.
  int min_reader{};  ///< Oldest schema that a program may have been built for and still run on this
                     ///< one.
};

/// The schema of the database; nothing when it has none. Throws core::DbError.
[[nodiscard]] std::optional<SchemaVersion> schema_version(Database& database);

/// Why a program built for schema `built_for`, able to run on `oldest` and later, must not run on
/// `schema`; nothing when it may. The error's code is `pending` (migrate, then retry) or
/// `schema_newer` (do not restart). Pure.
[[nodiscard]] std::optional<core::Error> compatible(const std::optional<SchemaVersion>& schema,
                                                    int built_for, int oldest);

}  // namespace outbox::store
