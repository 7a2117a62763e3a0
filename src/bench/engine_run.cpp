// Starting and watching the engine under measurement.
#include "bench/engine_run.hpp"

#include <array>
#include <thread>

#include "core/error.hpp"
#include "core/pacing.hpp"
#include "handlers/descriptors.hpp"
#include "handlers/table.hpp"
#include "store/queues.hpp"

namespace outbox::bench {

using core::Clock;

namespace {

constexpr std::chrono::seconds kStuck{30};

}  // namespace

engine::Handler sql_handler(store::SqlBody body) {
  engine::Handler handler;
  handler.options.backoff = {std::chrono::milliseconds{10}, 1.0, std::chrono::milliseconds{10},
                             0.1};
  store::number_calls(std::array{&body});
  handler.run = std::move(body);
  return handler;
}

engine::Handler effect_handler() {
  return sql_handler(
      {.statement = "SELECT outbox_bench.effect($1, $2, $3)", .form = store::SqlForm::scalar});
}

engine::Handler no_op_handler() {
  engine::Handler handler;
  handler.run = ExternalFunction{[](ExternalContext&) -> Outcome { return Done{}; }};
  return handler;
}

EngineRun::EngineRun(const Settings& settings, engine::Handler handler, const RunOptions& run,
                     observe::Events::Tap tap) {
  configure(settings, run, std::move(tap));
  handler.options.lane = run.lane;
  handlers_.emplace(kKind, std::move(handler));
}

EngineRun::EngineRun(const Settings& settings, core::KindOptions kind, const RunOptions& run,
                     observe::Events::Tap tap) {
  configure(settings, run, std::move(tap));
  options_.kinds.emplace(kKind, std::move(kind));
  handlers::provide_descriptors(options_, events_);
  handlers_ = handlers::make_table(options_, {}, Registry{}, {kMessagePrefix, events_});
}

void EngineRun::configure(const Settings& settings, const RunOptions& run,
                          observe::Events::Tap tap) {
  options_.database = settings.database;
  options_.database.allow_privileged_role = true;  // to VACUUM and TRUNCATE takes the owner
  options_.processor.name = "bench";
  options_.processor.grace = std::chrono::milliseconds{2'000};
  auto& queue = options_.queues[store::kBenchQueue];
  queue.concurrency = settings.concurrency;
  queue.direct_workers = settings.direct_workers;
  queue.group_most = run.group_most;
  queue.history = run.history;
  if (tap) events_.watch_claims(std::move(tap));
}

EngineRun::~EngineRun() { stop(); }

void EngineRun::start(bool paused) {
  if (paused) {
    store::Database database{options_.database, "bench", store::Use::people};
    (void)store::queue_pause(database, store::kBenchQueue);
  }
  processor_ = std::make_unique<engine::Processor>(options_, handlers_, events_);
  processor_->start();
  while (paused && !processor_->health().ready)
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
  if (paused)
    std::this_thread::sleep_for(std::chrono::milliseconds{300});  // until connections are warm
}

void EngineRun::resume() {
  store::Database database{options_.database, "bench", store::Use::people};
  (void)store::queue_resume(database, store::kBenchQueue);
}

void EngineRun::wait_finished(std::int64_t jobs) {
  auto seen = finished();
  auto moved = Clock::now();
  while (seen < jobs) {
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
    const auto now = finished();
    if (now != seen) moved = Clock::now();
    seen = now;
    if (Clock::now() - moved > kStuck) {
      throw core::Error{core::ExitCode::failed,
                        "nothing finished for 30 s: " + std::to_string(seen) + " of " +
                            std::to_string(jobs) + " jobs are done",
                        "look at the server's log; other processors must not serve this queue"};
    }
  }
}

void EngineRun::stop() {
  if (!processor_) return;
  (void)processor_->stop("the benchmark is over");
  processor_.reset();
}

}  // namespace outbox::bench
