// Amounts of bytes as people write them; see the header.
#include "core/size.hpp"

#include <array>
#include <charconv>

namespace outbox::core {
namespace {

struct SizeUnit {
  std::string_view name;
  std::int64_t bytes;
};

constexpr std::array<SizeUnit, 4> kSizeUnits{
    {{"GiB", 1'073'741'824}, {"MiB", 1'048'576}, {"KiB", 1'024}, {"B", 1}}};
constexpr std::int64_t kLargest = 1'024 * kSizeUnits.front().bytes;
constexpr const char* kSizeHint = "units are B, KiB, MiB and GiB, as in 8KiB or 2GiB";

ParsedSize refuse_size(std::string problem, std::string hint) {
  return ParsedSize{std::nullopt, std::move(problem), std::move(hint)};
}

// "kb", "M", "gigabytes", "mib": the unit that was probably meant; empty: no idea.
std::string_view guess_size_unit(std::string_view written) {
  const std::size_t letter = written.find_first_not_of(' ');
  if (letter == std::string_view::npos) return {};
  for (const SizeUnit& unit : kSizeUnits) {
    const char upper = unit.name.front();
    const char lower = static_cast<char>(upper - 'A' + 'a');
    if (written[letter] == upper || written[letter] == lower) return unit.name;
  }
  return {};
}

ParsedSize refuse_size_unit(std::string_view number, std::string_view unit) {
  if (unit.empty()) return refuse_size("has no unit", kSizeHint);
  if (unit.front() == '.' || unit.front() == ',') {
    return refuse_size("is not a whole number", "use a smaller unit: 1536KiB for 1.5MiB");
  }
  const bool second_number = unit.find_first_of("0123456789") != std::string_view::npos;
  const std::string_view guess = second_number ? std::string_view{} : guess_size_unit(unit);
  return refuse_size(
      "has an unknown unit",
      guess.empty() ? kSizeHint : "write " + std::string{number} + std::string{guess});
}

}  // namespace

ParsedSize parse_size(std::string_view text) {
  if (text == "0") return ParsedSize{0, {}, {}};
  std::size_t digits = text.find_first_not_of("0123456789");
  if (digits == std::string_view::npos) digits = text.size();
  const std::string_view number = text.substr(0, digits);
  const std::string_view name = text.substr(digits);
  if (number.empty()) return refuse_size("is not a size in bytes", kSizeHint);
  if (number.size() > 1 && number.front() == '0') {
    return refuse_size("has a leading zero", "write it without the leading zero");
  }
  for (const SizeUnit& unit : kSizeUnits) {
    if (unit.name != name) continue;
    std::int64_t count = 0;
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), count);
    if (error != std::errc{} || count > kLargest / unit.bytes) {
      return refuse_size("is too large", "at most 1024GiB");
    }
    return ParsedSize{count * unit.bytes, {}, {}};
  }
  return refuse_size_unit(number, name);
}

std::string format_size(std::int64_t bytes) {
  if (bytes == 0) return "0";
  for (const SizeUnit& unit : kSizeUnits) {
    if (bytes % unit.bytes == 0) return std::to_string(bytes / unit.bytes) + std::string{unit.name};
  }
  return std::to_string(bytes) + "B";
}

}  // namespace outbox::core
