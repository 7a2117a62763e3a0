// Measuring with the server's own counters.
#include "bench/drained.hpp"

#include <thread>

#include "core/pacing.hpp"

namespace outbox::bench {

using core::Clock;

namespace {

/// The server takes in another session's counters so late after that has ended.
constexpr std::chrono::milliseconds kStatisticsLate{600};

}  // namespace

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

Line measure(const Settings& settings, const store::BenchJobs& jobs, Line line,
             const std::function<double()>& work) {
  {
    store::Database database{settings.database, "bench", store::Use::people};
    store::bench_prepare(database);
    store::bench_fill(database, jobs);
    store::bench_settle(database);
  }
  std::this_thread::sleep_for(kStatisticsLate);
  const auto counters = [&] {
    store::Database database{settings.database, "bench", store::Use::people};
    return store::bench_counters(database);
  };
  const auto before = counters();
  const double seconds = work();
  const auto wal = counters().wal_bytes - before.wal_bytes;
  std::this_thread::sleep_for(kStatisticsLate);
  const auto after = counters();
  const auto count = static_cast<double>(jobs.count);
  line.jobs_per_s = count / seconds;
  line.wal_bytes_per_job = static_cast<double>(wal) / count;
  line.commits_per_job = static_cast<double>(after.commits - before.commits) / count;
  const auto updates = after.updates - before.updates;
  if (updates > 0) {
    line.hot_update_ratio =
        static_cast<double>(after.hot_updates - before.hot_updates) / static_cast<double>(updates);
  }
  line.rss_mb = rss_mb();
  return line;
}

Line drained(const Settings& settings, const engine::Handler& handler, const RunOptions& run,
             const store::BenchJobs& jobs, Line line) {
  std::vector<double> claims;  // by the lanes' threads; read after the stop
  std::mutex mutex;
  line.parameters.emplace_back("jobs", std::to_string(jobs.count));
  line.parameters.emplace_back("history", run.history ? "on" : "off");
  line = measure(settings, jobs, std::move(line), [&] {
    EngineRun engine{settings, handler, run, [&](bool sweep, int found, core::microseconds took) {
                       const std::lock_guard lock{mutex};
                       if (!sweep && found > 0)
                         claims.push_back(static_cast<double>(took.count()) / 1e3);
                     }};
    engine.start(true);
    const auto start = Clock::now();
    engine.resume();
    engine.wait_finished(jobs.count);
    const double seconds = seconds_since(start);
    engine.stop();
    return seconds;
  });
  set_times(line, claims);
  return line;
}

}  // namespace outbox::bench
