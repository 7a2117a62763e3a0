// Numbers and ranges as text: strict decimal in, shortest form out. Pure.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "config/accepted.hpp"

namespace outbox::config {

/// Decimal digits with an optional '-': no '+', no leading zero, no 0x, no '_'. Beyond the range of
/// int: the nearest int, so that the caller's range check refuses it.
[[nodiscard]] std::optional<int> parse_int(std::string_view text);

/// Decimal digits with an optional '-' and fraction: no exponent, no leading zero or dot, no
/// infinity.
[[nodiscard]] std::optional<double> parse_decimal(std::string_view text);

/// The shortest text that parse_decimal reads back as the same.
[[nodiscard]] std::string format_decimal(double value);

/// "1 to 256", "100ms to 1m", "1d to 30d", "at most 63 characters", "0 to 64KiB", "000 to 777",
/// "1 to 64 arguments", "at most 64 of 0 to 255".
[[nodiscard]] std::string describe(const Range<int>& range);
[[nodiscard]] std::string describe(const Range<double>& range);
[[nodiscard]] std::string describe(const Range<std::chrono::milliseconds>& range);
[[nodiscard]] std::string describe(const Days& days);
[[nodiscard]] std::string describe(const Characters& characters);
[[nodiscard]] std::string describe(const Bytes& bytes);
[[nodiscard]] std::string describe(const Octal& octal);
[[nodiscard]] std::string describe(const Texts& texts);
[[nodiscard]] std::string describe(const Numbers& numbers);
[[nodiscard]] std::string describe(const Headers& headers);
/// Empty: any path.
[[nodiscard]] std::string describe(const File& file);

/// Octal digits as chmod takes them, with leading zeros or not.
[[nodiscard]] std::optional<int> parse_octal(std::string_view text);

/// At least three digits: "077".
[[nodiscard]] std::string format_octal(int value);

}  // namespace outbox::config
