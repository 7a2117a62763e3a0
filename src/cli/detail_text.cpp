// Lays out details.
#include "cli/detail_text.hpp"

#include <algorithm>
#include <string_view>
#include <vector>

#include "cli/output.hpp"
#include "core/text.hpp"

namespace outbox::cli {

namespace {

constexpr std::size_t kDetailLines = 20;
constexpr std::size_t kDetailLineBytes = 512;
constexpr std::size_t kDetailNameWidth = 16;
constexpr std::size_t kDetailNameBytes = 63;

std::vector<std::string_view> lines_of_output(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const auto end = text.find('\n');
    lines.push_back(text.substr(0, end));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return lines;
}

std::string member(const std::string& name, const std::string& value) {
  const auto begin = "  " + padded(core::printable(name, kDetailNameBytes) + ' ', kDetailNameWidth);
  const auto lines = lines_of_output(value);
  if (lines.size() <= 1)
    return begin + core::printable(lines.empty() ? "" : lines[0], kDetailLineBytes) + '\n';
  const std::size_t left_out = lines.size() > kDetailLines ? lines.size() - kDetailLines : 0;
  std::string out = begin;
  out += left_out == 0 ? std::to_string(lines.size()) + " lines:\n"
                       : "the last " + std::to_string(kDetailLines) + " of " +
                             std::to_string(lines.size()) + " lines (all of it: --json):\n";
  for (std::size_t i = left_out; i < lines.size(); ++i)
    out += "    | " + core::printable(lines[i], kDetailLineBytes) + '\n';
  return out;
}

}  // namespace

std::string detail_lines(const std::string& detail) {
  if (detail.empty()) return {};
  const auto json = Json::parse(detail, nullptr, false);
  if (!json.is_object()) return member("detail", detail);
  std::string out;
  for (const auto& [name, value] : json.items()) {
    out += member(name, value.is_string()
                            ? value.get<std::string>()
                            : value.dump(-1, ' ', false, Json::error_handler_t::replace));
  }
  return out;
}

}  // namespace outbox::cli
