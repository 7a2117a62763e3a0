// Tables, moments, JSON.
#include "cli/output.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <system_error>

#include "core/error.hpp"
#include "core/text.hpp"

namespace outbox::cli {

namespace {

std::string padded(std::int64_t number, std::size_t digits) {
  std::string text = std::to_string(number);
  return text.size() < digits ? std::string(digits - text.size(), '0') + text : text;
}

struct Parts {
  std::string date;
  std::string time;
  std::int64_t us{};
};

Parts parts(store::Moment moment) {
  using namespace std::chrono;
  const auto day = floor<days>(moment);
  const year_month_day date{day};
  const auto seconds_of_day = floor<seconds>(moment - day);
  const std::int64_t total = seconds_of_day.count();
  return {padded(static_cast<int>(date.year()), 4) + '-' +
              padded(static_cast<unsigned>(date.month()), 2) + '-' +
              padded(static_cast<unsigned>(date.day()), 2),
          padded(total / 3600, 2) + ':' + padded(total / 60 % 60, 2) + ':' + padded(total % 60, 2),
          duration_cast<microseconds>(moment - day - seconds_of_day).count()};
}

/// Terminal columns, taking each code point for one.
std::size_t width(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
  }));
}

}  // namespace

void print(const std::string& text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0)
    return;
  throw core::Error{core::ExitCode::failed, std::string{"cannot write to standard output: "} +
                                                std::generic_category().message(errno)};
}

std::string document(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + '\n';
}

Json json_id(std::int64_t id) { return std::to_string(id); }

Json json_moment(const std::optional<store::Moment>& moment) {
  return moment ? Json(iso(*moment)) : Json(nullptr);
}

Json json_text(const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); }

std::string padded(std::string text, std::size_t width) {
  text.resize(std::max(width, text.size()), ' ');
  return text;
}

std::string iso(store::Moment moment) {
  const Parts p = parts(moment);
  return p.date + 'T' + p.time + '.' + padded(p.us, 6) + 'Z';
}

std::string when(store::Moment moment, store::Moment now) {
  const Parts p = parts(moment);
  const double ahead = std::chrono::duration<double>(moment - now).count();
  const std::string text = p.date + ' ' + p.time + "Z, ";
  if (std::abs(ahead) < 1) return text + "now";
  return text + (ahead > 0 ? "in " + duration(ahead) : duration(-ahead) + " ago");
}

std::string duration(double seconds) {
  struct Unit {
    const char* name;
    std::int64_t seconds;
  };
  static constexpr std::array kUnits{Unit{"d", 86'400}, Unit{"h", 3'600}, Unit{"min", 60},
                                     Unit{"s", 1}};
  const auto whole = static_cast<std::int64_t>(std::max(0.0, seconds));
  for (std::size_t i = 0; i + 1 < kUnits.size(); ++i) {
    const Unit& unit = kUnits.at(i);
    if (whole < unit.seconds) continue;
    const auto count = whole / unit.seconds;
    const Unit& smaller = kUnits.at(i + 1);
    const auto rest = whole % unit.seconds / smaller.seconds;
    std::string text = std::to_string(count) + ' ' + unit.name;
    if (count < 10 && rest > 0) text += ' ' + std::to_string(rest) + ' ' + smaller.name;
    return text;
  }
  return std::to_string(whole) + " s";
}

void Table::add(const std::vector<std::string>& cells) {
  std::vector<std::string> row;
  for (std::size_t i = 0; i < columns_.size(); ++i)
    row.push_back(core::printable(cells.at(i), columns_[i].most));
  rows_.push_back(std::move(row));
}

std::string Table::text() const {
  std::vector<std::vector<std::string>> lines(1);
  for (const auto& column : columns_) lines[0].push_back(column.title);
  lines.insert(lines.end(), rows_.begin(), rows_.end());
  std::vector<std::size_t> widths(columns_.size());
  for (const auto& line : lines) {
    for (std::size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], width(line[i]));
  }
  std::string out;
  for (const auto& line : lines) {
    std::string text;
    for (std::size_t i = 0; i < line.size(); ++i) {
      const std::string pad(widths[i] - width(line[i]), ' ');
      if (i > 0) text += "  ";
      text += columns_[i].align == Align::right ? pad + line[i] : line[i] + pad;
    }
    text.erase(text.find_last_not_of(' ') + 1);
    out += text + '\n';
  }
  return out;
}

}  // namespace outbox::cli
