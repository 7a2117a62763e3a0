// The ledger outbox.schema_migrations: what is applied, and the texts that were kept with it. Used
// within store/.
#pragma once

#include <string>
#include <vector>

#include "pg/session.hpp"
#include "store/migration_files.hpp"

namespace outbox::store {

struct LedgerRow {
  int version{};
  std::string name;
  int min_reader{};
  std::string applied_at;  ///< ISO 8601, UTC.
  std::string applied_by;
  std::string applied_via;
  std::string up_sha256;  ///< Empty: applied by hand, so the texts below are empty, too.
  std::string down_sql;
  std::string verify_sql;
  std::string catalog;
};

/// Whether the database has a ledger. Throws core::DbError.
[[nodiscard]] bool has_ledger(pg::Session& session);

/// Oldest first; empty when there is no schema. Throws core::DbError.
[[nodiscard]] std::vector<LedgerRow> read_ledger(pg::Session& session);

/// The down file: the one that the ledger kept, else this program's. Throws core::Error `failed`
/// when there is neither.
[[nodiscard]] std::string way_back(const LedgerRow& row);

/// SHA-256 of a file's SQL, as the server computes it: it is the same that a DBA gets there.
[[nodiscard]] std::string checksum(pg::Session& session, std::string_view file);

/// Keeps checksum and texts with the row that the migration has written.
void keep_texts(pg::Session& session, pqxx::transaction_base& tx, const Migration& migration);

/// The same as SQL text without parameters, for files that other tools run.
[[nodiscard]] std::string keep_texts_sql(const Migration& migration);

}  // namespace outbox::store
