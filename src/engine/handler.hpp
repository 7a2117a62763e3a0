// What the engine knows of a handler: how to run it, and its kind's settings. Constant while a
// processor runs.
#pragma once

#include <map>
#include <string>
#include <variant>

#include <outbox/registry.hpp>

#include "core/options.hpp"
#include "store/run.hpp"

namespace outbox::engine {

struct Handler {
  core::KindOptions options;
  std::variant<HandlerFunction, ExternalFunction, store::SqlBody> run;

  [[nodiscard]] bool is_sql() const { return std::holds_alternative<store::SqlBody>(run); }
  [[nodiscard]] bool is_external() const { return std::holds_alternative<ExternalFunction>(run); }
};

using HandlerTable = std::map<std::string, Handler>;

}  // namespace outbox::engine
