// Finding and opening the database of a command.
#include "cli/target.hpp"

#include "config/format.hpp"
#include "config/load.hpp"
#include "core/conninfo.hpp"
#include "core/error.hpp"
#include "store/no_jit.hpp"
#include "store/schema_version.hpp"

namespace outbox::cli {

namespace {

using core::Error;
using core::ExitCode;

std::string environment(const char* name) {
  return config::process_environment()(name).value_or(std::string{});
}

/// libpq quotes what it cannot read of a connection string, and that may be the password.
std::string without_passwords(std::string message, const std::string& url) {
  const auto hide = [&message](const std::string& secret) {
    if (secret.empty()) return;
    constexpr std::string_view kShown = "[secret]";
    for (auto at = message.find(secret); at != std::string::npos;
         at = message.find(secret, at + kShown.size())) {
      message.replace(at, secret.size(), kShown);
    }
  };
  const auto parts = core::parse_conninfo(url);
  if (!parts) {
    hide(url);
    return message;
  }
  for (const auto& part : *parts) {
    if (part.key.find("password") != std::string::npos)
      hide(url.substr(part.begin, part.end - part.begin));
  }
  return message;
}

}  // namespace

void add_target(CLI::App& command, Target& target) {
  auto* url = command.add_option(
      "--url", target.url,
      "libpq URL of the database; for one with a password rather use the environment "
      "variable OUTBOX_URL");
  command
      .add_option("--config", target.config,
                  "Configuration file that names the database; or OUTBOX_CONFIG")
      ->excludes(url);
}

std::string config_file(const Target& target) {
  if (!target.config.empty()) return target.config;
  const auto file = config::process_environment()("OUTBOX_CONFIG");
  if (file && !file->empty()) return *file;
  throw core::Error{core::ExitCode::usage,
                    "no configuration file is named: expected --config FILE or the environment "
                    "variable OUTBOX_CONFIG"};
}

core::Options load_config(const std::string& file) {
  auto loaded = config::load_file(file, config::process_environment());
  if (loaded.errors.empty()) return std::move(loaded.options);
  throw Error{ExitCode::configuration,
              "the configuration is wrong:\n" + config::format_errors(loaded.errors),
              "nothing was done; retrying unchanged does not help"};
}

core::DatabaseOptions database_options(const Target& target) {
  std::string url = target.url;
  std::string config = target.config;
  if (url.empty() && config.empty()) url = environment("OUTBOX_URL");
  if (url.empty() && config.empty()) config = environment("OUTBOX_CONFIG");
  if (!config.empty()) return load_config(config).database;
  if (url.empty()) {
    throw Error{ExitCode::usage,
                "no database is named: expected --url URL, --config FILE, or the environment "
                "variable OUTBOX_URL or OUTBOX_CONFIG",
                "outboxd … --url postgresql://user@host/database"};
  }
  // Not quoted: it may hold a password.
  if (!core::parse_conninfo(url)) {
    throw Error{ExitCode::usage,
                "the database URL cannot be read: expected postgresql://user@host/database or "
                "key=value settings",
                "check --url or OUTBOX_URL; retrying unchanged does not help"};
  }
  core::DatabaseOptions options;
  options.url = url;
  return options;
}

store::Database connect(const Target& target, const std::string& role) {
  const auto options = database_options(target);
  try {
    return store::Database{options, role, store::Use::people};
  } catch (const core::DbError& e) {
    throw core::DbError{e.fault(), e.sqlstate(), without_passwords(e.what(), options.url)};
  }
}

store::Database open(const Target& target, const std::string& role) {
  auto database = connect(target, role);
  const auto problem = store::compatible(store::schema_version(database), store::schema_built_for(),
                                         store::kSchemaOldest);
  if (problem) throw Error{*problem};
  store::no_jit(database);
  return database;
}

}  // namespace outbox::cli
