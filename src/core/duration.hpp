// Durations as people write them, "30s", to and from milliseconds. Pure.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace outbox::core {

/// Either `value`, or `problem` (what is wrong, lower-case) and `hint` (what to write instead).
struct ParsedDuration {
  std::optional<std::chrono::milliseconds> value;
  std::string problem;
  std::string hint;
};

/// A whole decimal number and one unit of ms, s, m, h, d, with nothing between: "250ms", "14d". At
/// most 36500d. A number without unit is refused, "0" too: a reader must never have to guess.
/// `usual_unit` is the one to hint at.
[[nodiscard]] ParsedDuration parse_duration(std::string_view text,
                                            std::string_view usual_unit = "s");

/// The largest unit that divides it exactly, so that it parses back to the same: 90000 ms is "90s",
/// 0 is "0s".
[[nodiscard]] std::string format_duration(std::chrono::milliseconds duration);

}  // namespace outbox::core
