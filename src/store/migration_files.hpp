// The embedded migration files, put together by number. Any thread; knows nothing of the database.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/migration_header.hpp"

namespace outbox::store {

/// One migration of this program. The texts live as long as the program.
struct Migration {
  int version{};
  std::string name;  ///< File name without number and ending.
  std::string_view up;
  std::string_view down;
  std::string_view verify;   ///< Read-only SQL that fails when its result is not there.
  std::string_view catalog;  ///< The objects it adds and removes; see store/catalog.hpp.
};

/// Every migration of this program, oldest first; never empty.
[[nodiscard]] const std::vector<Migration>& known_migrations();

/// The migration of that number; nullptr when this program does not contain it.
[[nodiscard]] const Migration* find_migration(int version);

/// What the checksum covers: the SQL, not the header above it, which may be mended after a release.
[[nodiscard]] std::string checked_sql(std::string_view file);

/// 0002_jobs
[[nodiscard]] std::string migration_label(int version, const std::string& name);

/// The header of a file, of which every release's are tested to be whole.
[[nodiscard]] core::MigrationHeader header_of(std::string_view file);

}  // namespace outbox::store
