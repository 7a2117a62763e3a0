// Texts for other tools.
#include "store/migrate_files.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>

#include "core/error.hpp"
#include "store/ledger.hpp"
#include "store/migration_files.hpp"

namespace outbox::store {

namespace {

using core::Error;
using core::ExitCode;
namespace fs = std::filesystem;

std::string number(int version) { return migration_label(version, "").substr(0, 4); }

void append_step(std::string& script, std::string_view file, const std::string& after) {
  script += "BEGIN;\n" + std::string{file} + after + "COMMIT;\n";
}

std::vector<ExportedFile> files_of(const Migration& migration, ExportFormat format) {
  const std::string label = migration_label(migration.version, migration.name);
  const std::string up = std::string{migration.up} + keep_texts_sql(migration);
  const std::string down{migration.down};
  switch (format) {
    case ExportFormat::dbmate:
      return {{label + ".sql", "-- migrate:up\n" + up + "\n-- migrate:down\n" + down}};
    case ExportFormat::golang_migrate:
      return {{label + ".up.sql", up}, {label + ".down.sql", down}};
    case ExportFormat::flyway:
      return {{"V" + number(migration.version) + "__" + migration.name + ".sql", up},
              {"U" + number(migration.version) + "__" + migration.name + ".sql", down}};
  }
  return {};
}

std::optional<std::string> read(const fs::path& path) {
  std::ifstream in{path, std::ios::binary};
  if (!in) return std::nullopt;
  return std::string{std::istreambuf_iterator<char>{in}, {}};
}

}  // namespace

std::string migration_script(const ScriptOptions& options) {
  const int newest = known_migrations().back().version;
  for (const int version : {options.from, options.to}) {
    if (version >= 0 && version <= newest) continue;
    throw Error{ExitCode::usage, "there is no schema version " + std::to_string(version) +
                                     ": this program has 0 to " + std::to_string(newest)};
  }
  std::string script = "\\set ON_ERROR_STOP on\n";
  for (int version = options.from + 1; version <= options.to; ++version) {
    const auto& migration = *find_migration(version);
    append_step(script, migration.up, keep_texts_sql(migration));
  }
  for (int version = options.from; version > options.to; --version) {
    if (options.allow_data_loss) script += "SET outbox.allow_data_loss = on;\n";
    append_step(script, find_migration(version)->down, "");
  }
  return script;
}

std::optional<ExportFormat> export_format(const std::string& name) {
  if (name == "dbmate") return ExportFormat::dbmate;
  if (name == "golang-migrate") return ExportFormat::golang_migrate;
  if (name == "flyway") return ExportFormat::flyway;
  return std::nullopt;
}

std::vector<ExportedFile> exported_files(ExportFormat format) {
  std::vector<ExportedFile> all;
  for (const auto& migration : known_migrations()) {
    for (auto& file : files_of(migration, format)) all.push_back(std::move(file));
  }
  return all;
}

int write_exported(const std::vector<ExportedFile>& files, const std::string& dir) {
  std::vector<const ExportedFile*> missing;
  for (const auto& file : files) {
    const auto there = read(fs::path{dir} / file.name);
    if (!there) {
      missing.push_back(&file);
    } else if (*there != file.text) {
      throw Error{
          ExitCode::refused, "file " + file.name + " in " + dir + " has another text",
          "it was changed or comes from another version: remove it, or choose another folder"};
    }
  }
  std::error_code error;
  fs::create_directories(dir, error);
  for (const auto* file : missing) {
    std::ofstream out{fs::path{dir} / file->name, std::ios::binary};
    out << file->text;
    if (!out.flush()) {
      throw Error{ExitCode::failed, "cannot write " + file->name + " into " + dir,
                  "check that the folder can be written to, then run it again"};
    }
  }
  return static_cast<int>(missing.size());
}

}  // namespace outbox::store
