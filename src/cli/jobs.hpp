// The commands outboxd jobs list, show, retry, discard and enqueue. Main thread; no SQL, no
// decisions.
#pragma once

#include "cli/command.hpp"

namespace outbox::cli {

/// Exit codes: not_found when no table has the id, refused when the job's state forbids it; with
/// several ids, that of the first that was not done.
void add_jobs(CLI::App& app, const OnRun& on_run);

}  // namespace outbox::cli
