// Which database a command works on: the options that name it, and connecting to it. Main thread.
#pragma once

#include <string>

#include <CLI/CLI.hpp>

#include "core/options.hpp"
#include "store/database.hpp"

namespace outbox::cli {

/// Filled by CLI11 before a command runs.
struct Target {
  std::string url;
  std::string config;
};

/// Adds --url and --config, which exclude each other.
void add_target(CLI::App& command, Target& target);

/// --url or --config, else OUTBOX_URL, else OUTBOX_CONFIG: so that no password has to stand on a
/// command line, where every user of the machine sees it. Throws core::Error (usage) when none is
/// given, (configuration) when the file is wrong.
[[nodiscard]] core::DatabaseOptions database_options(const Target& target);

/// Connects. Throws what database_options() throws, and core::DbError whose text repeats no
/// password.
[[nodiscard]] store::Database connect(const Target& target, const std::string& role);

/// connect(), and checks that this program may work on the schema there: throws core::Error
/// (pending, schema_newer).
[[nodiscard]] store::Database open(const Target& target, const std::string& role);

/// --config, else OUTBOX_CONFIG. Throws core::Error (usage) when neither is given.
[[nodiscard]] std::string config_file(const Target& target);

/// Reads a configuration file. Throws core::Error (configuration) that lists everything that is
/// wrong with it.
[[nodiscard]] core::Options load_config(const std::string& file);

}  // namespace outbox::cli
