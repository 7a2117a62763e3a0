// Settings that may stand in the file, in an environment variable or in a file of their own: KEY,
// KEY_env and KEY_file.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "config/context.hpp"
#include "config/section.hpp"

namespace outbox::config {

/// One of the keys that was given; `node` is null when its value is no text, which has been
/// reported.
struct Source {
  std::string_view key;  ///< A view into `keys` of only_source.
  const Node* node;
};

/// The first of the keys that is given; a second one is reported as a second source of `what`.
/// Makes all keys known.
[[nodiscard]] std::optional<Source> only_source(Section& section,
                                                std::span<const std::string_view> keys,
                                                const std::string& what);

[[nodiscard]] bool is_variable(const Source& source);  ///< Its text names a variable.
[[nodiscard]] bool is_file(const Source& source);      ///< Its text names a file.

/// The text itself; nothing when it cannot be had, which is reported without quoting it.
[[nodiscard]] std::optional<std::string> read_source(Section& section, const Context& context,
                                                     const Source& source);

/// An absolute path; a relative one starts at the folder of the configuration.
[[nodiscard]] std::string absolute_path(const Context& context, const std::string& path);

}  // namespace outbox::config
