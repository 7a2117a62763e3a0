// One handler for each kind, or a message that names every kind that has none or two.
#include "handlers/table.hpp"

#include "core/error.hpp"

namespace outbox::handlers {

engine::HandlerTable make_table(const core::Options& options,
                                const std::map<std::string, store::SqlBody>& bodies,
                                const Registry& registry) {
  engine::HandlerTable table;
  std::string problems;
  for (const auto& [kind, function] : registry.handlers()) {
    const auto configured = options.kinds.find(kind);
    if (configured != options.kinds.end() && configured->second.sql) {
      problems += "\n  kind " + kind +
                  ": it has an sql handler in the configuration and a C++ handler in this program; "
                  "remove one";
      continue;
    }
    auto& handler = table[kind];
    if (configured != options.kinds.end()) handler.options = configured->second;
    std::visit([&handler](const auto& run) { handler.run = run; }, function);
  }
  for (const auto& [kind, settings] : options.kinds) {
    if (!settings.sql) {
      if (table.count(kind) == 0) {
        problems += "\n  kind " + kind +
                    ": it has neither sql nor function, and this program has no C++ handler for it";
      }
      continue;
    }
    const auto body = bodies.find(kind);
    if (body == bodies.end()) continue;  // check_handlers has said why
    table.emplace(kind, engine::Handler{settings, body->second});
  }
  std::vector<store::SqlBody*> sql;
  for (auto& [kind, handler] : table) {
    if (auto* body = std::get_if<store::SqlBody>(&handler.run)) sql.push_back(body);
  }
  store::number_calls(sql);
  if (!problems.empty())
    throw core::Error{core::ExitCode::configuration, "some kinds cannot be run:" + problems};
  if (table.empty()) {
    throw core::Error{
        core::ExitCode::configuration, "there is no kind to run",
        "add one under `kinds:`, for example `mail: {sql: \"SELECT app.send_mail($1)\"}`"};
  }
  return table;
}

}  // namespace outbox::handlers
