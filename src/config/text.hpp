// Small helpers for text that somebody typed: valid UTF-8, showing it safely, the nearest known
// word. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace outbox::config {

/// The first byte that is NUL or not valid UTF-8; npos when all is well.
[[nodiscard]] std::size_t find_bad_byte(std::string_view text);

/// Characters (code points) of a valid UTF-8 text.
[[nodiscard]] std::size_t count_characters(std::string_view text);

/// The text in quotes for a message: one line, clipped to 60 bytes. Not for secrets.
[[nodiscard]] std::string show(std::string_view text);

/// "a, b or c".
[[nodiscard]] std::string join_or(const std::vector<std::string>& words);

/// The candidate that `word` is probably a misspelling of (few edits, or the start of it); empty
/// when none is near.
[[nodiscard]] std::string nearest(std::string_view word,
                                  const std::vector<std::string>& candidates);

}  // namespace outbox::config
