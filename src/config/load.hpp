// Reads a configuration file into Options, strictly, telling everything that is wrong with it at
// once.
#pragma once

#include <string>
#include <vector>

#include "config/environment.hpp"
#include "config/error.hpp"
#include "core/options.hpp"

namespace outbox::config {

/// Use `options` only when `errors` is empty.
struct Loaded {
  core::Options options;
  std::vector<ConfigError> errors;
};

/// At most 1 MiB of YAML in UTF-8. Reads the file and the secret files it names. Throws nothing but
/// bad_alloc; so do the others. Any thread.
[[nodiscard]] Loaded load_file(const std::string& path, const Environment& environment);

/// As load_file, of a text; `file_name` is for messages, and relative secret files start in its
/// folder.
[[nodiscard]] Loaded load_text(std::string text, const std::string& file_name,
                               const Environment& environment);

/// The environment of this process. Not while another thread calls setenv.
[[nodiscard]] Environment process_environment();

}  // namespace outbox::config
