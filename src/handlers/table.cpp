// One handler for each kind, or a message that names every kind that has none or two.
#include "handlers/table.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "handlers/exec.hpp"
#include "handlers/exec_check.hpp"
#include "handlers/http.hpp"

namespace outbox::handlers {

namespace {

/// Idle connections kept for use again, over all kinds.
constexpr long kConnectionsMost = 20'000;

/// Makes the handlers that wait outside, and the loops that they share when the first one comes.
class Maker {
 public:
  Maker(const core::Options& options, const Outward& outward)
      : options_{options}, outward_{outward} {}

  std::shared_ptr<engine::AsyncHandler> make(const std::string& kind,
                                             const core::KindOptions& settings) {
    if (settings.http) {
      if (!http_) http_ = std::make_shared<HttpLoop>(connections_most());
      return std::make_shared<HttpKind>(kind, settings, outward_.message_prefix, http_,
                                        outward_.events);
    }
    if (!exec_) exec_ = std::make_shared<ExecLoop>(outward_.message_prefix, outward_.events);
    return make_exec(kind, settings, exec_);
  }

 private:
  [[nodiscard]] long connections_most() const {
    long sum = 0;
    for (const auto& [kind, settings] : options_.kinds) {
      if (settings.http) sum += settings.http->concurrency;
    }
    return std::min(sum, kConnectionsMost);
  }

  const core::Options& options_;
  const Outward& outward_;
  std::shared_ptr<HttpLoop> http_;
  std::shared_ptr<ExecLoop> exec_;
};

const char* type_of(const core::KindOptions& settings) {
  if (settings.http) return "an http";
  if (settings.exec) return "an exec";
  return settings.sql ? "an sql" : nullptr;
}

void add_registered(const core::Options& options, const Registry& registry,
                    engine::HandlerTable& table, std::string& problems) {
  for (const auto& [kind, function] : registry.handlers()) {
    const auto configured = options.kinds.find(kind);
    if (configured != options.kinds.end() && type_of(configured->second) != nullptr) {
      problems += "\n  kind " + kind + ": it has " + type_of(configured->second) +
                  " handler in the configuration and a C++ handler in this program; remove one";
      continue;
    }
    auto& handler = table[kind];
    if (configured != options.kinds.end()) handler.options = configured->second;
    std::visit([&handler](const auto& run) { handler.run = run; }, function);
  }
}

/// What is wrong with a configured kind; a line each.
std::string problems_of(const std::string& kind, const core::KindOptions& settings,
                        const engine::HandlerTable& table) {
  std::string problems;
  if (type_of(settings) == nullptr && table.count(kind) == 0) {
    problems =
        "\n  kind " + kind +
        ": it has no http, exec, sql or function, and this program has no C++ handler for it";
  }
  if (settings.exec) {
    for (const auto& problem : check_exec(*settings.exec))
      problems += "\n  kind " + kind + ": " + problem;
  }
  return problems;
}

}  // namespace

engine::HandlerTable make_table(const core::Options& options,
                                const std::map<std::string, store::SqlBody>& bodies,
                                const Registry& registry, const Outward& outward) {
  engine::HandlerTable table;
  std::string problems;
  add_registered(options, registry, table, problems);
  for (const auto& [kind, settings] : options.kinds) problems += problems_of(kind, settings, table);
  if (!problems.empty())
    throw core::Error{core::ExitCode::configuration, "some kinds cannot be run:" + problems};
  Maker maker{options, outward};
  std::vector<store::SqlBody*> sql;
  for (const auto& [kind, settings] : options.kinds) {
    if (settings.http || settings.exec) {
      table.emplace(kind, engine::Handler{settings, maker.make(kind, settings)});
    } else if (const auto body = bodies.find(kind); settings.sql && body != bodies.end()) {
      table.emplace(kind, engine::Handler{settings, body->second});
    }
  }
  for (auto& [kind, handler] : table) {
    if (auto* body = std::get_if<store::SqlBody>(&handler.run)) sql.push_back(body);
  }
  store::number_calls(sql);
  if (table.empty()) {
    throw core::Error{
        core::ExitCode::configuration, "there is no kind to run",
        "add one under `kinds:`, for example `mail: {sql: \"SELECT app.send_mail($1)\"}`"};
  }
  return table;
}

}  // namespace outbox::handlers
