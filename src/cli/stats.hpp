// The command outboxd stats. Main thread; no SQL, no decisions.
#pragma once

#include "cli/command.hpp"

namespace outbox::cli {

void add_stats(CLI::App& app, const OnRun& on_run);

}  // namespace outbox::cli
