// The options --why and --actor of commands that change something by hand. Main thread.
#pragma once

#include <CLI/CLI.hpp>

#include "store/stated.hpp"

namespace outbox::cli {

/// Adds both to `command`; `stated` must outlive the parsing. The actor is OUTBOX_ACTOR unless the
/// option is given, else the login name of the process's user.
void add_stated(CLI::App& command, store::Stated& stated);

}  // namespace outbox::cli
