// Errors of a configuration as text for people.
#pragma once

#include <string>
#include <vector>

#include "config/error.hpp"

namespace outbox::config {

/// "file:line:column: message" and, indented below it, "hint: ..."; ends with a line break. Without
/// line and column when the whole file is meant.
[[nodiscard]] std::string format_errors(const std::vector<ConfigError>& errors);

}  // namespace outbox::config
