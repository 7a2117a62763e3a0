// steady: a rate is offered for a time, and each second says whether the queue keeps up. With --pin
// a snapshot is held open, so that nothing can be vacuumed: the state in which SKIP LOCKED queues
// die.
#include <algorithm>
#include <thread>

#include "bench/drained.hpp"
#include "bench/scenarios.hpp"

namespace outbox::bench {

namespace {

using core::Clock;

/// Claims and sweeps of the current second.
class Second {
 public:
  void add(bool sweep, int found, core::microseconds took) {
    const double ms = static_cast<double>(took.count()) / 1e3;
    const std::lock_guard lock{mutex_};
    if (sweep) {
      sweep_ms_ = std::max(sweep_ms_, ms);
    } else if (found > 0) {
      claims_.push_back(ms);
    }
  }
  void put_into(Line& line) {
    const std::lock_guard lock{mutex_};
    set_times(line, claims_);
    line.more.emplace_back("sweep_ms", sweep_ms_);
    claims_.clear();
    sweep_ms_ = 0;
  }

 private:
  std::mutex mutex_;
  std::vector<double> claims_;  // guarded by mutex_
  double sweep_ms_{0};          // guarded by mutex_
};

/// Offers the rate in a transaction every 10 ms; when the server is late it catches up.
void offer(const Settings& settings, std::atomic<std::int64_t>& offered,
           const std::stop_token& stop) {
  store::BenchProducer producer{settings.database, 0};
  const auto start = Clock::now();
  while (!stop.stop_requested()) {
    const auto due = static_cast<std::int64_t>(seconds_since(start) * settings.rate);
    if (due > offered) {
      const auto some = std::min<std::int64_t>(due - offered, settings.rate);
      producer.insert_many(kKind, some);
      offered += some;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds{10});
  }
}

}  // namespace

void steady(const Settings& settings, const Report& report) {
  store::Database database{settings.database, "bench", store::Use::people};
  store::bench_prepare(database);
  store::bench_settle(database);
  std::optional<store::PinnedSnapshot> pinned;
  if (settings.pin) pinned.emplace(settings.database);
  Second second;
  EngineRun engine{
      settings,
      settings.sql ? effect_handler() : no_op_handler(),
      {},
      [&](bool sweep, int found, core::microseconds took) { second.add(sweep, found, took); }};
  engine.start(false);
  std::atomic<std::int64_t> offered{0};
  const std::jthread producer{[&](const std::stop_token& stop) { offer(settings, offered, stop); }};
  const auto start = Clock::now();
  std::int64_t last_in = 0;
  std::int64_t last_out = 0;
  for (int i = 1; i <= settings.time.count(); ++i) {
    std::this_thread::sleep_until(start + std::chrono::seconds{i});
    const auto in = offered.load();
    const auto out = engine.finished();
    const auto counters = store::bench_counters(database);
    Line line{.scenario = "steady",
              .parameters = {{"second", std::to_string(i)},
                             {"snapshot", settings.pin ? "pinned" : "free"}},
              .jobs_per_s = static_cast<double>(out - last_out),
              .backlog = static_cast<double>(in - out),
              .rss_mb = rss_mb(),
              .more = {{"in_per_s", static_cast<double>(in - last_in)},
                       {"dead_rows", static_cast<double>(counters.dead_rows)},
                       {"table_mb", static_cast<double>(counters.table_bytes) / 1e6}}};
    second.put_into(line);
    report(line);
    last_in = in;
    last_out = out;
  }
}

}  // namespace outbox::bench
