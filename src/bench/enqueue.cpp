// enqueue: what the wake-up costs producers. A processor runs beside them and must keep up, so the
// machine's cores are shared, with the trigger and without it.
#include <thread>

#include "bench/drained.hpp"
#include "bench/scenarios.hpp"
#include "core/error.hpp"

namespace outbox::bench {

namespace {

using core::Clock;

constexpr int kSlowCommitUs = 2'000;

/// Commits of all producers within the time. The first error of any of them is thrown.
std::int64_t produce(const Settings& settings, int producers, int commit_delay_us) {
  std::atomic<std::int64_t> commits{0};
  std::exception_ptr error;
  std::mutex mutex;
  std::atomic<int> connected{0};
  const auto body = [&] {
    try {
      store::BenchProducer producer{settings.database, commit_delay_us};
      producer.insert(kKind);
      ++connected;
      while (connected < producers) std::this_thread::yield();
      const auto end = Clock::now() + settings.time;
      while (Clock::now() < end) {
        producer.insert(kKind);
        ++commits;
      }
    } catch (...) {
      connected += producers;  // nobody waits for this one
      const std::lock_guard lock{mutex};
      error = std::current_exception();
    }
  };
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < producers; ++i) threads.emplace_back(body);
  }
  if (error) std::rethrow_exception(error);
  return commits;
}

double once(const Settings& settings, int producers, int commit_delay_us, bool trigger) {
  store::Database database{settings.database, "bench", store::Use::people};
  store::bench_prepare(database);
  store::bench_trigger(database, trigger);
  EngineRun engine{settings, no_op_handler(), {.history = false}};
  engine.start(false);
  try {
    const auto commits = produce(settings, producers, commit_delay_us);
    store::bench_trigger(database, true);
    engine.stop();
    return static_cast<double>(commits) / static_cast<double>(settings.time.count());
  } catch (...) {
    store::bench_trigger(database, true);
    throw;
  }
}

}  // namespace

void enqueue(const Settings& settings, const Report& report) {
  for (const int commit_delay_us : {0, kSlowCommitUs}) {
    for (const int producers : {1, 16, 64}) {
      // Twice in turn, and the mean: the machine may be busy with something else for a while.
      double with = 0;
      double without = 0;
      for (int round = 0; round < 2; ++round) {
        without += once(settings, producers, commit_delay_us, false) / 2;
        with += once(settings, producers, commit_delay_us, true) / 2;
      }
      report({.scenario = "enqueue",
              .parameters = {{"producers", std::to_string(producers)},
                             {"commit", commit_delay_us > 0 ? "2 ms" : "ordinary"}},
              .jobs_per_s = with,
              .rss_mb = rss_mb(),
              .more = {{"without_trigger_per_s", without}, {"ratio", with / without}}});
    }
  }
}

}  // namespace outbox::bench
