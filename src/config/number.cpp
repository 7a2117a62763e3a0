// Numbers and ranges as text; see the header.
#include "config/number.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

#include "core/duration.hpp"
#include "core/size.hpp"

namespace outbox::config {
namespace {

// "-12" gives "12"; nothing when it is not a plain decimal whole number.
std::optional<std::string_view> digits_of(std::string_view text) {
  if (!text.empty() && text.front() == '-') text.remove_prefix(1);
  const bool leading_zero = text.size() > 1 && text.front() == '0';
  if (text.empty() || leading_zero) return std::nullopt;
  if (text.find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
  return text;
}

std::string describe_count(std::size_t least) {
  return (least == 0 ? "at most " : std::to_string(least) + " to ") + std::to_string(kItemsMax);
}

}  // namespace

std::optional<int> parse_int(std::string_view text) {
  if (!digits_of(text)) return std::nullopt;
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc{}) return value;
  return text.front() == '-' ? std::numeric_limits<int>::min() : std::numeric_limits<int>::max();
}

std::optional<double> parse_decimal(std::string_view text) {
  const std::size_t dot = text.find('.');
  if (!digits_of(text.substr(0, dot))) return std::nullopt;
  if (dot != std::string_view::npos) {
    const std::string_view fraction = text.substr(dot + 1);
    const bool digits = fraction.find_first_not_of("0123456789") == std::string_view::npos;
    if (fraction.empty() || !digits) return std::nullopt;
  }
  double value = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  if (error != std::errc{}) return std::nullopt;
  return value;
}

std::string format_decimal(double value) {
  std::array<char, 400> buffer{};  // The longest double in fixed form has some 330 characters.
  const auto [end, error] =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::fixed);
  return error == std::errc{} ? std::string{buffer.data(), end} : std::string{"0"};
}

std::string describe(const Range<int>& range) {
  return std::to_string(range.min) + " to " + std::to_string(range.max);
}

std::string describe(const Range<double>& range) {
  return format_decimal(range.min) + " to " + format_decimal(range.max);
}

std::string describe(const Range<std::chrono::milliseconds>& range) {
  return core::format_duration(range.min) + " to " + core::format_duration(range.max);
}

std::string describe(const Days& days) {
  return std::to_string(days.min) + "d to " + std::to_string(days.max) + "d";
}

std::string describe(const Characters& characters) {
  return "at most " + std::to_string(characters.max) + " characters";
}

std::string describe(const Bytes& bytes) {
  return core::format_size(bytes.min) + " to " + core::format_size(bytes.max);
}

std::string describe(const Octal& octal) {
  return format_octal(0) + " to " + format_octal(octal.max);
}

std::string describe(const Texts& texts) {
  return describe_count(texts.least) + " " + std::string{texts.what};
}

std::string describe(const Numbers& numbers) {
  return describe_count(numbers.least) + " of " + describe(numbers.each);
}

std::string describe(const Headers& /*headers*/) { return describe_count(0) + " headers"; }

std::string describe(const File& /*file*/) { return {}; }

std::optional<int> parse_octal(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 8);
  const bool digits = !text.empty() && text.front() != '-' && end == text.data() + text.size();
  if (!digits) return std::nullopt;
  return error == std::errc{} ? value : std::numeric_limits<int>::max();
}

std::string format_octal(int value) {
  std::array<char, 16> buffer{};
  const auto result = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, 8);
  const std::string digits{buffer.data(), result.ptr};
  return std::string(3 - std::min<std::size_t>(digits.size(), 3), '0') + digits;
}

}  // namespace outbox::config
