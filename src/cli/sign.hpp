// outboxd sign: the headers of a signed webhook, to try a receiver without a job.
#pragma once

#include "cli/command.hpp"

namespace outbox::cli {

void add_sign(CLI::App& app, const OnRun& on_run);

}  // namespace outbox::cli
