// Amounts of bytes as people write them, "8KiB", to and from numbers. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace outbox::core {

/// Either `value` in bytes, or `problem` (what is wrong, lower-case) and `hint` (what to write
/// instead).
struct ParsedSize {
  std::optional<std::int64_t> value;
  std::string problem;
  std::string hint;
};

/// A whole decimal number and one unit of B, KiB, MiB, GiB, with nothing between: "8KiB", "2GiB".
/// At most 1024GiB. Only 0 needs no unit. KB, MB and the like are refused: some mean 1000 by them.
[[nodiscard]] ParsedSize parse_size(std::string_view text);

/// The largest unit that divides it exactly, so that it parses back to the same: 1536 KiB is
/// "1536KiB", 0 is "0".
[[nodiscard]] std::string format_size(std::int64_t bytes);

}  // namespace outbox::core
