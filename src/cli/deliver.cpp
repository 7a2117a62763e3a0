// Options and output of the command deliver.
#include "cli/deliver.hpp"

#include <algorithm>

#include "cli/output.hpp"
#include "core/error.hpp"
#include "core/http_rules.hpp"
#include "core/text.hpp"
#include "handlers/exec_environment.hpp"
#include "handlers/http_request.hpp"
#include "store/message_id.hpp"
#include "store/next_attempt.hpp"

namespace outbox::cli {

namespace {

using core::ExitCode;

struct DeliverOptions {
  Target target;
  std::int64_t id{};
  bool dry_run{};
  bool json{};
};

constexpr const char* kHidden = "(hidden)";

using Header = std::pair<std::string, std::string>;

/// What only the configuration may know is not shown.
std::vector<Header> shown(const handlers::HttpRequest& request) {
  std::vector<Header> out;
  for (std::string_view rest = request.headers; !rest.empty();) {
    const auto line = rest.substr(0, rest.find('\0'));
    rest.remove_prefix(line.size() + 1);
    const auto colon = line.find(':');
    Header header{line.substr(0, colon), line.substr(colon + 2)};
    if (core::lower_case(header.first) == "authorization") header.second = kHidden;
    out.push_back(std::move(header));
  }
  return out;
}

void show_request(const core::HttpHandler& http, const Job& job, const std::string& prefix,
                  std::int64_t now, bool json) {
  const handlers::RequestMaker maker{http, prefix};
  const auto made = maker.make(job, now);
  if (!made.problem.empty()) {
    throw core::Error{ExitCode::refused,
                      "job " + std::to_string(job.id) + " cannot be delivered: " + made.problem,
                      "it would go to the dead letters with this text; mend the payload or the "
                      "configuration of kind " +
                          job.kind};
  }
  const auto& request = made.request;
  if (json) {
    Json headers = Json::object();
    for (const auto& [name, value] : shown(request)) headers[name] = value;
    print(document({{"id", json_id(job.id)},
                    {"handler", "http"},
                    {"method", request.method},
                    {"url", request.url},
                    {"headers", headers},
                    {"body", job.payload}}));
    return;
  }
  std::string text = request.method + ' ' + request.url + '\n';
  for (const auto& [name, value] : shown(request))
    text += name + ": " + core::printable(value, 8'192) + '\n';
  print(text + '\n' + job.payload + '\n');
}

void show_program(const core::KindOptions& settings, const Job& job, const std::string& prefix,
                  std::int64_t now, bool json) {
  const auto& exec = *settings.exec;
  const auto deadline = now + std::chrono::ceil<std::chrono::seconds>(settings.timeout).count();
  // Names only of what is passed on from the environment of whoever runs the processor.
  auto environment = handlers::exec_environment({}, job, prefix, deadline);
  for (const auto& name : exec.env) environment.push_back(name + '=' + kHidden);
  if (json) {
    print(document({{"id", json_id(job.id)},
                    {"handler", "exec"},
                    {"argv", exec.argv},
                    {"cwd", exec.cwd},
                    {"user", json_text(exec.user)},
                    {"environment", environment},
                    {"stdin", job.payload}}));
    return;
  }
  std::string text;
  for (const auto& argument : exec.argv)
    text += (text.empty() ? "" : " ") + core::printable(argument, 4'096);
  text += "\ncwd: " + core::printable(exec.cwd, 4'096) + '\n';
  for (const auto& variable : environment) text += core::printable(variable, 40'000) + '\n';
  print(text + '\n' + job.payload + '\n');
}

store::NextAttempt find(store::Database& database, std::int64_t id) {
  try {
    if (auto found = store::next_attempt(database, id)) return *std::move(found);
  } catch (const core::DbError& e) {
    if (e.sqlstate() != "42501") throw;
    throw core::Error{
        ExitCode::refused,
        "job " + std::to_string(id) + " is not live, and this role may not read dead letters",
        "outboxd jobs retry " + std::to_string(id) +
            " brings a dead one back; or name a login that may read payloads"};
  }
  throw core::Error{ExitCode::not_found, "there is no live or dead job " + std::to_string(id),
                    "outboxd jobs list"};
}

ExitCode deliver(const DeliverOptions& options) {
  if (!options.dry_run) {
    throw core::Error{ExitCode::usage,
                      "outboxd deliver shows, it does not send: expected --dry-run",
                      "a job is sent by outboxd run; outboxd jobs retry ID makes one due now"};
  }
  const auto settings = load_config(config_file(options.target));
  store::Database database{settings.database, "deliver", store::Use::people};
  const auto found = find(database, options.id);
  const auto& job = found.job;
  const auto kind = settings.kinds.find(job.kind);
  if (kind == settings.kinds.end() || (!kind->second.http && !kind->second.exec)) {
    throw core::Error{
        ExitCode::refused,
        "kind " + job.kind + " of job " + std::to_string(job.id) + " is no http or exec kind here",
        "name the configuration of the processor that runs it"};
  }
  const auto prefix = store::message_prefix(database);
  if (kind->second.http) {
    show_request(*kind->second.http, job, prefix, found.now, options.json);
  } else {
    show_program(kind->second, job, prefix, found.now, options.json);
  }
  return ExitCode::ok;
}

}  // namespace

void add_deliver(CLI::App& app, const OnRun& on_run) {
  const auto options = std::make_shared<DeliverOptions>();
  CLI::App& command = *app.add_subcommand(
      "deliver", "Show what a job of an http or exec kind would send or start now");
  command.add_option("id", options->id, "Id of the job, live or dead")->required();
  command.add_flag("--dry-run", options->dry_run, "Required: nothing is sent");
  command.add_option("--config", options->target.config, "Configuration file; or OUTBOX_CONFIG");
  command.add_flag("--json", options->json, "Print one JSON document");
  command.callback([options, on_run] { on_run([options] { return deliver(*options); }); });
}

}  // namespace outbox::cli
