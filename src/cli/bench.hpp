// outboxd bench: measures the real engine against a database.
#pragma once

#include "cli/command.hpp"

namespace outbox::cli {

void add_bench(CLI::App& app, const OnRun& on_run);

}  // namespace outbox::cli
