// backlog: claims must not feel how much waits behind them, nor what is scheduled for later.
#include <thread>

#include "bench/drained.hpp"
#include "bench/scenarios.hpp"
#include "core/limits.hpp"
#include "store/claim.hpp"
#include "store/finish.hpp"

namespace outbox::bench {

namespace {

constexpr int kClaims = 300;
constexpr int kTaken = 10;

/// Claims ten from the start, gives them back, and again: only the claims are timed.
std::vector<double> claim_times(const Settings& settings) {
  store::Database database{settings.database, "bench", store::Use::claims};
  std::vector<double> times;
  for (int i = 0; i < kClaims; ++i) {
    store::Cursor cursor;
    const auto start = core::Clock::now();
    const auto jobs = store::claim(database,
                                   {.processor = store::kBenchNobody,
                                    .queue = store::kBenchQueue,
                                    .kinds = {kKind},
                                    .most = kTaken},
                                   store::From::start, cursor);
    times.push_back(seconds_since(start) * 1e3);
    (void)store::release(database, store::kBenchNobody, jobs);
  }
  return times;
}

void measure_claims(const Settings& settings, std::int64_t waiting, std::int64_t scheduled,
                    const Report& report) {
  store::Database database{settings.database, "bench", store::Use::people};
  store::bench_prepare(database);
  if (scheduled > 0) store::bench_fill(database, {kKind, scheduled, 0, 86'400});
  store::bench_fill(database, {kKind, waiting, 0, 0});
  store::bench_settle(database);
  Line line{.scenario = "backlog",
            .parameters = {{"waiting", std::to_string(waiting)},
                           {"scheduled", std::to_string(scheduled)}}};
  set_times(line, claim_times(settings));
  line.backlog = static_cast<double>(waiting);
  line.rss_mb = rss_mb();
  report(line);
}

}  // namespace

void backlog(const Settings& settings, const Report& report) {
  for (const std::int64_t waiting : {1'000, 1'000'000, 10'000'000})
    measure_claims(settings, waiting, 0, report);
  measure_claims(settings, 1'000, 1'000'000, report);
}

}  // namespace outbox::bench
