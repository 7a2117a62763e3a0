// The commands outboxd migrate status, up and down: a thin skin over store/migrate. Main thread.
#pragma once

#include <functional>

#include <CLI/CLI.hpp>

#include "store/database.hpp"

namespace outbox::cli {

/// Adds `migrate` and its commands to `app`, and returns it, so that the caller can add the options
/// by which `open` finds the database. `open` is called once, when a command runs. Commands print
/// results to stdout, and what they wait for to stderr; they throw core::Error (its code is the
/// exit code) and core::DbError.
CLI::App* add_migrate(CLI::App& app, const std::function<store::Database()>& open);

}  // namespace outbox::cli
