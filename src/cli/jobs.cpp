// Options of the jobs commands, and their results in words.
#include "cli/jobs.hpp"

#include <charconv>
#include <vector>

#include "cli/job_text.hpp"
#include "cli/output.hpp"
#include "cli/read_json.hpp"
#include "cli/stated.hpp"
#include "core/duration.hpp"
#include "core/error.hpp"
#include "core/text.hpp"
#include "store/jobs_discard.hpp"
#include "store/jobs_enqueue.hpp"
#include "store/jobs_retry.hpp"

namespace outbox::cli {

namespace {

using core::Error;
using core::ExitCode;

/// Decimal only: CLI11 would read 010 as 8.
std::int64_t parse_id(const std::string& text) {
  std::int64_t id = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (problem == std::errc{} && end == text.data() + text.size() && id > 0) return id;
  throw Error{ExitCode::usage, "'" + text + "' is not a job id: expected a whole number from 1",
              "outboxd jobs list shows ids"};
}

/// What became of one job, for both kinds of output.
struct Answer {
  std::int64_t id{};
  std::string result;  ///< One word, for programs.
  std::string words;
  ExitCode code{ExitCode::ok};
};

ExitCode print_answers(const std::vector<Answer>& answers, bool json) {
  ExitCode code = ExitCode::ok;
  Json list = Json::array();
  std::string text;
  for (const auto& answer : answers) {
    if (code == ExitCode::ok) code = answer.code;
    list.push_back(
        {{"id", json_id(answer.id)}, {"result", answer.result}, {"message", answer.words}});
    text += "job " + std::to_string(answer.id) + ": " + core::printable(answer.words, 1'024) + '\n';
  }
  print(json ? document({{"jobs", list}}) : text);
  return code;
}

ExitCode code_of(store::RetryEnd end) {
  using store::RetryEnd;
  if (end == RetryEnd::not_found) return ExitCode::not_found;
  const bool fine =
      end == RetryEnd::requeued || end == RetryEnd::hastened || end == RetryEnd::waiting;
  return fine ? ExitCode::ok : ExitCode::refused;
}

ExitCode code_of(store::DiscardEnd end) {
  using store::DiscardEnd;
  if (end == DiscardEnd::not_found) return ExitCode::not_found;
  return end == DiscardEnd::discarded ? ExitCode::ok : ExitCode::refused;
}

void add_list(CLI::App& jobs, const OnRun& on_run) {
  struct Options : DataOptions {
    store::JobFilter filter;
    std::string after;
  };
  const auto options = std::make_shared<Options>();
  auto& command = add_data_command(
      jobs, "list", "List jobs, newest first: live, dead and finished ones", *options);
  command.add_option("--queue", options->filter.queue, "Only of this queue");
  command.add_option("--kind", options->filter.kind, "Only of this kind");
  const std::vector<std::string> states(store::kJobStates.begin(), store::kJobStates.end());
  command.add_option("--state", options->filter.state, "Only in this state")
      ->check(CLI::IsMember(states));
  command.add_option("--after", options->after,
                     "Only what comes after this id in the list, so older jobs");
  command.add_option("--limit", options->filter.limit, "At most so many")
      ->check(CLI::Range(1, 1'000))
      ->capture_default_str();
  command.callback([options, on_run] {
    on_run([options] {
      if (!options->after.empty()) options->filter.after = parse_id(options->after);
      auto database = open(options->target, "jobs list");
      const auto page = store::jobs_list(database, options->filter);
      print(options->json ? list_json(page) : list_text(page));
      return ExitCode::ok;
    });
  });
}

void add_show(CLI::App& jobs, const OnRun& on_run) {
  struct Options : DataOptions {
    std::string id;
  };
  const auto options = std::make_shared<Options>();
  auto& command = add_data_command(jobs, "show",
                                   "Show one job with its payload and all its failures", *options);
  command.add_option("id", options->id, "Id of the job")->required();
  command.callback([options, on_run] {
    on_run([options] {
      const auto id = parse_id(options->id);
      auto database = open(options->target, "jobs show");
      const auto detail = store::jobs_show(database, id);
      if (!detail) {
        throw Error{
            ExitCode::not_found,
            "there is no job " + options->id + ": neither live, nor dead, nor in the history",
            "history is kept for the retention of its queue; retrying does not help"};
      }
      print(options->json ? detail_json(*detail) : detail_text(*detail));
      return ExitCode::ok;
    });
  });
}

struct RetryOptions : DataOptions {
  std::vector<std::string> ids;
  bool all_dead{};
  store::DeadFilter filter;
  store::Stated stated;
};

ExitCode print_preview(const store::RetriedAll& all, bool json) {
  Json list = Json::array();
  std::string text;
  for (const auto& job : all.would_be) {
    list.push_back({{"id", json_id(job.id)}, {"result", job.result}, {"message", job.message}});
    text += "job " + std::to_string(job.id) + ": " + core::printable(job.message, 1'024) + '\n';
  }
  text += "nothing was changed: would requeue " + std::to_string(all.requeued) + " dead jobs" +
          (all.more ? "; the limit ended it: there are more\n" : "\n");
  print(json ? document({{"preview", true}, {"jobs", list}, {"more", all.more}}) : text);
  return ExitCode::ok;
}

ExitCode retry_dead(const RetryOptions& options) {
  auto database = open(options.target, "jobs retry");
  const auto all = store::jobs_retry_dead(database, options.filter, options.stated);
  if (options.filter.preview) return print_preview(all, options.json);
  if (options.json) {
    print(document({{"requeued", all.requeued}, {"skipped", all.skipped}, {"more", all.more}}));
    return ExitCode::ok;
  }
  std::string text = "requeued " + std::to_string(all.requeued) + " dead jobs";
  if (all.skipped > 0)
    text +=
        "; " + std::to_string(all.skipped) + " stay dead, because a live job has their unique_key";
  if (all.more) text += "; the limit ended it: run it again for more";
  print(text + '\n');
  return ExitCode::ok;
}

void add_retry(CLI::App& jobs, const OnRun& on_run) {
  const auto options = std::make_shared<RetryOptions>();
  auto& command = add_data_command(
      jobs, "retry", "Run dead jobs again, or scheduled and retrying ones now", *options);
  auto* ids = command.add_option("id", options->ids, "Ids of the jobs");
  auto* all = command.add_flag("--all-dead", options->all_dead, "All dead jobs, oldest ids first")
                  ->excludes(ids);
  command.add_option("--queue", options->filter.queue, "With --all-dead: only of this queue")
      ->needs(all);
  command.add_option("--kind", options->filter.kind, "With --all-dead: only of this kind")
      ->needs(all);
  command.add_option("--limit", options->filter.limit, "With --all-dead: at most so many")
      ->needs(all)
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1'000'000'000}))
      ->capture_default_str();
  command
      .add_option("--error", options->filter.error,
                  "With --all-dead: only where the last error is LIKE this, as %timeout%")
      ->needs(all);
  command
      .add_option("--since", options->filter.since,
                  "With --all-dead: only what died at this moment or later")
      ->needs(all);
  command
      .add_option("--until", options->filter.until,
                  "With --all-dead: only what died before this moment")
      ->needs(all);
  command
      .add_flag("--preview", options->filter.preview,
                "With --all-dead: change nothing, show what would happen")
      ->needs(all);
  add_stated(command, options->stated);
  command.callback([options, on_run] {
    on_run([options] {
      if (options->all_dead) return retry_dead(*options);
      if (options->ids.empty()) {
        throw Error{ExitCode::usage,
                    "jobs retry: which job? expected one or more ids, or --all-dead",
                    "outboxd jobs list --state dead"};
      }
      std::vector<std::int64_t> ids_given;
      for (const auto& text : options->ids) ids_given.push_back(parse_id(text));
      auto database = open(options->target, "jobs retry");
      std::vector<Answer> answers;
      for (const auto id : ids_given) {
        const auto done = store::jobs_retry(database, id, options->stated);
        answers.push_back({id, done.result, done.message, code_of(done.end)});
      }
      return print_answers(answers, options->json);
    });
  });
}

void add_discard(CLI::App& jobs, const OnRun& on_run) {
  struct Options : DataOptions {
    std::vector<std::string> ids;
    store::Stated stated;
  };
  const auto options = std::make_shared<Options>();
  auto& command = add_data_command(
      jobs, "discard", "Give jobs up that do not run: they become dead letters", *options);
  command.add_option("id", options->ids, "Ids of the jobs")->required();
  add_stated(command, options->stated);
  command.callback([options, on_run] {
    on_run([options] {
      std::vector<std::int64_t> ids;
      for (const auto& text : options->ids) ids.push_back(parse_id(text));
      auto database = open(options->target, "jobs discard");
      std::vector<Answer> answers;
      for (const auto id : ids) {
        const auto done = store::jobs_discard(database, id, options->stated);
        answers.push_back({id, done.result, done.message, code_of(done.end)});
      }
      return print_answers(answers, options->json);
    });
  });
}

struct EnqueueOptions : DataOptions {
  store::NewJob job;
  std::string payload;
  std::string headers;
  std::string delay;
};

ExitCode enqueue(EnqueueOptions& options) {
  store::NewJob& job = options.job;
  if (!options.payload.empty())
    job.payload = read_json("--payload", options.payload, Expect::anything);
  if (!options.headers.empty())
    job.headers = read_json("--headers", options.headers, Expect::object);
  if (!options.delay.empty()) {
    const auto delay = core::parse_duration(options.delay);
    if (!delay.value) throw Error{ExitCode::usage, "--delay: " + delay.problem, delay.hint};
    job.delay = *delay.value;
  }
  auto database = open(options.target, "jobs enqueue");
  const auto enqueued = store::jobs_enqueue(database, job);
  const std::string id = std::to_string(enqueued.id);
  if (options.json) {
    print(document({{"id", json_id(enqueued.id)}, {"created", enqueued.created}}));
  } else if (enqueued.created) {
    print("job " + id + " is enqueued\n");
  } else {
    print("nothing enqueued: the live job " + id + " has this kind and unique_key\n");
  }
  return ExitCode::ok;
}

void add_enqueue(CLI::App& jobs, const OnRun& on_run) {
  const auto options = std::make_shared<EnqueueOptions>();
  auto& command =
      add_data_command(jobs, "enqueue", "Enqueue one job, as outbox.enqueue() does", *options);
  store::NewJob& job = options->job;
  command.add_option("kind", job.kind, "Kind: which handler runs it")->required();
  command.add_option("--payload", options->payload,
                     "JSON text, @FILE, or - for standard input; default {}");
  command.add_option("--headers", options->headers, "JSON object, @FILE, or -");
  command.add_option("--queue", job.queue, "Queue; default: default");
  command.add_option("--priority", job.priority, "0 (first) to 3 (last); default 1");
  auto* run_at =
      command.add_option("--run-at", job.run_at, "Not before this moment, as 2026-11-21T10:00:00Z");
  command.add_option("--delay", options->delay, "Not before so much time has passed, as 30s or 2h")
      ->excludes(run_at);
  command.add_option("--max-attempts", job.max_attempts, "1 to 1000; default 20");
  command.add_option("--unique-key", job.unique_key,
                     "At most one live job of this kind has this key");
  command.add_option("--expires-at", job.expires_at,
                     "Goes to the dead letters if it has not started by then");
  command.callback([options, on_run] { on_run([options] { return enqueue(*options); }); });
}

}  // namespace

void add_jobs(CLI::App& app, const OnRun& on_run) {
  CLI::App& jobs = *app.add_subcommand("jobs", "Look at jobs, and change them by hand");
  jobs.require_subcommand(1);
  add_list(jobs, on_run);
  add_show(jobs, on_run);
  add_retry(jobs, on_run);
  add_discard(jobs, on_run);
  add_enqueue(jobs, on_run);
}

}  // namespace outbox::cli
