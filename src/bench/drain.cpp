// drain: how fast jobs go through when handlers cost nothing; and the floor beside it.
#include <thread>

#include "bench/drained.hpp"
#include "bench/scenarios.hpp"
#include "core/limits.hpp"
#include "store/claim.hpp"
#include "store/direct.hpp"
#include "store/finish_batch.hpp"

namespace outbox::bench {

namespace {

constexpr int kFloorConnections = 2;

/// Runs `loop` on its own connection in each of the threads, until all are through.
double on_connections(const Settings& settings, const std::function<void(store::Database&)>& loop) {
  std::vector<std::unique_ptr<store::Database>> databases;
  for (int i = 0; i < kFloorConnections; ++i)
    databases.push_back(
        std::make_unique<store::Database>(settings.database, "bench floor", store::Use::claims));
  const auto start = core::Clock::now();
  {
    std::vector<std::jthread> threads;
    for (auto& database : databases) threads.emplace_back([&] { loop(*database); });
  }
  return seconds_since(start);
}

void claim_and_delete(store::Database& database, bool history) {
  store::Cursor cursor;
  for (auto from = store::From::start;; from = store::From::cursor) {
    const auto claimed = store::claim(database,
                                      {.processor = store::kBenchNobody,
                                       .queue = store::kBenchQueue,
                                       .kinds = {kKind},
                                       .most = core::kClaimMost},
                                      from, cursor);
    if (claimed.empty()) return;
    std::vector<store::FinishClaim> all;
    for (const auto& job : claimed) all.push_back({&job});
    (void)store::finish_batch(database, store::kBenchNobody, all, history);
  }
}

void groups(store::Database& database) {
  store::DirectKind kind;
  kind.kind = kKind;
  kind.body = std::get<store::SqlBody>(effect_handler().run);
  const store::DirectKinds kinds{{kind}};
  store::Cursor cursor;
  for (auto from = store::From::start;; from = store::From::cursor) {
    if (store::run_group(
            database,
            {.processor = 1, .queue = store::kBenchQueue, .most = core::kGroupMax, .history = true},
            kinds, from, cursor)
            .empty())
      return;
  }
}

}  // namespace

void drain(const Settings& settings, const Report& report) {
  const store::BenchJobs jobs{kKind, settings.jobs, 0, 0};
  for (const bool history : {false, true}) {
    report(drained(settings, no_op_handler(), {.history = history}, jobs,
                   {.scenario = "drain", .parameters = {{"handler", "external"}}}));
  }
  for (const bool history : {false, true}) {
    report(drained(settings, sql_handler({.statement = "SELECT"}), {.history = history}, jobs,
                   {.scenario = "drain", .parameters = {{"handler", "sql"}}}));
  }
}

void floor_of_sql(const Settings& settings, const Report& report) {
  const store::BenchJobs jobs{kKind, settings.jobs, 0, 0};
  for (const bool history : {false, true}) {
    report(measure(
        settings, jobs,
        {.scenario = "floor",
         .parameters = {{"statements", "claim, delete"}, {"history", history ? "on" : "off"}}},
        [&] {
          return on_connections(
              settings, [&](store::Database& database) { claim_and_delete(database, history); });
        }));
  }
  report(measure(
      settings, jobs,
      {.scenario = "floor", .parameters = {{"statements", "group with effect"}, {"history", "on"}}},
      [&] { return on_connections(settings, groups); }));
}

}  // namespace outbox::bench
