// What every command that works on a database shares: its options, and the value that it returns.
// Main thread.
#pragma once

#include <functional>
#include <memory>

#include "cli/target.hpp"
#include "core/exit_code.hpp"

namespace outbox::cli {

/// Commands do not run while CLI11 parses: they hand over what is to be run afterwards. It throws
/// core::Error and core::DbError, or returns the exit code.
using Action = std::function<core::ExitCode()>;
using OnRun = std::function<void(Action)>;

/// Options of a command that reads or changes data.
struct DataOptions {
  Target target;
  bool json{};
};

/// Adds a command NAME to `parent`, with --url, --config and --json filling `options`, which must
/// outlive the parsing.
inline CLI::App& add_data_command(CLI::App& parent, const char* name, const char* description,
                                  DataOptions& options) {
  CLI::App& command = *parent.add_subcommand(name, description);
  add_target(command, options.target);
  command.add_flag("--json", options.json, "Print one JSON document");
  return command;
}

}  // namespace outbox::cli
