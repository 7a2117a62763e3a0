// Options and report of a rehearsal. No SQL.
#include "cli/rehearse.hpp"

#include <iostream>
#include <memory>
#include <optional>
#include <string>

#include "cli/output.hpp"
#include "core/duration.hpp"
#include "core/error.hpp"
#include "store/migrate.hpp"
#include "store/migration_files.hpp"
#include "store/rehearse.hpp"
#include "store/schema_version.hpp"
#include "store/scratch.hpp"

namespace outbox::cli {

namespace {

using core::Error;
using core::ExitCode;

struct RehearseGiven {
  Target target;
  bool json{};
  bool all{};
  std::optional<int> to;
  std::int64_t rows{100'000};
  std::string source{"synthetic"};
};

std::string modes(const store::MeasuredRun& run) {
  std::string text;
  for (const auto& [table, mode] : run.locks) text += "\n      " + table + " " + mode;
  return text.empty() ? " none" : text;
}

std::string list(const std::vector<std::string>& names) {
  std::string text;
  for (const auto& name : names) text += (text.empty() ? "" : ", ") + name;
  return text.empty() ? "none" : text;
}

std::string report_text(const store::Rehearsal& rehearsal) {
  if (rehearsal.migrations.empty())
    return "nothing to rehearse: the schema is at version " + std::to_string(rehearsal.from) +
           "; --all rehearses the whole chain\n";
  std::string text = "PostgreSQL " + rehearsal.server + ", from version " +
                     std::to_string(rehearsal.from) + " to " + std::to_string(rehearsal.to) + "\n";
  for (const auto& [table, rows] : rehearsal.rows) {
    if (rows > 0) text += "  " + table + ": " + std::to_string(rows) + " rows\n";
  }
  for (const auto& one : rehearsal.migrations) {
    text += "\n" + store::migration_label(one.version, one.name) + ": " +
            (one.problems.empty() ? "as declared" : "NOT as declared") + "\n";
    for (const auto& run : one.runs) {
      const auto& declared = run.up ? one.up : one.down;
      text += std::string{run.up ? "  up   " : "  down "} + std::to_string(run.took.count()) +
              " ms (declared at most " + core::format_duration(declared.duration) + "), " +
              std::to_string(run.wal_bytes / 1024) + " KiB of WAL, rewrites " + list(run.rewrites) +
              ", scans " + list(run.scans) + ", locks on what was there:" + modes(run) + "\n";
    }
    for (const auto& problem : one.problems) text += "  PROBLEM " + problem + "\n";
  }
  return text;
}

Json locks_json(const std::map<std::string, std::string>& locks) {
  Json out = Json::object();
  for (const auto& [table, mode] : locks) out[table] = mode;
  return out;
}

Json declared_json(const core::MigrationHeader& header) {
  std::map<std::string, std::string> locks;
  for (const auto& lock : header.locks) locks[lock.table] = lock.mode;
  return {{"duration_ms", header.duration.count()},
          {"locks", locks_json(locks)},
          {"rewrites", header.rewrites},
          {"scans", header.scans},
          {"loses_data", header.loses_data}};
}

Json report_json(const store::Rehearsal& rehearsal) {
  Json migrations = Json::array();
  for (const auto& one : rehearsal.migrations) {
    Json runs = Json::array();
    for (const auto& run : one.runs) {
      runs.push_back({{"direction", run.up ? "up" : "down"},
                      {"duration_ms", run.took.count()},
                      {"wal_bytes", run.wal_bytes},
                      {"locks", locks_json(run.locks)},
                      {"rewrites", run.rewrites},
                      {"scans", run.scans}});
    }
    migrations.push_back(
        {{"version", one.version},
         {"name", one.name},
         {"declared", {{"up", declared_json(one.up)}, {"down", declared_json(one.down)}}},
         {"measured", runs},
         {"problems", one.problems}});
  }
  Json rows = Json::object();
  for (const auto& [table, count] : rehearsal.rows) rows[table] = count;
  return {{"as_declared", rehearsal.as_declared()},
          {"server", rehearsal.server},
          {"from", rehearsal.from},
          {"to", rehearsal.to},
          {"rows", rows},
          {"migrations", migrations}};
}

store::Rehearsal rehearse_here(const core::DatabaseOptions& options, const RehearseGiven& given,
                               std::int64_t rows) {
  auto patient = options;
  patient.statement_timeout = std::chrono::hours{1};
  store::Database scratch{patient, "rehearse", store::Use::people};
  return store::rehearse(
      scratch, {.to = given.to.value_or(store::schema_built_for()),
                .rows = rows,
                .on_progress = [](const std::string& what) { std::cerr << what << std::endl; }});
}

/// The version that the scratch copy is to have before the first step.
int start_version(const RehearseGiven& given) {
  if (given.all) return 0;
  auto database = connect(given.target, "rehearse");
  const auto schema = store::schema_version(database);
  return schema ? schema->version : 0;
}

store::Rehearsal rehearse_synthetic(const RehearseGiven& given) {
  const int start = start_version(given);
  const store::ScratchDatabase scratch{database_options(given.target),
                                       store::ScratchDatabase::Contents::nothing};
  if (start > 0) {
    store::Database database{scratch.options(), "rehearse", store::Use::people};
    store::migrate_up(database, std::min(start, store::schema_built_for()), {});
  }
  return rehearse_here(scratch.options(), given, given.rows);
}

store::Rehearsal rehearse_source(const RehearseGiven& given) {
  if (given.source == "synthetic") return rehearse_synthetic(given);
  if (given.all) throw Error{ExitCode::usage, "--all goes with --source synthetic only"};
  if (given.source == "restored") return rehearse_here(database_options(given.target), given, 0);
  if (given.source == "template") {
    const store::ScratchDatabase scratch{database_options(given.target),
                                         store::ScratchDatabase::Contents::copy};
    return rehearse_here(scratch.options(), given, 0);
  }
  throw Error{ExitCode::usage,
              "--source: expected synthetic, template or restored, got '" + given.source + "'"};
}

}  // namespace

void add_rehearse(CLI::App& migrate, const OnRun& on_run) {
  const auto given = std::make_shared<RehearseGiven>();
  CLI::App& command = *migrate.add_subcommand(
      "rehearse",
      "Try pending migrations on a scratch copy: up, down, up; declared beside measured");
  add_target(command, given->target);
  command.add_flag("--json", given->json, "Print one JSON document");
  command
      .add_option("--source", given->source,
                  "synthetic: a new database with this one's schema and made-up jobs; template: a "
                  "copy of this one, which nobody may use meanwhile; restored: this one itself, "
                  "which you restored for it")
      ->capture_default_str();
  command.add_option("--rows", given->rows, "Live jobs to make up (synthetic)")
      ->capture_default_str()
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{100'000'000}));
  command.add_option("--to", given->to, "The last migration to try (default: the newest)");
  command.add_flag("--all", given->all, "The whole chain, from nothing (synthetic)");
  command.callback([given, on_run] {
    on_run([given] {
      const auto rehearsal = rehearse_source(*given);
      print(given->json ? document(report_json(rehearsal)) : report_text(rehearsal));
      return rehearsal.as_declared() ? ExitCode::ok : ExitCode::drift;
    });
  });
}

}  // namespace outbox::cli
