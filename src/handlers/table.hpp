// Brings the handlers of the configuration (sql) and of the program (C++) into the one table that
// the engine runs.
#pragma once

#include <map>
#include <string>

#include <outbox/registry.hpp>

#include "core/options.hpp"
#include "engine/handler.hpp"
#include "observe/events.hpp"

namespace outbox::handlers {

/// What http and exec handlers need besides their settings.
struct Outward {
  std::string message_prefix;  ///< store::message_prefix: with a job's id, what receivers see.
  observe::Events& events;     ///< Must outlive the table.
};

/// `bodies` are those of store::check_handlers. Throws core::Error (configuration), all
/// problems in one message: a kind that both sides define, a configured kind without a handler, a
/// program that cannot be run, no kind at all. Starts a thread for all http kinds and one for all
/// exec kinds, if there are any; the table must outlive the processor.
[[nodiscard]] engine::HandlerTable make_table(const core::Options& options,
                                              const std::map<std::string, store::SqlBody>& bodies,
                                              const Registry& registry, const Outward& outward);

}  // namespace outbox::handlers
