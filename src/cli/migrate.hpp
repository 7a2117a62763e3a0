// The commands outboxd migrate …: a thin skin over store/migrate*. Main thread.
#pragma once

#include <CLI/CLI.hpp>

#include "cli/command.hpp"

namespace outbox::cli {

/// Adds `migrate` and its commands to `app`. Results go to stdout, what they wait for to stderr.
/// Exit codes: pending, drift, busy, refused, live_processors, schema_newer and those of every
/// command.
void add_migrate(CLI::App& app, const OnRun& on_run);

}  // namespace outbox::cli
