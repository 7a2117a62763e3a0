// The commands outboxd kinds list, pause and resume. Main thread; no SQL, no decisions.
#pragma once

#include "cli/command.hpp"

namespace outbox::cli {

void add_kinds(CLI::App& app, const OnRun& on_run);

}  // namespace outbox::cli
