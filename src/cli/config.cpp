// Options and output of the config commands.
#include "cli/config.hpp"

#include "cli/output.hpp"
#include "config/load.hpp"
#include "config/print.hpp"
#include "core/text.hpp"

namespace outbox::cli {

namespace {

CLI::App& add_command(CLI::App& config, const char* name, const char* description, Target& target) {
  CLI::App& command = *config.add_subcommand(name, description);
  command.add_option("--config", target.config, "Configuration file; or OUTBOX_CONFIG");
  return command;
}

}  // namespace

void add_config(CLI::App& app, const OnRun& on_run) {
  CLI::App& config = *app.add_subcommand("config", "Check and print the configuration");
  config.require_subcommand(1);
  const auto target = std::make_shared<Target>();
  add_command(config, "check", "Tell everything that is wrong with it", *target)
      .callback([target, on_run] {
        on_run([target] {
          const std::string file = config_file(*target);
          (void)load_config(file);
          print(core::printable(file, 1'024) + ": the configuration is right\n");
          return core::ExitCode::ok;
        });
      });
  add_command(config, "print", "The values in effect as YAML, passwords hidden", *target)
      .callback([target, on_run] {
        on_run([target] {
          print(config::print(load_config(config_file(*target))));
          return core::ExitCode::ok;
        });
      });
}

}  // namespace outbox::cli
