// The one exception type that carries a message for people and the exit code that goes with it.
#pragma once

#include <stdexcept>
#include <string>

#include "core/exit_code.hpp"

namespace outbox::core {

/// `what()` is one line, lower-case: what failed, what was expected. `hint()` says what to do; may
/// be empty.
class Error : public std::runtime_error {
 public:
  Error(ExitCode code, const std::string& message, std::string hint = {})
      : std::runtime_error{message}, code_{code}, hint_{std::move(hint)} {}

  [[nodiscard]] ExitCode code() const { return code_; }
  [[nodiscard]] const std::string& hint() const { return hint_; }

 private:
  ExitCode code_;
  std::string hint_;
};

}  // namespace outbox::core
