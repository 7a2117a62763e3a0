// Brings the handlers of the configuration (sql) and of the program (C++) into the one table that
// the engine runs.
#pragma once

#include <map>
#include <string>

#include <outbox/registry.hpp>

#include "core/options.hpp"
#include "engine/handler.hpp"

namespace outbox::handlers {

/// `bodies` are those of store::check_handlers. Throws core::Error (configuration), all
/// problems in one message: a kind that both sides define, a configured kind without a handler, no
/// kind at all.
[[nodiscard]] engine::HandlerTable make_table(const core::Options& options,
                                              const std::map<std::string, store::SqlBody>& bodies,
                                              const Registry& registry);

}  // namespace outbox::handlers
