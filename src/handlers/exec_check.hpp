// Looks at start whether a program can be run, and whether it is safe to: whoever may write it may
// do whatever outboxd may.
#pragma once

#include <string>
#include <vector>

#include "core/options.hpp"
#include "handlers/spawn.hpp"

namespace outbox::handlers {

/// All problems, one line each, without the kind's name: what is wrong, what was expected. The
/// program: an executable regular file that, like all folders above it, belongs to root or to us
/// and that nobody else may change. Reads the file system and the user database.
[[nodiscard]] std::vector<std::string> check_exec(const core::ExecHandler& settings);

/// Ids and groups of a user of this machine; nothing when there is none of that name.
[[nodiscard]] std::optional<RunAs> find_user(const std::string& name);

}  // namespace outbox::handlers
