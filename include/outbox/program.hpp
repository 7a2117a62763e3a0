// The whole of outboxd as a function: for a program of your own with C++ handlers.
#pragma once

#include <outbox/registry.hpp>

namespace outbox {

/// Runs the command line of outboxd (`run --config FILE`, `jobs`, `migrate`, …) with these handlers
/// besides the configured ones. Returns the exit code. Call it once, from main, before any other
/// thread is started: it blocks the stop signals.
int run_program(int argc, char** argv, Registry registry);

}  // namespace outbox
