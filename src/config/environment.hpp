// Where secrets come from besides the file: a function instead of getenv, so that tests need no
// setenv.
#pragma once

#include <functional>
#include <optional>
#include <string>

namespace outbox::config {

/// The value of an environment variable, or nothing when it is not set.
using Environment = std::function<std::optional<std::string>(const std::string&)>;

}  // namespace outbox::config
