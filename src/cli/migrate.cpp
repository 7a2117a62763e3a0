// Options and output of the migrate commands. No SQL, no decisions.
#include "cli/migrate.hpp"

#include <iomanip>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/duration.hpp"
#include "core/error.hpp"
#include "store/migrate.hpp"
#include "store/migration_files.hpp"
#include "store/schema_version.hpp"

namespace outbox::cli {

namespace {

using core::Error;
using core::ExitCode;
using Open = std::function<store::Database()>;

/// Everything that the command line can say; filled by CLI11 before a callback runs.
struct Given {
  bool json{};
  bool exit_code{};
  bool dry_run{};
  std::optional<int> to;
  std::string lock_wait{"60s"};
  store::DownOptions down;
};

std::string words(const store::MigrationState& state) {
  if (!state.applied) return "pending";
  std::string text = "applied " + state.applied_at;
  if (state.by_hand) text += ", by hand";
  if (!state.known) text += ", unknown to this program";
  if (!state.checksum_ok) text += ", DIFFERS from this program's file";
  return text;
}

struct Counts {
  int version{};
  int pending{};
  int different{};
};

Counts count(const std::vector<store::MigrationState>& states) {
  Counts counts;
  for (const auto& state : states) {
    if (state.applied) counts.version = state.version;
    if (!state.applied) ++counts.pending;
    if (!state.checksum_ok) ++counts.different;
  }
  return counts;
}

void print_text(const std::vector<store::MigrationState>& states, const Counts& counts) {
  for (const auto& state : states) {
    std::cout << std::left << std::setw(24) << store::migration_label(state.version, state.name)
              << ' ' << words(state) << '\n';
  }
  std::cout << "the schema is at version " << counts.version << "; this program was built for "
            << store::kSchemaBuiltFor << '\n';
}

void print_json(const std::vector<store::MigrationState>& states, const Counts& counts) {
  auto list = nlohmann::ordered_json::array();
  for (const auto& state : states) {
    list.push_back({{"version", state.version},
                    {"name", state.name},
                    {"applied", state.applied},
                    {"applied_at", state.applied ? nlohmann::ordered_json(state.applied_at)
                                                 : nlohmann::ordered_json(nullptr)},
                    {"by_hand", state.by_hand},
                    {"known", state.known},
                    {"checksum_ok", state.checksum_ok}});
  }
  const nlohmann::ordered_json out{{"version", counts.version},
                                   {"built_for", store::kSchemaBuiltFor},
                                   {"pending", counts.pending},
                                   {"migrations", list}};
  std::cout << out.dump(2) << '\n';
}

void status(const Given& given, const Open& open) {
  auto database = open();
  const auto states = store::migration_status(database);
  const auto counts = count(states);
  if (given.json) {
    print_json(states, counts);
  } else {
    print_text(states, counts);
  }
  if (!given.exit_code) return;
  if (counts.different > 0)
    throw Error{ExitCode::failed, "an applied migration differs from this program's file"};
  const auto problem =
      store::compatible(store::schema_version(database), store::kSchemaBuiltFor, 0);
  if (problem && problem->code() == ExitCode::schema_newer) throw Error{*problem};
  if (counts.pending > 0) {
    throw Error{ExitCode::pending, "pending migrations: " + std::to_string(counts.pending),
                "outboxd migrate up"};
  }
}

store::MigrateOptions options(const Given& given, const char* verb, int& steps) {
  const auto wait = core::parse_duration(given.lock_wait);
  if (!wait.value) throw Error{ExitCode::usage, "--lock-wait: " + wait.problem, wait.hint};
  return {
      .lock_wait = *wait.value,
      .on_step =
          [verb, &steps](const store::MigrationStep& step) {
            ++steps;
            std::cout << verb << ' ' << store::migration_label(step.version, step.name) << " in "
                      << step.took.count() << " ms" << std::endl;
          },
      .on_wait = [](const std::string& what) { std::cerr << "waiting: " << what << std::endl; }};
}

void finish(int steps, int version) {
  if (steps == 0) std::cout << "nothing to do: ";
  std::cout << "the schema is at version " << version << '\n';
}

/// A script for psql that does the same, each file in its own transaction.
void print_sql(const Given& given, const Open& open) {
  auto database = open();
  std::cout << "\\set ON_ERROR_STOP on\n";
  for (const auto& state : store::migration_status(database)) {
    if (state.applied || (given.to && state.version > *given.to)) continue;
    std::cout << "BEGIN;\n" << store::find_migration(state.version)->up << "COMMIT;\n";
  }
}

void up(const Given& given, const Open& open) {
  if (given.dry_run) {
    print_sql(given, open);
    return;
  }
  int steps{};
  const auto how = options(given, "applied", steps);
  auto database = open();
  const int version = store::migrate_up(database, given.to, how);
  finish(steps, version);
}

void down(const Given& given, const Open& open) {
  int steps{};
  const auto how = options(given, "rolled back", steps);
  auto database = open();
  auto what = given.down;
  what.to = given.to.value();
  finish(steps, store::migrate_down(database, what, how));
}

void add_lock_wait(CLI::App& command, Given& given) {
  command
      .add_option("--lock-wait", given.lock_wait,
                  "Longest wait for another migrator and for busy tables")
      ->capture_default_str();
}

}  // namespace

CLI::App* add_migrate(CLI::App& app, const Open& open) {
  const auto given = std::make_shared<Given>();
  auto* migrate = app.add_subcommand("migrate", "Apply and roll back the schema's migrations");
  migrate->require_subcommand(1);
  migrate->fallthrough();

  auto* show = migrate->add_subcommand("status", "What is applied and what is pending");
  show->add_flag("--json", given->json, "Print JSON");
  show->add_flag("--exit-code", given->exit_code,
                 "Exit with 3 when migrations are pending, 1 when one differs, 8 when the schema "
                 "is newer and breaking");
  show->callback([given, open] { status(*given, open); });

  auto* apply =
      migrate->add_subcommand("up", "Apply pending migrations, each in its own transaction");
  apply->add_option("--to", given->to, "Stop at this version (default: the newest)");
  apply->add_flag("--dry-run", given->dry_run, "Print the SQL for psql and change nothing");
  add_lock_wait(*apply, *given);
  apply->callback([given, open] { up(*given, open); });

  auto* undo =
      migrate->add_subcommand("down", "Roll back to a version, all of it in one transaction");
  undo->add_option("--to", given->to, "The version to go back to; 0 removes the schema")
      ->required();
  undo->add_flag("--allow-data-loss", given->down.allow_data_loss,
                 "Go on although jobs or history would be lost");
  undo->add_flag("--force", given->down.force, "Go on although processors are alive");
  add_lock_wait(*undo, *given);
  undo->callback([given, open] { down(*given, open); });
  return migrate;
}

}  // namespace outbox::cli
