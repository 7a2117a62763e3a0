// The command line of the benchmark, and its lines as text or JSON.
#include "cli/bench.hpp"

#include <sstream>

#include "bench/scenarios.hpp"
#include "cli/output.hpp"
#include "core/error.hpp"
#include "observe/log.hpp"
#include "store/bench.hpp"

namespace outbox::cli {

namespace {

using bench::Line;
using core::Error;
using core::ExitCode;

struct BenchOptions {
  DataOptions data;
  std::string scenario;
  bench::Settings settings;
  int seconds{10};
  bool force{};
};

Json number(const std::optional<double>& value) { return value ? Json(*value) : Json(nullptr); }

/// One object a line.
std::string json_line(const Line& line) {
  Json parameters = Json::object();
  for (const auto& [name, value] : line.parameters) parameters[name] = value;
  Json out{{"scenario", line.scenario},
           {"parameters", parameters},
           {"jobs_per_s", number(line.jobs_per_s)},
           {"p50_ms", number(line.p50_ms)},
           {"p99_ms", number(line.p99_ms)},
           {"max_ms", number(line.max_ms)},
           {"wal_bytes_per_job", number(line.wal_bytes_per_job)},
           {"commits_per_job", number(line.commits_per_job)},
           {"hot_update_ratio", number(line.hot_update_ratio)},
           {"backlog", number(line.backlog)},
           {"rss_mb", number(line.rss_mb)}};
  for (const auto& [name, value] : line.more) out[name] = value;
  return out.dump() + '\n';
}

std::string text_line(const Line& line) {
  std::ostringstream out;
  out << line.scenario;
  for (const auto& [name, value] : line.parameters) out << ' ' << name << '=' << value;
  out << ':' << std::fixed;
  const auto add = [&](const char* name, const std::optional<double>& value, int digits) {
    if (!value) return;
    out.precision(digits);
    out << "  " << name << ' ' << *value;
  };
  add("jobs/s", line.jobs_per_s, 0);
  add("p50_ms", line.p50_ms, 2);
  add("p99_ms", line.p99_ms, 2);
  add("max_ms", line.max_ms, 2);
  add("WAL_B/job", line.wal_bytes_per_job, 0);
  add("commits/job", line.commits_per_job, 4);
  add("hot", line.hot_update_ratio, 3);
  add("backlog", line.backlog, 0);
  add("rss_mb", line.rss_mb, 1);
  for (const auto& [name, value] : line.more) add(name.c_str(), value, 2);
  out << '\n';
  return out.str();
}

void refuse_bystanders(store::Database& database, bool force) {
  const auto found = store::bench_bystanders(database);
  if (found.benchmark) {
    throw Error{ExitCode::busy, "another benchmark runs on this database", "wait for its end"};
  }
  if (force || (!found.jobs && !found.processors)) return;
  throw Error{
      ExitCode::refused,
      found.jobs ? "this database has jobs of its own" : "a processor works on this database",
      "the benchmark loads the server fully: use a database of your own (scripts/bench makes "
      "one), or --force"};
}

ExitCode run_bench(const BenchOptions& options) {
  core::LogOptions log;
  log.level = "error";
  observe::init_log(log);
  auto database = open(options.data.target, "bench");
  refuse_bystanders(database, options.force);
  auto settings = options.settings;
  settings.database = database_options(options.data.target);
  settings.time = std::chrono::seconds{options.seconds};
  const auto report = [&](const Line& line) {
    print(options.data.json ? json_line(line) : text_line(line));
  };
  try {
    for (const auto& scenario : bench::scenarios()) {
      if (scenario.name == options.scenario) scenario.run(settings, report);
    }
  } catch (...) {
    store::bench_clean(database);
    throw;
  }
  store::bench_clean(database);
  return ExitCode::ok;
}

}  // namespace

void add_bench(CLI::App& app, const OnRun& on_run) {
  const auto options = std::make_shared<BenchOptions>();
  CLI::App& command = add_data_command(
      app, "bench", "Measure this program on a database that is otherwise idle", options->data);
  std::vector<std::string> names;
  std::string list = "One of:";
  for (const auto& scenario : bench::scenarios()) {
    names.emplace_back(scenario.name);
    list.append("\n  ").append(scenario.name).append(": ").append(scenario.description);
  }
  auto& settings = options->settings;
  command.add_option("SCENARIO", options->scenario, list)->required()->check(CLI::IsMember(names));
  command.add_option("--jobs", settings.jobs, "Jobs of one measurement (200000)")
      ->check(CLI::Range(std::int64_t{1'000}, std::int64_t{100'000'000}));
  command.add_option("--seconds", options->seconds, "Length where a rate is held (10)")
      ->check(CLI::Range(1, 86'400));
  command.add_option("--rate", settings.rate, "Jobs offered a second, steady (8000)")
      ->check(CLI::Range(1, 1'000'000));
  command.add_option("--concurrency", settings.concurrency, "As in the configuration (4)")
      ->check(CLI::Range(1, 256));
  command.add_option("--direct-workers", settings.direct_workers, "As in the configuration (2)")
      ->check(CLI::Range(1, 256));
  command
      .add_option("--failing", settings.failing_percent,
                  "effect: only with 0 or 1 % of failing jobs")
      ->check(CLI::IsMember({0, 1}));
  command.add_flag("--pin", settings.pin, "steady: hold a snapshot open");
  command.add_flag("--sql", settings.sql, "steady: an sql handler in the direct lane");
  command.add_flag("--force", options->force, "Also where other jobs wait or a processor runs");
  command.callback([options, on_run] { on_run([options] { return run_bench(*options); }); });
}

}  // namespace outbox::cli
