// outboxd deliver --dry-run: what a job's handler would send or start, without doing it.
#pragma once

#include "cli/command.hpp"

namespace outbox::cli {

void add_deliver(CLI::App& app, const OnRun& on_run);

}  // namespace outbox::cli
