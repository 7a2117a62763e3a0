// SQL of the ledger.
#include "store/ledger.hpp"

#include "core/error.hpp"

namespace outbox::store {

namespace {

// Not by to_regclass(): it raises for who may not use the schema, be it empty or not.
constexpr pg::Statement kHasLedger{
    "ledger_exists",
    "SELECT EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = "
    "c.relnamespace WHERE n.nspname = 'outbox' AND c.relname = 'schema_migrations')"};

// Index: schema_migrations_pkey, a few rows. The migrator's EXCLUSIVE lock lets reads pass.
constexpr pg::Statement kRows{"ledger_rows", R"(/* outbox:ledger_rows */
SELECT version, name, min_reader, to_char(applied_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), applied_by, applied_via,
       up_sha256, down_sql, verify_sql, catalog
  FROM outbox.schema_migrations ORDER BY version)"};

// No table. sha256() is the server's own.
constexpr pg::Statement kSha256{
    "ledger_sha256",
    "SELECT pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to($1::text, 'UTF8')), 'hex')"};

// Index: schema_migrations_pkey. Locks: the row, under the table lock that the migration took.
constexpr pg::Statement kKeep{"ledger_keep", R"(/* outbox:ledger_keep */
UPDATE outbox.schema_migrations
   SET up_sha256 = pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to($2::text, 'UTF8')), 'hex'), up_sql = $3::text,
       down_sql = $4::text, verify_sql = $5::text, catalog = $6::text
 WHERE version = $1::integer)"};

std::string dollar_quoted(std::string_view text) {
  return "$outbox_file$" + std::string{text} + "$outbox_file$";
}

}  // namespace

bool has_ledger(pg::Session& session) { return session.run(kHasLedger)[0][0].as<bool>(); }

std::vector<LedgerRow> read_ledger(pg::Session& session) {
  std::vector<LedgerRow> ledger;
  if (!has_ledger(session)) return ledger;
  for (const auto& row : session.run(kRows)) {
    ledger.push_back({.version = row[0].as<int>(),
                      .name = pg::text(row[1]),
                      .min_reader = row[2].as<int>(),
                      .applied_at = pg::text(row[3]),
                      .applied_by = pg::text(row[4]),
                      .applied_via = pg::text(row[5]),
                      .up_sha256 = pg::text(row[6]),
                      .down_sql = pg::text(row[7]),
                      .verify_sql = pg::text(row[8]),
                      .catalog = pg::text(row[9])});
  }
  return ledger;
}

std::string way_back(const LedgerRow& row) {
  if (!row.down_sql.empty()) return row.down_sql;
  if (const auto* migration = find_migration(row.version)) return std::string{migration->down};
  throw core::Error{core::ExitCode::failed,
                    "migration " + migration_label(row.version, row.name) +
                        " was applied by hand and this program does not contain its way back",
                    "run its down file by hand, or use the program that contains it"};
}

std::string checksum(pg::Session& session, std::string_view file) {
  return pg::text(session.run(kSha256, checked_sql(file))[0][0]);
}

void keep_texts(pg::Session& session, pqxx::transaction_base& tx, const Migration& migration) {
  session.call(tx, kKeep, migration.version, checked_sql(migration.up), migration.up,
               migration.down, migration.verify, migration.catalog);
}

std::string keep_texts_sql(const Migration& migration) {
  return "UPDATE outbox.schema_migrations SET up_sha256 = "
         "pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(" +
         dollar_quoted(checked_sql(migration.up)) +
         ", 'UTF8')), 'hex'),\n  up_sql = " + dollar_quoted(migration.up) +
         ",\n  down_sql = " + dollar_quoted(migration.down) +
         ",\n  verify_sql = " + dollar_quoted(migration.verify) +
         ",\n  catalog = " + dollar_quoted(migration.catalog) +
         "\n WHERE version = " + std::to_string(migration.version) + ";\n";
}

}  // namespace outbox::store
