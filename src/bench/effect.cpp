// effect: a handler that inserts one row in the job's transaction, in each lane, with and without
// failures; afterwards every job must have had its effect exactly once.
#include <algorithm>

#include "bench/drained.hpp"
#include "bench/scenarios.hpp"
#include "core/error.hpp"
#include "pg/session.hpp"

namespace outbox::bench {

namespace {

/// Where a commit for each job is measured.
constexpr int kConnections{8};

engine::Handler cpp_handler() {
  engine::Handler handler = effect_handler();
  handler.run = HandlerFunction{[](Context& context) -> Outcome {
    const auto& job = context.job();
    if (job.attempt == 1 && job.payload.find("\"fail\"") != std::string::npos)
      return Context::retry_after(std::chrono::milliseconds{10}, "as the benchmark asked for");
    context.tx().exec("INSERT INTO outbox_bench.effects (job_id) VALUES (" +
                      std::to_string(job.id) + ")");
    return Context::done();
  }};
  return handler;
}

void check_effects(const Settings& settings, std::int64_t jobs) {
  store::Database database{settings.database, "bench", store::Use::people};
  const auto state = store::bench_state(database);
  if (state.live == 0 && state.effects == jobs && state.effect_jobs == jobs) return;
  throw core::Error{core::ExitCode::failed,
                    "not exactly once: of " + std::to_string(jobs) + " jobs " +
                        std::to_string(state.effect_jobs) + " had " +
                        std::to_string(state.effects) + " effects, " + std::to_string(state.live) +
                        " are left",
                    "please report it"};
}

}  // namespace

void effect(const Settings& settings, const Report& report) {
  struct Way {
    const char* name;
    engine::Handler handler;
    RunOptions run;
    bool one_by_one{};  ///< A commit for each job: fewer jobs say as much, and several connections
                        ///< share the disk's flushes, as the peers' do.
  };
  const std::vector<Way> ways{
      {"direct", effect_handler(), {.lane = core::Lane::direct}},
      {"direct, groups of 1",
       effect_handler(),
       {.group_most = 1, .lane = core::Lane::direct},
       true},
      {"claimed", effect_handler(), {.lane = core::Lane::claimed}, true},
      {"C++", cpp_handler(), {}, true},
  };
  for (const auto& way : ways) {
    Settings here = settings;
    if (way.one_by_one) {
      here.jobs /= 4;
      here.concurrency = std::max(here.concurrency, kConnections);
      here.direct_workers = std::max(here.direct_workers, kConnections);
    }
    for (const int failing : {0, 1}) {
      if (settings.failing_percent >= 0 && settings.failing_percent != failing) continue;
      const store::BenchJobs jobs{kKind, here.jobs, failing == 0 ? 0 : 100 / failing, 0};
      report(
          drained(here, way.handler, way.run, jobs,
                  {.scenario = "effect",
                   .parameters = {{"lane", way.name},
                                  {"failing", std::to_string(failing) + " %"},
                                  {"connections", std::to_string(way.run.lane == core::Lane::direct
                                                                     ? here.direct_workers
                                                                     : here.concurrency)}}}));
      check_effects(settings, jobs.count);
    }
  }
}

}  // namespace outbox::bench
