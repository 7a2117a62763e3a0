// Names and texts of the embedded migration files.
#include "store/migration_files.hpp"

#include <algorithm>
#include <charconv>

#include "store/embedded.hpp"

namespace outbox::store {

namespace {

std::vector<Migration> pair_up() {
  std::vector<Migration> known;
  for (const auto& file : embedded_migrations()) {  // sorted: NNNN_name.down.sql, NNNN_name.up.sql
    const auto name = file.name.substr(5, file.name.find('.') - 5);
    int version{};
    std::from_chars(file.name.data(), file.name.data() + 4, version);
    if (known.empty() || known.back().version != version) {
      known.push_back({version, std::string{name}, {}, {}});
    }
    (file.name.ends_with(".up.sql") ? known.back().up : known.back().down) = file.text;
  }
  return known;
}

}  // namespace

const std::vector<Migration>& known_migrations() {
  static const std::vector<Migration> kKnown = pair_up();
  return kKnown;
}

const Migration* find_migration(int version) {
  const auto& known = known_migrations();
  const auto found =
      std::find_if(known.begin(), known.end(), [&](const auto& m) { return m.version == version; });
  return found == known.end() ? nullptr : &*found;
}

std::string checked_sql(std::string_view file) {
  static constexpr std::string_view kMarker{"-- ==== SQL ====\n"};
  std::string sql{file};
  sql.erase(std::remove(sql.begin(), sql.end(), '\r'), sql.end());
  const auto at = sql.find(kMarker);
  return at == std::string::npos ? sql : sql.substr(at + kMarker.size());
}

std::string migration_label(int version, const std::string& name) {
  const auto digits = std::to_string(version);
  return std::string(digits.size() < 4 ? 4 - digits.size() : 0, '0') + digits + "_" + name;
}

}  // namespace outbox::store
