// The chores. Each is idempotent and may run in several processors at once; none waits for a lock
// for long.
#include "engine/maintenance.hpp"

#include "store/presence.hpp"
#include "store/retention.hpp"
#include "store/schema_version.hpp"
#include "store/sleep.hpp"
#include "store/stats.hpp"

namespace outbox::engine {

using core::Clock;
using core::DbError;
using core::milliseconds;

namespace {

constexpr int kRescueBatch = 500;
constexpr int kPruneBatch = 5'000;
constexpr milliseconds kRescueMost{60'000};
constexpr milliseconds kSchemaEvery{30'000};
constexpr milliseconds kDepthsEvery{15'000};
constexpr std::chrono::hours kRetentionEvery{1};

}  // namespace

bool Maintenance::Chore::due(milliseconds every) {
  if (Clock::now() < next) return false;
  next = Clock::now() + jittered(every);
  return true;
}

Maintenance::Maintenance(Services& services)
    : services_{services},
      connection_{services.options.database, services.events, "maintenance", store::Use::claims} {}

Maintenance::~Maintenance() { stop(); }

void Maintenance::start() {
  thread_ = std::jthread{[this](const std::stop_token& stop) {
    while (!stop.stop_requested()) wakeup_.wait(turn());
  }};
}

void Maintenance::stop() {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  wakeup_.notify();
  thread_.join();
}

void Maintenance::dead_waiting(News news) {
  dead_waiting_ = true;
  if (news == News::old) return;
  fresh_death_ = true;
  wakeup_.notify();
}

std::string Maintenance::schema_problem() const {
  const std::lock_guard lock{mutex_};
  return schema_problem_;
}

milliseconds Maintenance::turn() {
  try {
    if (fresh_death_.exchange(false)) rescue_ = {};
    if (dead_waiting_ && rescue_.due(rescue_every_)) rescue();
    if (schema_.due(kSchemaEvery)) look_at_schema();
    if (services_.options.admin.port && depths_.due(kDepthsEvery)) measure_depths();
    if (retention_.due(kRetentionEvery)) keep_retention();
    return milliseconds{1'000};
  } catch (const DbError& e) {
    return connection_.failed(e);
  }
}

/// A pass that finds nothing doubles the time to the next one: the server may still be running a
/// dead processor's last statement.
void Maintenance::rescue() {
  const auto processor = services_.membership.id();
  if (!processor) return;
  dead_waiting_ = false;
  bool found = false;
  for (;;) {
    const auto rescued = store::rescue(connection_.get(), *processor,
                                       services_.options.processor.max_crashes, kRescueBatch);
    if (rescued.empty()) break;
    found = true;
    int buried = 0;
    for (const auto& job : rescued) {
      if (!job.buried) continue;
      ++buried;
      services_.events.dead({job.id, job.queue, job.kind, job.attempt}, "crashes",
                            "its processors died while they held it");
    }
    services_.events.rescued(static_cast<int>(rescued.size()), buried);
    if (rescued.size() < kRescueBatch) break;
  }
  rescue_every_ = found ? milliseconds{1'000} : std::min(rescue_every_ * 2, kRescueMost);
  if (!found) return;
  services_.suspects_hint.fetch_add(1);
  services_.waker.found_work();
  services_.waker.wake_lanes();
  store::tell_everybody(connection_.get());
}

void Maintenance::look_at_schema() {
  const auto version = store::schema_version(connection_.get());
  const auto problem = store::compatible(version, store::kSchemaBuiltFor, store::kSchemaOldest);
  schema_version_ = version ? version->version : 0;
  const std::lock_guard lock{mutex_};
  schema_problem_ = problem ? problem->what() : "";
}

void Maintenance::keep_retention() {
  auto& database = connection_.get();
  auto& events = services_.events;
  for (const int slot : store::truncate_history(database)) events.history_truncated(slot);
  events.pruned("finished_jobs", store::trim_history(database, kPruneBatch));
  const int days = services_.options.processor.dead_retention_days;
  events.pruned("dead_jobs", store::prune_dead(database, days, kPruneBatch));
  events.pruned("job_failures", store::prune_failures(database, days, kPruneBatch));
  store::forget_dead(database);
}

void Maintenance::measure_depths() {
  for (const auto& depth : store::queue_depths(connection_.get()))
    services_.events.queue_depth(depth);
}

}  // namespace outbox::engine
