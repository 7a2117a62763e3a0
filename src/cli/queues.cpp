// Options and output of the queues commands.
#include "cli/queues.hpp"

#include "cli/output.hpp"
#include "cli/queue_text.hpp"
#include "cli/stated.hpp"
#include "core/error.hpp"
#include "core/text.hpp"
#include "store/queues.hpp"

namespace outbox::cli {

namespace {

using core::ExitCode;

struct NamedQueue : DataOptions {
  std::string name;
  store::Stated stated;
};

void add_queue_list(CLI::App& queues, const OnRun& on_run) {
  const auto options = std::make_shared<DataOptions>();
  auto& command =
      add_data_command(queues, "list", "How much waits in each queue, and since when", *options);
  command.callback([options, on_run] {
    on_run([options] {
      auto database = open(options->target, "queues list");
      const auto statuses = store::queue_statuses(database, store::kCapForPeople);
      Json list = Json::array();
      for (const auto& status : statuses) list.push_back(queue_json(status));
      print(options->json ? document({{"queues", list}}) : queues_text(statuses));
      return ExitCode::ok;
    });
  });
}

void add_pause(CLI::App& queues, const OnRun& on_run) {
  const auto options = std::make_shared<NamedQueue>();
  auto& command =
      add_data_command(queues, "pause", "Stop claims from a queue; running jobs go on", *options);
  command.add_option("name", options->name, "Name of the queue")->required();
  add_stated(command, options->stated);
  command.callback([options, on_run] {
    on_run([options] {
      auto database = open(options->target, "queues pause");
      const auto paused = store::queue_pause(database, options->name, options->stated);
      if (options->json) {
        print(document({{"queue", options->name},
                        {"result", paused.was_paused ? "was_paused" : "paused"},
                        {"paused_at", json_moment(paused.since)},
                        {"known", paused.known}}));
        return ExitCode::ok;
      }
      std::string text = "queue " + core::printable(options->name, 100) +
                         (paused.was_paused ? " is paused already, since " : " is paused, since ") +
                         iso(paused.since);
      if (!paused.known)
        text += "; no job and no processor has named it so far: is the name right?";
      print(text + '\n');
      return ExitCode::ok;
    });
  });
}

void add_resume(CLI::App& queues, const OnRun& on_run) {
  const auto options = std::make_shared<NamedQueue>();
  auto& command =
      add_data_command(queues, "resume", "Let claims from a paused queue go on", *options);
  command.add_option("name", options->name, "Name of the queue")->required();
  add_stated(command, options->stated);
  command.callback([options, on_run] {
    on_run([options] {
      auto database = open(options->target, "queues resume");
      const auto end = store::queue_resume(database, options->name, options->stated);
      if (end == store::ResumeEnd::not_found) {
        throw core::Error{
            ExitCode::not_found,
            "there is no queue '" + options->name + "': no job and no processor has named it",
            "outboxd queues list"};
      }
      const bool resumed = end == store::ResumeEnd::resumed;
      if (options->json) {
        print(document({{"queue", options->name}, {"result", resumed ? "resumed" : "not_paused"}}));
      } else {
        print("queue " + core::printable(options->name, 100) +
              (resumed ? " goes on\n" : " was not paused; nothing to do\n"));
      }
      return ExitCode::ok;
    });
  });
}

}  // namespace

void add_queues(CLI::App& app, const OnRun& on_run) {
  CLI::App& queues = *app.add_subcommand("queues", "Look at queues, pause and resume them");
  queues.require_subcommand(1);
  add_queue_list(queues, on_run);
  add_pause(queues, on_run);
  add_resume(queues, on_run);
}

}  // namespace outbox::cli
