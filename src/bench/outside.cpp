// http, http_slow, exec: jobs whose handlers wait outside the database. The whole way of a job
// counts: claim, delivery or program, finish, history.
#include <algorithm>

#include "bench/drained.hpp"
#include "bench/plain.hpp"
#include "bench/receiver.hpp"
#include "bench/scenarios.hpp"
#include "bench/usage.hpp"

namespace outbox::bench {

namespace {

using core::milliseconds;

constexpr int kSlowConcurrency{5'000};
constexpr milliseconds kSlow{1'000};
/// A second's worth of a slow endpoint is 5,000 jobs, of programs about 1,000.
constexpr std::int64_t kSlowJobsMost{50'000};
constexpr std::int64_t kProgramsMost{10'000};

core::KindOptions http_kind(const std::string& url, int concurrency) {
  core::KindOptions kind;
  kind.http.emplace();
  kind.http->url = url;
  kind.http->concurrency = concurrency;
  return kind;
}

/// Jobs that wait, until all of them are finished.
Line outside(const Settings& settings, const core::KindOptions& kind, std::int64_t count,
             Line line) {
  double cpu = 0;
  double peak = 0;
  double second_half = 0;
  line.parameters.emplace_back("jobs", std::to_string(count));
  line = measure(settings, {kKind, count, 0, 0}, std::move(line), [&] {
    EngineRun engine{settings, kind, {}};
    engine.start(true);
    forget_peak();
    cpu = cpu_seconds();
    const auto start = core::Clock::now();
    engine.resume();
    engine.wait_finished(count / 2);
    const auto half = engine.finished();
    second_half = seconds_since(start);
    engine.wait_finished(count);
    const double seconds = seconds_since(start);
    second_half = static_cast<double>(count - half) / (seconds - second_half);
    cpu = cpu_seconds() - cpu;
    peak = peak_rss_mb();
    engine.stop();
    return seconds;
  });
  line.rss_mb = peak;
  line.more.emplace_back("second_half_per_s", second_half);  // an endpoint is asked slowly at first
  line.more.emplace_back("cpu_us_per_job", 1e6 * cpu / static_cast<double>(count));
  return line;
}

void deliver(const Settings& settings, const Report& report, const char* scenario,
             std::int64_t count, int concurrency, milliseconds delay) {
  Receiver receiver{delay};
  const auto kind = http_kind(receiver.url(), concurrency);
  auto plain = deliver_plainly(kind, count / 2);
  receiver.forget_most();
  const auto connections = receiver.counters().connections.load();
  const double receivers = receiver.cpu_seconds();
  auto line = outside(settings, kind, count,
                      {.scenario = scenario,
                       .parameters = {{"concurrency", std::to_string(concurrency)},
                                      {"answers_after_ms", std::to_string(delay.count())}}});
  const auto connected = receiver.counters().connections - connections;
  const auto requests = static_cast<double>(count);
  line.more.insert(
      line.more.end(),
      {{"connections", static_cast<double>(connected)},
       {"in_flight_most", static_cast<double>(receiver.counters().most)},
       {"endpoint_cpu_us_per_job", 1e6 * (receiver.cpu_seconds() - receivers) / requests}});
  // Half before and half after: what the machine does meanwhile hits both.
  const auto second = deliver_plainly(kind, count - count / 2);
  plain.seconds += second.seconds;
  plain.cpu_seconds += second.cpu_seconds;
  const double plain_rate = requests / plain.seconds;
  line.more.insert(line.more.end(), {{"plain_per_s", plain_rate},
                                     {"plain_cpu_us_per_job", 1e6 * plain.cpu_seconds / requests},
                                     {"plain_rss_mb", plain.peak_rss_mb},
                                     {"of_plain", *line.jobs_per_s / plain_rate}});
  report(line);
}

}  // namespace

void http(const Settings& settings, const Report& report) {
  deliver(settings, report, "http", settings.jobs, core::HttpHandler{}.concurrency,
          milliseconds{0});
}

void http_slow(const Settings& settings, const Report& report) {
  deliver(settings, report, "http_slow", std::min(settings.jobs, kSlowJobsMost), kSlowConcurrency,
          kSlow);
}

void exec(const Settings& settings, const Report& report) {
  core::KindOptions kind;
  kind.exec.emplace();
  kind.exec->argv = {"/bin/true"};
  report(outside(settings, kind, std::min(settings.jobs, kProgramsMost),
                 {.scenario = "exec",
                  .parameters = {{"program", kind.exec->argv.front()},
                                 {"concurrency", std::to_string(kind.exec->concurrency)}}}));
}

}  // namespace outbox::bench
