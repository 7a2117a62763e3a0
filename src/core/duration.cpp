// Durations as people write them; see the header.
#include "core/duration.hpp"

#include <array>
#include <charconv>
#include <cstdint>

namespace outbox::core {
namespace {

struct Unit {
  std::string_view name;
  std::int64_t ms;
};

constexpr std::array<Unit, 5> kUnits{
    {{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1'000}, {"ms", 1}}};
constexpr std::int64_t kLongest = 36'500 * kUnits.front().ms;
constexpr std::string_view kUnitsHint = "units are ms, s, m, h and d, as in 250ms or 30s";

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool starts_with_word(std::string_view text, std::string_view start) {
  return text.size() >= start.size() && text.compare(0, start.size(), start) == 0;
}

// What somebody who wrote "sec", "Min" or "hours" probably meant; empty: no idea.
std::string_view guess_unit(std::string_view written) {
  std::string lower;
  for (const char c : written) {
    if (c != ' ') lower += (c >= 'A' && c <= 'Z') ? static_cast<char>(c - 'A' + 'a') : c;
  }
  for (const std::string_view start : {"ms", "mil"}) {
    if (starts_with_word(lower, start)) return "ms";
  }
  if (starts_with_word(lower, "mo")) return {};
  for (const Unit& unit : kUnits) {
    if (starts_with_word(lower, unit.name)) return unit.name;
  }
  return {};
}

ParsedDuration refuse(std::string problem, std::string hint) {
  return ParsedDuration{std::nullopt, std::move(problem), std::move(hint)};
}

ParsedDuration refuse_unit(std::string_view digits, std::string_view unit, std::string_view usual) {
  if (unit.empty()) {
    return refuse("has no unit", "write " + std::string{digits} + std::string{usual});
  }
  if (unit.front() == '.' || unit.front() == ',') {
    return refuse("is not a whole number", "use a smaller unit: 1500ms for 1.5s, 90m for 1.5h");
  }
  if (is_digit(unit.back()) || unit.find_first_of("0123456789") != std::string_view::npos) {
    return refuse("is more than one number with a unit", "use one unit: 90s for 1m30s");
  }
  const std::string_view guess = guess_unit(unit);
  return refuse("has an unknown unit", guess.empty()
                                           ? std::string{kUnitsHint}
                                           : "write " + std::string{digits} + std::string{guess});
}

}  // namespace

ParsedDuration parse_duration(std::string_view text, std::string_view usual_unit) {
  std::size_t digits = 0;
  while (digits < text.size() && is_digit(text[digits])) ++digits;
  const std::string_view number = text.substr(0, digits);
  const std::string_view name = text.substr(digits);
  if (number.empty()) return refuse("is not a duration", std::string{kUnitsHint});
  if (number.size() > 1 && number.front() == '0') {
    return refuse("has a leading zero", "write it without the leading zero");
  }
  for (const Unit& unit : kUnits) {
    if (unit.name != name) continue;
    std::int64_t count = 0;
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), count);
    if (error != std::errc{} || count > kLongest / unit.ms) {
      return refuse("is too long", "at most 36500d");
    }
    return ParsedDuration{std::chrono::milliseconds{count * unit.ms}, {}, {}};
  }
  return refuse_unit(number, name, usual_unit);
}

std::string format_duration(std::chrono::milliseconds duration) {
  const std::int64_t ms = duration.count();
  if (ms == 0) return "0s";
  for (const Unit& unit : kUnits) {
    if (ms % unit.ms == 0) return std::to_string(ms / unit.ms) + std::string{unit.name};
  }
  return std::to_string(ms) + "ms";
}

}  // namespace outbox::core
