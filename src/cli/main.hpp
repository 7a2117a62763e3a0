// The command line of outboxd. Main thread, before any other.
#pragma once

#include <outbox/registry.hpp>

namespace outbox::cli {

/// Parses, runs one command, returns the exit code (core::ExitCode). Throws nothing: errors are
/// told on stderr.
[[nodiscard]] int main(int argc, char** argv, const Registry& registry);

}  // namespace outbox::cli
