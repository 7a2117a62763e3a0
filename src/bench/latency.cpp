// latency: one job at a time, while the processor sleeps.
#include <random>
#include <thread>

#include "bench/drained.hpp"
#include "bench/scenarios.hpp"

namespace outbox::bench {

namespace {

using core::Clock;

constexpr int kSamples = 300;
constexpr int kWarmUp = 20;

/// Between two jobs the processor must fall asleep: it stays awake for about 10 ms.
void gap() {
  static std::mt19937 random{1};  // NOLINT(cert-msc51-cpp): the same every time
  std::this_thread::sleep_for(std::chrono::milliseconds{30 + random() % 50});
}

void prepare(const Settings& settings) {
  store::Database database{settings.database, "bench", store::Use::people};
  store::bench_prepare(database);
}

/// The handler's start as the handler itself sees it, on the clock of this process.
std::vector<double> of_external(const Settings& settings) {
  std::atomic<Clock::rep> started{0};
  engine::Handler handler;
  handler.run = ExternalFunction{[&](ExternalContext&) -> Outcome {
    started = Clock::now().time_since_epoch().count();
    return Done{};
  }};
  EngineRun engine{settings, std::move(handler), {}};
  engine.start(false);
  store::BenchProducer producer{settings.database, 0};
  std::vector<double> times;
  for (int i = 0; i < kWarmUp + kSamples; ++i) {
    gap();
    const auto before = Clock::now();
    producer.insert(kKind);
    engine.wait_finished(i + 1);
    const auto took = Clock::time_point{Clock::duration{started.load()}} - before;
    if (i >= kWarmUp) times.push_back(std::chrono::duration<double, std::milli>(took).count());
  }
  return times;
}

/// The handler's start as the database sees it: the same machine, so the same clock.
std::vector<double> of_sql(const Settings& settings) {
  EngineRun engine{settings, effect_handler(), {}};
  engine.start(false);
  store::BenchProducer producer{settings.database, 0};
  for (int i = 0; i < kWarmUp + kSamples; ++i) {
    gap();
    if (i < kWarmUp) {
      producer.insert(kKind);
    } else {
      producer.insert_stamped(kKind);
    }
    engine.wait_finished(i + 1);
  }
  store::Database database{settings.database, "bench", store::Use::people};
  return store::bench_latencies(database);
}

}  // namespace

void latency(const Settings& settings, const Report& report) {
  for (const bool sql : {false, true}) {
    prepare(settings);
    Line line{.scenario = "latency",
              .parameters = {{"handler", sql ? "sql" : "external"},
                             {"samples", std::to_string(kSamples)}}};
    set_times(line, sql ? of_sql(settings) : of_external(settings));
    line.rss_mb = rss_mb();
    report(line);
  }
}

}  // namespace outbox::bench
