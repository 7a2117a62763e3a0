// The doctor on versions: the server's and the schema's.
#include "store/doctor_check.hpp"

namespace outbox::store::doctor {

namespace {

// Catalogs and settings only. No locks.
constexpr pg::Statement kServer{"doctor_server", R"(/* outbox:doctor_server */
SELECT current_setting('server_version_num')::int, current_setting('server_version'), current_database(), current_user)"};

constexpr int kServerOldest = 140'000;

std::string version_text(int version) { return "version " + std::to_string(version); }

}  // namespace

Findings check_server(Checkup& checkup) {
  const auto row = ask(checkup.database, kServer)[0];
  const auto what = "PostgreSQL " + pg::text(row[1]) + ", database " + pg::text(row[2]) +
                    ", role " + pg::text(row[3]);
  if (row[0].as<int>() >= kServerOldest) return {ok("server", what)};
  return {problem("server", what + "; 14 or later is expected",
                  "outboxd uses statements and settings that this server does not have",
                  "pg_upgrade to PostgreSQL 14 or later")};
}

Findings check_schema(Checkup& checkup) {
  constexpr const char* kWhy = "a processor of this version refuses to start on it";
  if (checkup.fit == Fit::unknown) {
    return {skipped("schema", "this role may not read outbox.schema_migrations",
                    "run doctor as a member of outbox_inspector, or as the schema's owner")};
  }
  if (!checkup.schema)
    return {problem("schema", "there is no schema outbox", kWhy, "outboxd migrate up")};
  const int version = checkup.schema->version;
  if (const auto error = compatible(checkup.schema, schema_built_for(), kSchemaOldest)) {
    const bool old = error->code() == core::ExitCode::pending;
    return {problem("schema", error->what(), kWhy, old ? "outboxd migrate up" : error->hint())};
  }
  if (version < schema_built_for()) {
    return {
        warning("schema",
                version_text(version) + "; this program brings " + version_text(schema_built_for()),
                "migrations are pending: what is new in this program may not work yet",
                "outboxd migrate up")};
  }
  if (version == schema_built_for()) return {ok("schema", version_text(version))};
  return {ok("schema", version_text(version) + ", newer than this program (" +
                           version_text(schema_built_for()) + ") and compatible with it")};
}

}  // namespace outbox::store::doctor
