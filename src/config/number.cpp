// Numbers and ranges as text; see the header.
#include "config/number.hpp"

#include <array>
#include <charconv>
#include <limits>

#include "core/duration.hpp"

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

std::string describe(const Range<core::milliseconds>& range) {
  return core::format_duration(range.min) + " to " + core::format_duration(range.max);
}

std::string describe(const Days& days) {
  return std::to_string(days.min) + "d to " + std::to_string(days.max) + "d";
}

std::string describe(const Characters& characters) {
  return "at most " + std::to_string(characters.max) + " characters";
}

}  // namespace outbox::config
