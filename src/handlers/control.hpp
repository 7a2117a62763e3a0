// What an external handler may answer besides its code: not now, or never. Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include <outbox/outcome.hpp>

namespace outbox::handlers {

/// A longer text is no control.
inline constexpr std::size_t kControlBytesMax = 4'096;

/// `{"snooze": "5m"}` is Snooze, `{"discard": "why"}` is Discard. Nothing with `problem` empty: it
/// is no control (no JSON object, or one with neither key), which is for the caller to judge.
/// Nothing with `problem` set: it is one, and wrong (both keys, others besides, not a duration, …);
/// `problem` says what is wrong and what was expected, in one line.
[[nodiscard]] std::optional<Outcome> read_control(std::string_view json, std::string& problem);

}  // namespace outbox::handlers
