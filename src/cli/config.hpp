// The commands outboxd config check and print. Main thread; no decisions.
#pragma once

#include "cli/command.hpp"

namespace outbox::cli {

void add_config(CLI::App& app, const OnRun& on_run);

}  // namespace outbox::cli
