// Makes any bytes storable and printable: the failure path must never fail because of what failed.
// Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace outbox::core {

/// Valid UTF-8 without NUL, at most `most` bytes: bad bytes become U+FFFD; a cut text ends in "
/// […]".
[[nodiscard]] std::string storable(std::string_view bytes, std::size_t most);

/// As storable(), in one line and without control characters: for logs and terminals.
[[nodiscard]] std::string printable(std::string_view bytes, std::size_t most);

}  // namespace outbox::core
