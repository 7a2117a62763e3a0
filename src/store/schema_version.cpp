// Reading the ledger's two numbers, and the rule that compares them with the program's.
#include "store/schema_version.hpp"

#include <string>

#include "pg/session.hpp"
#include "store/ledger.hpp"
#include "store/migration_files.hpp"

namespace outbox::store {

namespace {

// The migrator's EXCLUSIVE lock on the ledger lets reads pass.
constexpr pg::Statement kVersion{
    "schema_version",
    "SELECT max(version), max(min_reader) FROM outbox.schema_migrations HAVING count(*) > 0"};

}  // namespace

int schema_built_for() { return known_migrations().back().version; }

std::optional<SchemaVersion> schema_version(Database& database) {
  auto& session = database.session();
  if (!has_ledger(session)) return std::nullopt;
  const auto rows = session.run(kVersion);
  if (rows.empty()) return std::nullopt;
  return SchemaVersion{.version = rows[0][0].as<int>(), .min_reader = rows[0][1].as<int>()};
}

std::optional<core::Error> compatible(const std::optional<SchemaVersion>& schema, int built_for,
                                      int oldest) {
  using core::Error;
  using core::ExitCode;
  const std::string needed = std::to_string(oldest);
  if (!schema) {
    return Error{
        ExitCode::pending,
        "the database has no outboxd schema; this program needs version " + needed,
        "check that it is the right database, then run outboxd migrate up and start again"};
  }
  const std::string found = "the schema is at version " + std::to_string(schema->version);
  if (schema->version < oldest) {
    return Error{ExitCode::pending, found + ", this program needs " + needed,
                 "run outboxd migrate up with this program, then start again"};
  }
  if (schema->version > built_for && schema->min_reader > built_for) {
    return Error{ExitCode::schema_newer,
                 found + " and asks for a program built for " + std::to_string(schema->min_reader) +
                     " or later; this one was built for " + std::to_string(built_for),
                 "do not restart it: deploy the newer program, or roll the schema back with "
                 "outboxd migrate down --to " +
                     std::to_string(built_for)};
  }
  return std::nullopt;
}

}  // namespace outbox::store
