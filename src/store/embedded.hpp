// The migration files, embedded in the program at build time. Any thread; knows nothing of the
// database.
#pragma once

#include <span>
#include <string_view>

namespace outbox::store {

struct EmbeddedFile {
  std::string_view name;  // below migrations/, such as 0001_ledger.up.sql or verify/0001_ledger.sql
  std::string_view text;
};

// Every migrations/NNNN_name.{up,down}.sql, verify/NNNN_name.sql and catalog/NNNN_name.txt, sorted
// by name. Lives as long as the program.
[[nodiscard]] std::span<const EmbeddedFile> embedded_migrations();

}  // namespace outbox::store
