// Reading the fields: a key, its value from a fixed column on, further lines indented.
#include "core/migration_header.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "core/duration.hpp"

namespace outbox::core {

namespace {

constexpr std::string_view kMarker{"-- ==== SQL ====\n"};
constexpr std::size_t kValueColumn = 15;

constexpr std::array<std::string_view, 5> kModes{"SHARE UPDATE EXCLUSIVE", "SHARE ROW EXCLUSIVE",
                                                 "ACCESS EXCLUSIVE", "EXCLUSIVE", "SHARE"};

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\n')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\n' || text.back() == '\r'))
    text.remove_suffix(1);
  return text;
}

std::vector<std::string_view> split(std::string_view text, char at) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const auto end = std::min(text.find(at), text.size());
    parts.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

void read_fields(std::string_view file, MigrationHeader& header) {
  const auto end = file.find(kMarker);
  if (end == std::string_view::npos) {
    header.problems.emplace_back("the line '-- ==== SQL ====' that ends the header is missing");
    return;
  }
  bool title = true;
  for (const auto line : split(file.substr(0, end), '\n')) {
    if (title) {
      title = false;
    } else if (line.size() <= kValueColumn || !line.starts_with("--")) {
      header.problems.push_back("line '" + std::string{line} + "' is no field");
    } else if (const auto key = trimmed(line.substr(2, kValueColumn - 2)); !key.empty()) {
      header.fields.emplace_back(key, trimmed(line.substr(kValueColumn)));
    } else if (!header.fields.empty()) {
      header.fields.back().second += "\n" + std::string{trimmed(line.substr(kValueColumn))};
    }
  }
}

void check_keys(MigrationHeader& header) {
  const auto& keys = migration_header_keys();
  for (std::size_t i = 0; i < std::max(keys.size(), header.fields.size()); ++i) {
    const std::string expected = i < keys.size() ? keys[i] : "the end";
    const std::string found = i < header.fields.size() ? header.fields[i].first : "the end";
    if (expected == found) continue;
    header.problems.push_back("expected field " + expected + ", found " + found);
    return;
  }
}

/// schema.table MODE: words
bool read_lock(std::string_view line, DeclaredLock& lock) {
  const auto space = line.find(' ');
  if (space == std::string_view::npos || line.substr(0, space).find('.') == std::string_view::npos)
    return false;
  lock.table = line.substr(0, space);
  line.remove_prefix(space + 1);
  for (const auto mode : kModes) {
    if (!line.starts_with(mode) || !line.substr(mode.size()).starts_with(":")) continue;
    lock.mode = mode;
    lock.words = trimmed(line.substr(mode.size() + 1));
    return !lock.words.empty();
  }
  return false;
}

/// A line that begins with no table goes on with the words before it.
void read_locks(MigrationHeader& header) {
  const std::string text = header.field("LOCKS");
  if (text == "none") return;
  for (const auto line : split(text, '\n')) {
    DeclaredLock lock;
    if (read_lock(line, lock)) {
      header.locks.push_back(std::move(lock));
    } else if (!header.locks.empty()) {
      header.locks.back().words += " " + std::string{line};
    } else {
      header.problems.push_back("LOCKS: expected 'none' or 'schema.table MODE: words', got '" +
                                std::string{line} + "'");
    }
  }
}

/// none, or tables separated by commas, then a colon and words.
std::vector<std::string> read_tables(MigrationHeader& header, const std::string& key) {
  const std::string text = header.field(key);
  if (text == "none") return {};
  const auto colon = text.find(':');
  if (colon == std::string::npos) {
    header.problems.push_back(key + ": expected 'none' or 'tables: words', got '" + text + "'");
    return {};
  }
  std::vector<std::string> tables;
  for (const auto table : split(std::string_view{text}.substr(0, colon), ','))
    tables.emplace_back(trimmed(table));
  return tables;
}

void read_duration(MigrationHeader& header) {
  const std::string text = header.field("DURATION");
  const auto end = text.find(';');
  if (text.starts_with("at most ") && end != std::string::npos) {
    std::string given = text.substr(8, end - 8);
    given.erase(std::remove(given.begin(), given.end(), ' '), given.end());
    if (const auto parsed = parse_duration(given); parsed.value) {
      header.duration = *parsed.value;
      return;
    }
  }
  header.problems.push_back("DURATION: expected 'at most N ms; words', got '" + text + "'");
}

void read_prechecks(MigrationHeader& header) {
  const std::string text = header.field("PRECHECK");
  if (text == "none") return;
  for (const auto part : split(text, ';')) {
    const auto sql = trimmed(part);
    if (sql.starts_with("SELECT") || sql.starts_with("WITH")) {
      header.prechecks.emplace_back(sql);
    } else if (!sql.empty()) {
      header.problems.push_back("PRECHECK: expected 'none' or queries, each ended by ;, got '" +
                                std::string{sql} + "'");
    }
  }
}

void read_compat(MigrationHeader& header) {
  constexpr std::string_view kStart{"min_reader "};
  const std::string text = header.field("COMPAT");
  if (text.starts_with(kStart)) {
    const auto* from = text.data() + kStart.size();
    if (std::from_chars(from, text.data() + text.size(), header.min_reader).ec == std::errc{})
      return;
  }
  header.problems.push_back("COMPAT: expected 'min_reader N; words', got '" + text + "'");
}

}  // namespace

const std::vector<std::string>& migration_header_keys() {
  static const std::vector<std::string> kKeys{"RELEASE",   "KIND",       "EFFECT",   "LOCKS",
                                              "REWRITE",   "SCAN",       "DURATION", "DISK",
                                              "DATA LOST", "PRECHECK",   "COMPAT",   "ORDER",
                                              "RUN",       "ON FAILURE", "VERIFY",   "AFTERWARDS"};
  return kKeys;
}

std::string MigrationHeader::field(std::string_view key) const {
  const auto found =
      std::find_if(fields.begin(), fields.end(), [&](const auto& f) { return f.first == key; });
  return found == fields.end() ? std::string{} : found->second;
}

MigrationHeader parse_migration_header(std::string_view file) {
  MigrationHeader header;
  read_fields(file, header);
  check_keys(header);
  const auto kind = header.field("KIND");
  if (kind != "expand" && kind != "contract" && kind != "fix" && kind != "breaking")
    header.problems.push_back("KIND: expected expand, contract, fix or breaking, got '" + kind +
                              "'");
  read_locks(header);
  header.rewrites = read_tables(header, "REWRITE");
  header.scans = read_tables(header, "SCAN");
  read_duration(header);
  header.loses_data = header.field("DATA LOST") != "none";
  read_prechecks(header);
  read_compat(header);
  return header;
}

std::string_view below_header(std::string_view file) {
  const auto at = file.find(kMarker);
  return at == std::string_view::npos ? file : file.substr(at + kMarker.size());
}

}  // namespace outbox::core
