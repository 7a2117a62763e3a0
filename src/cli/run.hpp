// `outboxd run`: the processor, until a signal ends it.
#pragma once

#include <string>

#include <outbox/registry.hpp>

namespace outbox::cli {

/// Blocks the stop signals, so call it before any thread is started. Returns the exit code. Throws
/// core::Error and core::DbError for what keeps it from starting.
[[nodiscard]] int run(const std::string& config_file, const Registry& registry);

}  // namespace outbox::cli
