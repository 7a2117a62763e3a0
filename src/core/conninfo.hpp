// Where the settings stand inside a libpq connection string (URL or key=value), without libpq.
// Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace outbox::core {

/// One setting and the bytes [begin, end) of its value as written, quotes and percent signs
/// included.
struct ConninfoPart {
  std::string key;  ///< Decoded. The password between ':' and '@' of a URL is "password".
  std::size_t begin{};
  std::size_t end{};
};

/// Starts with postgresql:// or postgres://, so libpq reads it as a URL.
[[nodiscard]] bool is_database_url(std::string_view text);

/// All key=value settings of a conninfo; for a URL the password and the query. Nothing when it is
/// neither. Errs towards finding a password: an unescaped '@' or '/' in one is taken as part of it.
[[nodiscard]] std::optional<std::vector<ConninfoPart>> parse_conninfo(std::string_view text);

/// The same connection string with the password added, escaped for its form. `text` must parse, and
/// have no password yet; `password` must hold no NUL.
[[nodiscard]] std::string with_password(std::string_view text, std::string_view password);

}  // namespace outbox::core
