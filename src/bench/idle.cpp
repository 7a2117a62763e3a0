// idle: what a processor costs that has nothing to do.
#include <thread>

#include "bench/drained.hpp"
#include "bench/scenarios.hpp"
#include "bench/usage.hpp"
#include "pg/session.hpp"

namespace outbox::bench {

namespace {

using core::Clock;

}  // namespace

void idle(const Settings& settings, const Report& report) {
  store::Database database{settings.database, "bench", store::Use::people};
  store::bench_prepare(database);
  EngineRun engine{settings, effect_handler(), {}};
  auto start = Clock::now();
  engine.start(false);
  const double start_ms = seconds_since(start) * 1e3;
  std::this_thread::sleep_for(std::chrono::seconds{3});  // asleep, statistics written
  const auto before = pg::Session::statements_sent.load();
  const double cpu = cpu_seconds();
  start = Clock::now();
  std::this_thread::sleep_for(settings.time);
  const double seconds = seconds_since(start);
  const double used = cpu_seconds() - cpu;
  const auto statements = pg::Session::statements_sent - before;
  start = Clock::now();
  engine.stop();
  report({.scenario = "idle",
          .rss_mb = rss_mb(),
          .more = {{"queries_per_s", static_cast<double>(statements) / seconds},
                   {"cpu_percent", 100 * used / seconds},
                   {"start_ms", start_ms},
                   {"stop_ms", seconds_since(start) * 1e3}}});
}

}  // namespace outbox::bench
