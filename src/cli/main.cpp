// Puts the commands together.
#include "cli/main.hpp"

#include <utility>

#include <outbox/program.hpp>
#include <outbox/version.hpp>

#include "cli/bench.hpp"
#include "cli/config.hpp"
#include "cli/deliver.hpp"
#include "cli/doctor.hpp"
#include "cli/failure.hpp"
#include "cli/jobs.hpp"
#include "cli/kinds.hpp"
#include "cli/migrate.hpp"
#include "cli/output.hpp"
#include "cli/queues.hpp"
#include "cli/run.hpp"
#include "cli/sign.hpp"
#include "cli/stats.hpp"
#include "core/error.hpp"
#include "store/schema_version.hpp"

namespace outbox::cli {

namespace {

using core::ExitCode;

constexpr const char* kFooter =
    "Exit codes: 0 done; 1 failed, nothing changed; 2 wrong command line; 3 migrations pending; 4 "
    "not as expected;\n"
    "5 busy, retry later; 6 refused; 7 live processors in the way; 8 schema too new; 66 no such "
    "job, queue or kind;\n"
    "69 database unreachable, retry later; 70 bug; 78 wrong configuration.";

void add_run(CLI::App& app, const OnRun& on_run, const Registry& registry) {
  const auto config = std::make_shared<std::string>();
  CLI::App& command =
      *app.add_subcommand("run", "Run jobs until SIGTERM or SIGINT; a second one stops at once");
  command.add_option("--config", *config, "Configuration file; or OUTBOX_CONFIG")
      ->envname("OUTBOX_CONFIG")
      ->required();
  command.callback([config, on_run, &registry] {
    on_run([config, &registry] { return static_cast<ExitCode>(run(*config, registry)); });
  });
}

void add_version(CLI::App& app, const OnRun& on_run) {
  const auto json = std::make_shared<bool>();
  CLI::App& command =
      *app.add_subcommand("version", "Version of the program and of the schema it is built for");
  command.add_flag("--json", *json, "Print one JSON document");
  command.callback([json, on_run] {
    on_run([json] {
      const std::string version{kVersion};
      print(*json ? document({{"version", version}, {"schema", store::schema_built_for()}})
                  : "outboxd " + version + ", schema " + std::to_string(store::schema_built_for()) +
                        '\n');
      return ExitCode::ok;
    });
  });
}

void add_commands(CLI::App& app, const OnRun& on_run, const Registry& registry) {
  app.require_subcommand(1);
  app.footer(kFooter);
  app.set_version_flag("--version", "outboxd " + std::string{kVersion});
  app.failure_message([](const CLI::App*, const CLI::Error& e) {
    return "outboxd: " + safe_lines(e.what()) +
           "\nhint: outboxd --help, or --help after a command\n";
  });
  add_run(app, on_run, registry);
  add_config(app, on_run);
  add_jobs(app, on_run);
  add_queues(app, on_run);
  add_kinds(app, on_run);
  add_deliver(app, on_run);
  add_sign(app, on_run);
  add_stats(app, on_run);
  add_doctor(app, on_run);
  add_migrate(app, on_run);
  add_bench(app, on_run);
  add_version(app, on_run);
}

}  // namespace

int main(int argc, char** argv, const Registry& registry) {
  Action action;
  CLI::App app{
      "outboxd: runs the jobs that applications insert in their own PostgreSQL transactions",
      "outboxd"};
  try {
    add_commands(
        app, [&action](Action given) { action = std::move(given); }, registry);
    app.parse(argc, argv);
    return core::to_int(action ? action() : ExitCode::ok);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? core::to_int(ExitCode::ok) : core::to_int(ExitCode::usage);
  } catch (...) {
    return report();
  }
}

}  // namespace outbox::cli

namespace outbox {

// NOLINTNEXTLINE(performance-unnecessary-value-param): the public signature takes it over
int run_program(int argc, char** argv, Registry registry) {
  return cli::main(argc, argv, registry);
}

}  // namespace outbox
