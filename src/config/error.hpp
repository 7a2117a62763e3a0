// One thing that is wrong with a configuration file: a value, made by the loader and shown by
// format.
#pragma once

#include <string>

namespace outbox::config {

/// `line` and `column` count from 1, columns in characters; both are 0 when the whole file is
/// meant. `message` is lower-case and names the setting and what was expected; `hint` says what to
/// write instead, and may be empty.
struct ConfigError {
  std::string file;
  int line{};
  int column{};
  std::string message;
  std::string hint;
};

}  // namespace outbox::config
