// The command outboxd migrate rehearse: which copy, and the report. Main thread.
#pragma once

#include <CLI/CLI.hpp>

#include "cli/command.hpp"

namespace outbox::cli {

/// Adds `rehearse` to the migrate commands. Exit code drift when something is not as declared.
void add_rehearse(CLI::App& migrate, const OnRun& on_run);

}  // namespace outbox::cli
