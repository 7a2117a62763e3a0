// Migrations as files for other tools: psql, dbmate, golang-migrate, Flyway. Pure; no database.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace outbox::store {

struct ScriptOptions {
  int from{};
  int to{};                ///< Below `from`: the way back.
  bool allow_data_loss{};  ///< Only for the way back.
};

/// One file for psql, safe when it is run carelessly: it stops at the first error, each step is a
/// transaction and keeps the migration's texts in the ledger. Throws core::Error (usage) when this
/// program has no such versions.
[[nodiscard]] std::string migration_script(const ScriptOptions& options);

enum class ExportFormat { dbmate, golang_migrate, flyway };

[[nodiscard]] std::optional<ExportFormat> export_format(const std::string& name);

struct ExportedFile {
  std::string name;
  std::string text;
};

/// Every migration of this program, for the tool. Its files leave the same state as outboxd.
[[nodiscard]] std::vector<ExportedFile> exported_files(ExportFormat format);

/// Writes the files into a folder, which is made when it is missing. Leaves alone what is there
/// with the same text. Throws core::Error: `refused` when a file of that name has another text,
/// `failed` when it cannot write; then nothing was written. Returns how many files are new.
int write_exported(const std::vector<ExportedFile>& files, const std::string& dir);

}  // namespace outbox::store
