// What the engine knows of a handler: how to run it, and its kind's settings. Constant while a
// processor runs.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <variant>

#include <outbox/registry.hpp>

#include "core/options.hpp"
#include "engine/async_handler.hpp"
#include "store/run.hpp"

namespace outbox::engine {

struct Handler {
  core::KindOptions options;
  std::variant<HandlerFunction, ExternalFunction, store::SqlBody, std::shared_ptr<AsyncHandler>>
      run;

  [[nodiscard]] bool is_sql() const { return std::holds_alternative<store::SqlBody>(run); }
  [[nodiscard]] AsyncHandler* async() const {
    const auto* handler = std::get_if<std::shared_ptr<AsyncHandler>>(&run);
    return handler == nullptr ? nullptr : handler->get();
  }
  /// Its end is not written by its own transaction, but by the finisher.
  [[nodiscard]] bool is_external() const {
    return std::holds_alternative<ExternalFunction>(run) || async() != nullptr;
  }
};

using HandlerTable = std::map<std::string, Handler>;

}  // namespace outbox::engine
