// Options of the migrate commands. No SQL, no decisions.
#include "cli/migrate.hpp"

#include <algorithm>
#include <iostream>
#include <memory>
#include <optional>
#include <string>

#include "cli/migrate_text.hpp"
#include "cli/output.hpp"
#include "cli/rehearse.hpp"
#include "core/duration.hpp"
#include "core/error.hpp"
#include "store/catalog.hpp"
#include "store/migrate.hpp"
#include "store/migrate_files.hpp"
#include "store/migrate_plan.hpp"
#include "store/migrate_state.hpp"
#include "store/migration_files.hpp"
#include "store/schema_version.hpp"

namespace outbox::cli {

namespace {

using core::Error;
using core::ExitCode;

/// Everything that the command line can say; filled by CLI11 before a command runs.
struct Given {
  Target target;
  bool json{};
  bool exit_code{};
  bool sql{};
  bool force{};
  bool down{};
  std::optional<int> to;
  int from{};
  std::string lock_wait{"60s"};
  bool allow_data_loss{};
  std::string format;
  std::string dir;
};
using Shared = std::shared_ptr<Given>;

store::Database database_of(const Given& given) { return connect(given.target, "migrate"); }

ExitCode status(const Given& given) {
  auto database = database_of(given);
  const auto states = store::migration_status(database);
  const auto schema = store::schema_version(database);
  print(given.json ? document(status_json(states, schema)) : status_text(states, schema));
  if (!given.exit_code) return ExitCode::ok;
  const auto counts = count(states);
  if (counts.different > 0)
    throw Error{ExitCode::drift, "an applied migration differs from this program's file"};
  const auto problem = store::compatible(schema, store::schema_built_for(), 0);
  if (problem && problem->code() == ExitCode::schema_newer) throw Error{*problem};
  if (counts.pending > 0) {
    throw Error{ExitCode::pending, "pending migrations: " + std::to_string(counts.pending),
                "outboxd migrate up"};
  }
  return ExitCode::ok;
}

ExitCode plan(const Given& given) {
  auto database = database_of(given);
  const auto schema = store::schema_version(database);
  const int newest = std::max(store::schema_built_for(), schema ? schema->version : 0);
  const auto planned = store::migration_plan(database, given.to.value_or(newest));
  print(given.json ? document(plan_json(planned)) : plan_text(planned, given.sql));
  return ExitCode::ok;
}

store::MigrateOptions options(const Given& given, int& steps) {
  const auto wait = core::parse_duration(given.lock_wait);
  if (!wait.value) throw Error{ExitCode::usage, "--lock-wait: " + wait.problem, wait.hint};
  return {
      .lock_wait = *wait.value,
      .force = given.force,
      .on_step =
          [&steps](const store::MigrationStep& step) {
            ++steps;
            print(std::string{step.up ? "applied " : "rolled back "} +
                  store::migration_label(step.version, step.name) + " in " +
                  std::to_string(step.took.count()) + " ms\n");
          },
      .on_wait = [](const std::string& what) { std::cerr << "waiting: " << what << std::endl; }};
}

/// Runs what changes the schema, tells each step, and where that led. `run` returns the version.
template <class Run>
ExitCode change(const Given& given, Run&& run) {
  int steps{};
  const auto how = options(given, steps);
  auto database = database_of(given);
  const int version = run(database, how);
  print(std::string{steps == 0 ? "nothing to do: " : ""} + "the schema is at version " +
        std::to_string(version) + "\n");
  return ExitCode::ok;
}

ExitCode up(const Given& given) {
  return change(given, [&](store::Database& database, const store::MigrateOptions& how) {
    return store::migrate_up(database, given.to, how);
  });
}

ExitCode down(const Given& given) {
  return change(given, [&](store::Database& database, const store::MigrateOptions& how) {
    return store::migrate_down(
        database, {.to = given.to.value(), .allow_data_loss = given.allow_data_loss}, how);
  });
}

ExitCode redo(const Given& given) { return change(given, store::migrate_redo); }

ExitCode verify(const Given& given) {
  auto database = database_of(given);
  const auto all = store::migrate_verify(database);
  print(given.json ? document(verified_json(all)) : verified_text(all));
  const auto ok = [](const store::Verified& one) { return one.problem.empty(); };
  return std::all_of(all.begin(), all.end(), ok) ? ExitCode::ok : ExitCode::drift;
}

ExitCode adopt(const Given& given) {
  int steps{};
  const auto how = options(given, steps);
  auto database = database_of(given);
  print("adopted: " + std::to_string(store::migrate_adopt(database, how)) + "\n");
  return ExitCode::ok;
}

ExitCode script(const Given& given) {
  const int to = given.to.value_or(store::schema_built_for());
  if (given.down != (to < given.from)) {
    throw Error{ExitCode::usage,
                given.down ? "--down expects --to below --from"
                           : "--to is below --from: expected --down with it",
                "outboxd migrate script --from 3 --to 2 --down"};
  }
  print(store::migration_script(
      {.from = given.from, .to = to, .allow_data_loss = given.allow_data_loss}));
  return ExitCode::ok;
}

ExitCode export_files(const Given& given) {
  const auto format = store::export_format(given.format);
  if (!format) {
    throw Error{ExitCode::usage,
                "--format: expected dbmate, golang-migrate or flyway, got '" + given.format + "'"};
  }
  const auto files = store::exported_files(*format);
  const int written = store::write_exported(files, given.dir);
  print("wrote " + std::to_string(written) + " of " + std::to_string(files.size()) +
        " files into " + given.dir + "\n");
  return ExitCode::ok;
}

ExitCode catalog(const Given& given) {
  auto database = database_of(given);
  std::string text;
  for (const auto& line : store::catalog(database)) text += line + '\n';
  print(text);
  return ExitCode::ok;
}

/// The commands, and the options that several of them have.
class Commands {
 public:
  Commands(CLI::App& parent, const OnRun& on_run) : parent_{parent}, on_run_{on_run} {}

