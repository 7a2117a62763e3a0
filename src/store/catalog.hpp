// What schema outbox consists of, as lines of text that do not depend on the server's version, its
// owners or grants: to compare two databases, or one with what the migrations make.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "store/database.hpp"

namespace outbox::store {

/// Every object of schema outbox, a line each: "kind identity: definition", sorted bytewise.
/// Owners, grants and data are not in it; a kind `storage` line holds a table's storage settings.
/// Empty when there is no such schema. Throws core::DbError.
[[nodiscard]] std::vector<std::string> catalog(Database& database);

/// What the migrations make up to `version`: those of this program, and for others what the ledger
/// kept. Nothing when neither knows. Throws core::DbError.
[[nodiscard]] std::optional<std::vector<std::string>> expected_catalog(Database& database,
                                                                       int version);

/// Two sorted lists of lines, compared.
struct CatalogDrift {
  std::vector<std::string> missing;     ///< Expected and not there.
  std::vector<std::string> unexpected;  ///< There and not expected.
  std::string unknown_why;              ///< Not empty: there is nothing to compare with, and why.

  [[nodiscard]] bool none() const { return missing.empty() && unexpected.empty(); }
};

/// Pure.
[[nodiscard]] CatalogDrift compare(const std::vector<std::string>& expected,
                                   const std::vector<std::string>& found);

/// The database compared with what the migrations make up to its version. Throws core::DbError.
[[nodiscard]] CatalogDrift catalog_drift(Database& database);

/// A migration's catalog file, applied to the lines of the version before it: `+ line` adds one,
/// `- line` takes one away. Pure.
[[nodiscard]] std::vector<std::string> changed_by(std::vector<std::string> before,
                                                  const std::string& catalog_file);

/// The file for changed_by() that leads from one catalog to another. Pure.
[[nodiscard]] std::string catalog_file(const std::vector<std::string>& before,
                                       const std::vector<std::string>& after);

}  // namespace outbox::store
