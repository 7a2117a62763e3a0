// Numbers and ranges as text: strict decimal in, shortest form out. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "config/fields.hpp"

namespace outbox::config {

/// Decimal digits with an optional '-': no '+', no leading zero, no 0x, no '_'. Beyond the range of
/// int: the nearest int, so that the caller's range check refuses it.
[[nodiscard]] std::optional<int> parse_int(std::string_view text);

/// Decimal digits with an optional '-' and fraction: no exponent, no leading zero or dot, no
/// infinity.
[[nodiscard]] std::optional<double> parse_decimal(std::string_view text);

/// The shortest text that parse_decimal reads back as the same.
[[nodiscard]] std::string format_decimal(double value);

/// "1 to 256", "100ms to 1m", "1d to 30d", "at most 63 characters".
[[nodiscard]] std::string describe(const Range<int>& range);
[[nodiscard]] std::string describe(const Range<double>& range);
[[nodiscard]] std::string describe(const Range<core::milliseconds>& range);
[[nodiscard]] std::string describe(const Days& days);
[[nodiscard]] std::string describe(const Characters& characters);

}  // namespace outbox::config
