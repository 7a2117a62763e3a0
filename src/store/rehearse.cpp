// The course of a rehearsal, and the comparison with the headers.
#include "store/rehearse.hpp"

#include <algorithm>

#include "core/duration.hpp"
#include "core/fault.hpp"
#include "pg/session.hpp"
#include "store/catalog.hpp"
#include "store/ledger.hpp"
#include "store/measure.hpp"
#include "store/migrate_state.hpp"
#include "store/migration_lock.hpp"
#include "store/schema_version.hpp"
#include "store/scratch.hpp"

namespace outbox::store {

namespace {

using core::DbError;

std::string joined(const std::vector<std::string>& names) {
  std::string out;
  for (const auto& name : names) out += (out.empty() ? "" : ", ") + name;
  return out.empty() ? "none" : out;
}

bool has(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

void compare_locks(const core::MigrationHeader& declared, const MeasuredRun& run,
                   std::vector<std::string>& out) {
  auto measured = run.locks;
  for (const auto& lock : declared.locks) {
    const auto found = measured.find(lock.table);
    const std::string mode = found == measured.end() ? "none" : found->second;
    if (mode != lock.mode)
      out.push_back("lock on " + lock.table + ": declared " + lock.mode + ", measured " + mode);
    if (found != measured.end()) measured.erase(found);
  }
  for (const auto& [table, mode] : measured)
    out.push_back("lock on " + table + ": declared none, measured " + mode);
}

void compare_scans(const core::MigrationHeader& declared, const MeasuredRun& run,
                   const std::vector<std::string>& large, std::vector<std::string>& out) {
  for (const auto& table : run.scans) {
    if (!has(declared.scans, table)) out.push_back("scan of " + table + ": measured, not declared");
  }
  for (const auto& table : declared.scans) {
    if (has(large, table) && !has(run.scans, table))
      out.push_back("scan of " + table + ": declared, not measured");
  }
}

/// One migration, step by step; the first that fails ends it.
class Course {
 public:
  Course(Database& scratch, const Migration& migration, const RehearseOptions& options)
      : database_{scratch},
        session_{scratch.session()},
        migration_{migration},
        options_{options},
        result_{.version = migration.version,
                .name = migration.name,
                .up = header_of(migration.up),
                .down = header_of(migration.down),
                .runs = {},
                .problems = {}} {}

  RehearsedMigration run() {
    for (const auto* header : {&result_.up, &result_.down})
      for (const auto& problem : header->problems) problem_with("header: " + problem);
    const auto catalog_before = catalog(database_);
    const auto jobs_before = live_jobs_fingerprint(database_);
    if (!go(true, migration_.up, result_.up, false)) return result_;
    look_at_result();
    const auto catalog_after = catalog(database_);
    fill_with_jobs(database_, options_.rows);
    refuses_to_lose_data();
    if (!go(false, migration_.down, result_.down, result_.down.loses_data)) return result_;
    compare_catalogs("after up and down", catalog_before, catalog(database_));
    compare_jobs("up and down", jobs_before);
    if (!go(true, migration_.up, result_.up, false)) return result_;
    look_at_result();
    compare_catalogs("after up, down and up", catalog_after, catalog(database_));
    compare_jobs("up, down and up", jobs_before);
    fill_with_jobs(database_, options_.rows);
    return result_;
  }

 private:
  void problem_with(const std::string& text) { result_.problems.push_back(text); }

  bool go(bool up, std::string_view file, const core::MigrationHeader& header, bool allow) {
    const std::string way = up ? "up: " : "down: ";
    const auto large = large_tables(session_);
    try {
      result_.runs.push_back(measured_run(session_, std::string{file}, up, allow));
      if (up) session_.transact([&](auto& tx) { keep_texts(session_, tx, migration_); });
    } catch (const DbError& e) {
      if (e.session_lost()) throw;
      problem_with(way + "failed: " + server_message(e.what()));
      return false;
    }
    for (const auto& difference : differences(header, result_.runs.back(), large))
      problem_with(way + difference);
    return true;
  }

  /// Nobody has allowed it, so no table with rows may go; the ledger alone is the file's own
  /// record.
  void refuses_to_lose_data() {
    try {
      for (const auto& table : tables_lost_by(database_, std::string{migration_.down})) {
        if (table != "schema_migrations" && table != "schema_changes")
          problem_with("down: drops " + table + " with its rows without being allowed to");
      }
    } catch (const DbError& e) {
      if (e.session_lost()) throw;
      if (e.sqlstate() != "OB001") problem_with("down: failed: " + server_message(e.what()));
      if (!result_.down.loses_data)
        problem_with("down: refuses to lose data, but declares no loss");
    }
  }

  void look_at_result() {
    for (const auto& verified : migrate_verify(database_)) {
      if (!verified.problem.empty())
        problem_with("verify " + migration_label(verified.version, verified.name) + ": " +
                     verified.problem);
    }
    if (const auto expected = expected_catalog(database_, migration_.version))
      compare_catalogs("after up, as its catalog file says", *expected, catalog(database_));
  }

  void compare_catalogs(const std::string& when, const std::vector<std::string>& expected,
                        const std::vector<std::string>& found) {
    const auto drift = compare(expected, found);
    for (const auto& line : drift.missing) problem_with(when + ", missing: " + line);
    for (const auto& line : drift.unexpected) problem_with(when + ", too much: " + line);
  }

  void compare_jobs(const std::string& when, const std::string& before) {
    if (before.empty() || live_jobs_fingerprint(database_) == before) return;
    problem_with("live jobs did not survive " + when);
  }

  Database& database_;
  pg::Session& session_;
  const Migration& migration_;
  const RehearseOptions& options_;
  RehearsedMigration result_;
};

std::string server_version(pg::Session& session) {
  static constexpr pg::Statement kServerVersion{
      "rehearse_server_version", "SELECT pg_catalog.current_setting('server_version')"};
  return pg::text(session.run(kServerVersion)[0][0]);
}

}  // namespace

bool Rehearsal::as_declared() const {
  return std::all_of(migrations.begin(), migrations.end(),
                     [](const RehearsedMigration& one) { return one.problems.empty(); });
}

std::vector<std::string> differences(const core::MigrationHeader& declared, const MeasuredRun& run,
                                     const std::vector<std::string>& large) {
  std::vector<std::string> out;
  compare_locks(declared, run, out);
  auto rewrites = declared.rewrites;
  std::sort(rewrites.begin(), rewrites.end());
  if (rewrites != run.rewrites)
    out.push_back("rewrite: declared " + joined(rewrites) + ", measured " + joined(run.rewrites));
  compare_scans(declared, run, large, out);
  if (run.took > declared.duration) {
    out.push_back("duration: declared at most " + core::format_duration(declared.duration) +
                  ", measured " + core::format_duration(run.took));
  }
  return out;
}

Rehearsal rehearse(Database& scratch, const RehearseOptions& options) {
  auto& session = scratch.session();
  Patience patience{session, std::chrono::milliseconds{10'000}, {}};
  const MigrationLock lock{session, patience};
  fill_with_jobs(scratch, options.rows);
  const auto schema = schema_version(scratch);
  Rehearsal out{.from = schema ? schema->version : 0,
                .to = options.to,
                .server = server_version(session),
                .rows = count_rows(scratch),
                .migrations = {}};
  for (const auto& migration : known_migrations()) {
    if (migration.version <= out.from || migration.version > options.to) continue;
    if (options.on_progress)
      options.on_progress("rehearsing " + migration_label(migration.version, migration.name));
    out.migrations.push_back(Course{scratch, migration, options}.run());
    if (out.migrations.back().runs.size() < 3) break;
  }
  return out;
}

}  // namespace outbox::store
