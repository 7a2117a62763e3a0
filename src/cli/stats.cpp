// Output of the statistics.
#include "cli/stats.hpp"

#include <set>

#include <outbox/version.hpp>

#include "cli/output.hpp"
#include "cli/queue_text.hpp"
#include "store/stats.hpp"

namespace outbox::cli {

namespace {

using store::CountByQueue;
using store::Stats;

std::set<std::string> queue_names(const Stats& stats) {
  std::set<std::string> names;
  for (const auto& status : stats.queues) names.insert(status.name);
  for (const auto& [name, jobs] : stats.dead.queues) names.insert(name);
  for (const auto* finished : {&stats.finished_minute, &stats.finished_hour}) {
    if (!*finished) continue;
    for (const auto& [name, jobs] : (*finished)->queues) names.insert(name);
  }
  return names;
}

std::optional<std::int64_t> in_queue(const std::optional<CountByQueue>& counts,
                                     const std::string& name) {
  if (!counts) return std::nullopt;
  const auto found = counts->queues.find(name);
  return found == counts->queues.end() ? 0 : found->second;
}

Json finished_json(const std::optional<CountByQueue>& counts, const std::string& name) {
  const auto jobs = in_queue(counts, name);
  return jobs ? Json(*jobs) : Json(nullptr);
}

std::string finished_text(const std::optional<CountByQueue>& counts, const std::string& name) {
  const auto jobs = in_queue(counts, name);
  return jobs ? count_text(*jobs, counts->capped) : "?";
}

const char* state(const store::ProcessorStatus& processor) {
  if (processor.dead) return "dead";
  return processor.late ? "late" : "alive";
}

std::string json_text_of(const Stats& stats) {
  Json live = Json::array();
  for (const auto& status : stats.queues) live.push_back(queue_json(status));
  Json ended = Json::array();
  for (const auto& name : queue_names(stats)) {
    ended.push_back({{"queue", name},
                     {"finished_last_minute", finished_json(stats.finished_minute, name)},
                     {"finished_last_hour", finished_json(stats.finished_hour, name)},
                     {"dead", in_queue(stats.dead, name).value_or(0)}});
  }
  const auto capped = [](const std::optional<CountByQueue>& counts) {
    return counts && counts->capped;
  };
  Json processors = Json::array();
  for (const auto& processor : stats.processors) {
    processors.push_back({{"id", processor.id},
                          {"name", processor.name},
                          {"state", state(processor)},
                          {"version", processor.version},
                          {"pid", processor.pid},
                          {"queues", processor.queues},
                          {"started_at", json_moment(processor.started_at)},
                          {"heartbeat_age_seconds", processor.heartbeat_age_seconds},
                          {"dead_reason", json_text(processor.dead_reason)}});
  }
  return document({{"now", json_moment(stats.now)},
                   {"version", std::string{kVersion}},
                   {"schema", stats.schema},
                   {"queues", live},
                   {"ended", ended},
                   {"finished_last_minute_capped", capped(stats.finished_minute)},
                   {"finished_last_hour_capped", capped(stats.finished_hour)},
                   {"dead_capped", stats.dead.capped},
                   {"processors", processors}});
}

std::string ended_text(const Stats& stats) {
  using Align = Table::Align;
  Table table{{{"QUEUE"},
               {"FINISHED LAST MINUTE", Align::right},
               {"LAST HOUR", Align::right},
               {"DEAD", Align::right}}};
  for (const auto& name : queue_names(stats)) {
    table.add({name, finished_text(stats.finished_minute, name),
               finished_text(stats.finished_hour, name),
               count_text(in_queue(stats.dead, name).value_or(0), stats.dead.capped)});
  }
  return table.text();
}

std::string processors_text(const Stats& stats) {
  if (stats.processors.empty())
    return "no processors: nothing runs jobs. hint: outboxd run --config FILE\n";
  using Align = Table::Align;
  Table table{{{"PROCESSOR", Align::right},
               {"NAME"},
               {"STATE"},
               {"HEARTBEAT", Align::right},
               {"STARTED"},
               {"VERSION"},
               {"QUEUES", Align::left, 100}}};
  for (const auto& processor : stats.processors) {
    std::string queues;
    for (const auto& queue : processor.queues) queues += (queues.empty() ? "" : ", ") + queue;
    table.add({std::to_string(processor.id), processor.name,
               processor.dead ? "dead: " + processor.dead_reason : std::string{state(processor)},
               duration(processor.heartbeat_age_seconds) + " ago",
               when(processor.started_at, stats.now), processor.version, queues});
  }
  return table.text();
}

std::string text_of(const Stats& stats) {
  std::string text = "outboxd " + std::string{kVersion} + ", schema " +
                     std::to_string(stats.schema) + ", " + iso(stats.now) + "\n\n";
  text += queues_text(stats.queues) + '\n';
  if (!queue_names(stats).empty()) text += ended_text(stats) + '\n';
  return text + processors_text(stats);
}

}  // namespace

void add_stats(CLI::App& app, const OnRun& on_run) {
  const auto options = std::make_shared<DataOptions>();
  auto& command = add_data_command(
      app, "stats", "Everything at a glance: queues, what ended, processors", *options);
  command.callback([options, on_run] {
    on_run([options] {
      auto database = open(options->target, "stats");
      const auto stats = store::stats(database);
      print(options->json ? json_text_of(stats) : text_of(stats));
      return core::ExitCode::ok;
    });
  });
}

}  // namespace outbox::cli
