// From an exception to what people read on stderr and the exit code that scripts read. Pure, but
// for report().
#pragma once

#include <string>
#include <string_view>

#include "core/error.hpp"
#include "core/fault.hpp"

namespace outbox::cli {

struct Failure {
  core::ExitCode code{core::ExitCode::internal};
  std::string message;  ///< May have several lines; without the program's name.
  std::string hint;     ///< What to do, and whether retrying helps; may be empty.
};

[[nodiscard]] Failure describe(const core::Error& error);

/// The server's own hint is kept; without one, the hint follows from the fault.
[[nodiscard]] Failure describe(const core::DbError& error);

/// Inside a catch block: prints "outboxd: message" and "hint: ..." to stderr, control characters
/// replaced, and returns the exit code. Knows core::Error and core::DbError; anything else is a bug
/// of outboxd.
[[nodiscard]] int report();

/// `text` with every control character but line breaks replaced, for a terminal.
[[nodiscard]] std::string safe_lines(std::string_view text);

}  // namespace outbox::cli