  CLI::App& add(const char* name, const char* what, ExitCode (*run)(const Given&)) {
    CLI::App& command = *parent_.add_subcommand(name, what);
    command.callback(
        [on_run = on_run_, given = given_, run] { on_run([given, run] { return run(*given); }); });
    return command;
  }
  CLI::App& add_changing(const char* name, const char* what, ExitCode (*run)(const Given&)) {
    CLI::App& command = on_database(add(name, what, run));
    command
        .add_option("--lock-wait", given_->lock_wait,
                    "Longest wait for another migrator and for busy tables")
        ->capture_default_str();
    return command;
  }
  CLI::App& on_database(CLI::App& command) {
    add_target(command, given_->target);
    return command;
  }
  CLI::App& json(CLI::App& command) {
    command.add_flag("--json", given_->json, "Print one JSON document");
    return command;
  }
  void force(CLI::App& command) {
    command.add_flag("--force", given_->force,
                     "Go on although processors are alive that could not live with the result");
  }
  void allow_data_loss(CLI::App& command) {
    command.add_flag("--allow-data-loss", given_->allow_data_loss,
                     "Go on although jobs or history would be lost");
  }
  [[nodiscard]] Given& given() { return *given_; }

 private:
  CLI::App& parent_;
  OnRun on_run_;
  Shared given_{std::make_shared<Given>()};
};

void add_looking(Commands& commands) {
  auto& given = commands.given();
  auto& show = commands.json(
      commands.on_database(commands.add("status", "What is applied and what is pending", status)));
  show.add_flag("--exit-code", given.exit_code,
                "Exit with 3 when migrations are pending, 4 when one differs, 8 when the schema is "
                "newer and breaking");
  auto& ahead = commands.json(commands.on_database(
      commands.add("plan", "What up or down would do here: locks, pre-checks, processors", plan)));
  ahead.add_option("--to", given.to, "The version to go to, up or down (default: the newest)");
  ahead.add_flag("--sql", given.sql, "Also print the SQL");
  commands.json(commands.on_database(commands.add(
      "verify", "Check that what is applied is there; exit with 4 when it is not", verify)));
  commands.on_database(commands.add(
      "catalog", "Print the objects of the schema, a line each, to compare databases", catalog));
}

void add_changing(Commands& commands) {
  auto& given = commands.given();
  auto& apply =
      commands.add_changing("up", "Apply pending migrations, each in its own transaction", up);
  apply.add_option("--to", given.to, "Stop at this version (default: the newest)");
  commands.force(apply);
  auto& undo =
      commands.add_changing("down", "Roll back to a version, all of it in one transaction", down);
  undo.add_option("--to", given.to, "The version to go back to; 0 removes the schema")->required();
  commands.allow_data_loss(undo);
  commands.force(undo);
  commands.add_changing(
      "redo", "Roll the newest migration back and apply it again; never where data would go", redo);
  commands.add_changing(
      "adopt", "Complete the ledger for migrations applied by hand, if all is as it should be",
      adopt);
}

void add_files(Commands& commands) {
  auto& given = commands.given();
  auto& one = commands.add("script", "Print one file for psql; needs no database", script);
  one.add_option("--from", given.from, "The version that the database has")->required();
  one.add_option("--to", given.to, "The version to go to (default: the newest)");
  one.add_flag("--down", given.down, "The way back");
  commands.allow_data_loss(one);
  auto& many =
      commands.add("export", "Write the files for another tool; needs no database", export_files);
  many.add_option("--format", given.format, "dbmate, golang-migrate or flyway")->required();
  many.add_option("--dir", given.dir, "The folder, made when it is missing")->required();
}

}  // namespace

void add_migrate(CLI::App& app, const OnRun& on_run) {
  auto* migrate =
      app.add_subcommand("migrate", "Apply, roll back and check the schema's migrations");
  migrate->require_subcommand(1);
  Commands commands{*migrate, on_run};
  add_looking(commands);
  add_changing(commands);
  add_files(commands);
  add_rehearse(*migrate, on_run);
}

}  // namespace outbox::cli
