// Names and texts of the embedded migration files.
#include "store/migration_files.hpp"

#include <algorithm>
#include <charconv>

#include "store/embedded.hpp"

namespace outbox::store {

namespace {

Migration& at_version(std::vector<Migration>& known, int version) {
  const auto found =
      std::find_if(known.begin(), known.end(), [&](const auto& m) { return m.version == version; });
  if (found != known.end()) return *found;
  return known.emplace_back(
      Migration{.version = version, .name = {}, .up = {}, .down = {}, .verify = {}, .catalog = {}});
}

std::vector<Migration> put_together() {
  std::vector<Migration> known;
  for (const auto& file : embedded_migrations()) {
    const auto slash = file.name.find('/');
    const auto base = slash == std::string_view::npos ? file.name : file.name.substr(slash + 1);
    int version{};
    std::from_chars(base.data(), base.data() + 4, version);
    auto& migration = at_version(known, version);
    migration.name = base.substr(5, base.find('.') - 5);
    if (file.name.starts_with("verify/")) {
      migration.verify = file.text;
    } else if (file.name.starts_with("catalog/")) {
      migration.catalog = file.text;
    } else {
      (file.name.ends_with(".up.sql") ? migration.up : migration.down) = file.text;
    }
  }
  std::sort(known.begin(), known.end(),
            [](const auto& a, const auto& b) { return a.version < b.version; });
  return known;
}

}  // namespace

const std::vector<Migration>& known_migrations() {
  static const std::vector<Migration> kKnown = put_together();
  return kKnown;
}

const Migration* find_migration(int version) {
  const auto& known = known_migrations();
  const auto found =
      std::find_if(known.begin(), known.end(), [&](const auto& m) { return m.version == version; });
  return found == known.end() ? nullptr : &*found;
}

std::string checked_sql(std::string_view file) {
  std::string sql{core::below_header(file)};
  sql.erase(std::remove(sql.begin(), sql.end(), '\r'), sql.end());
  return sql;
}

std::string migration_label(int version, const std::string& name) {
  const auto digits = std::to_string(version);
  return std::string(digits.size() < 4 ? 4 - digits.size() : 0, '0') + digits + "_" + name;
}

core::MigrationHeader header_of(std::string_view file) {
  return core::parse_migration_header(file);
}

}  // namespace outbox::store
