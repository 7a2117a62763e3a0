// Options and output of the kinds commands.
#include "cli/kinds.hpp"

#include "cli/output.hpp"
#include "cli/stated.hpp"
#include "core/error.hpp"
#include "core/text.hpp"
#include "store/kinds.hpp"

namespace outbox::cli {

namespace {

using core::ExitCode;

struct NamedKind : DataOptions {
  std::string name;
  store::Stated stated;
};

std::string kinds_text(const std::vector<store::KindStatus>& kinds) {
  if (kinds.empty()) return "no kinds: no living processor can run one, and none was paused\n";
  using Align = Table::Align;
  Table table{{{"KIND"}, {"PROCESSORS", Align::right}, {"PAUSED"}, {"WHY", Align::left, 1'024}}};
  for (const auto& kind : kinds) {
    table.add({kind.name, std::to_string(kind.processors),
               kind.paused_at ? "since " + iso(*kind.paused_at) : "no",
               kind.paused_why.empty() ? "-" : kind.paused_why});
  }
  return table.text();
}

Json kinds_json(const std::vector<store::KindStatus>& kinds) {
  Json list = Json::array();
  for (const auto& kind : kinds) {
    list.push_back({{"kind", kind.name},
                    {"processors", kind.processors},
                    {"paused_at", json_moment(kind.paused_at)},
                    {"paused_why", json_text(kind.paused_why)}});
  }
  return {{"kinds", list}};
}

void add_kind_list(CLI::App& kinds, const OnRun& on_run) {
  const auto options = std::make_shared<DataOptions>();
  auto& command = add_data_command(
      kinds, "list", "Kinds that living processors can run or that were paused", *options);
  command.callback([options, on_run] {
    on_run([options] {
      auto database = open(options->target, "kinds list");
      const auto statuses = store::kind_statuses(database);
      print(options->json ? document(kinds_json(statuses)) : kinds_text(statuses));
      return ExitCode::ok;
    });
  });
}

CLI::App& add_named(CLI::App& kinds, const char* name, const char* description,
                    NamedKind& options) {
  auto& command = add_data_command(kinds, name, description, options);
  command.add_option("name", options.name, "Name of the kind")->required();
  add_stated(command, options.stated);
  return command;
}

void add_kind_pause(CLI::App& kinds, const OnRun& on_run) {
  const auto options = std::make_shared<NamedKind>();
  auto& command = add_named(kinds, "pause",
                            "Stop claims of a kind in every queue; running jobs go on", *options);
  command.callback([options, on_run] {
    on_run([options] {
      auto database = open(options->target, "kinds pause");
      const auto paused = store::pause_kind(database, options->name, options->stated);
      if (options->json) {
        print(document({{"kind", options->name},
                        {"result", paused.was_paused ? "was_paused" : "paused"},
                        {"paused_at", json_moment(paused.since)},
                        {"known", paused.known}}));
        return ExitCode::ok;
      }
      std::string text = "kind " + core::printable(options->name, 100) +
                         (paused.was_paused ? " is paused already, since " : " is paused, since ") +
                         iso(paused.since);
      if (!paused.known) text += "; no processor of the last day can run it: is the name right?";
      print(text + '\n');
      return ExitCode::ok;
    });
  });
}

void add_kind_resume(CLI::App& kinds, const OnRun& on_run) {
  const auto options = std::make_shared<NamedKind>();
  auto& command = add_named(kinds, "resume", "Let claims of a paused kind go on", *options);
  command.callback([options, on_run] {
    on_run([options] {
      auto database = open(options->target, "kinds resume");
      const auto end = store::resume_kind(database, options->name, options->stated);
      if (end == store::ResumeEnd::not_found) {
        throw core::Error{
            ExitCode::not_found,
            "there is no kind '" + options->name +
                "': nobody has paused it, and no processor of the last day can run it",
            "outboxd kinds list"};
      }
      const bool resumed = end == store::ResumeEnd::resumed;
      if (options->json) {
        print(document({{"kind", options->name}, {"result", resumed ? "resumed" : "not_paused"}}));
      } else {
        print("kind " + core::printable(options->name, 100) +
              (resumed ? " goes on\n" : " was not paused; nothing to do\n"));
      }
      return ExitCode::ok;
    });
  });
}

}  // namespace

void add_kinds(CLI::App& app, const OnRun& on_run) {
  CLI::App& kinds = *app.add_subcommand("kinds", "Look at kinds of jobs, pause and resume them");
  kinds.require_subcommand(1);
  add_kind_list(kinds, on_run);
  add_kind_pause(kinds, on_run);
  add_kind_resume(kinds, on_run);
}

}  // namespace outbox::cli
