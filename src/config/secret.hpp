// Reads a secret from a file, and nothing else ever shows it. Any thread; blocks on the file
// system.
#pragma once

#include <optional>
#include <string>

#include "config/accepted.hpp"

namespace outbox::config {

/// Either `text`, or `problem` and `hint`, which never quote the secret.
struct Secret {
  std::optional<std::string> text;
  std::string problem;
  std::string hint;
};

/// The content without its last line break. Refused: not a regular file, readable by everybody,
/// more than 64 KiB, empty, or holding a NUL.
[[nodiscard]] Secret read_secret_file(const std::string& path);

/// What is wrong with a file that a library will read by itself: not a regular file, or not to be
/// read by us; a secret one by the rules of read_secret_file.
[[nodiscard]] Complaint file_problem(const std::string& path, bool secret);

}  // namespace outbox::config
