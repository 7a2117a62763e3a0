// The chores. Each is idempotent and may run in several processors at once; none waits for a lock
// for long.
#include "engine/maintenance.hpp"

#include "store/kinds.hpp"
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
constexpr int kTrimBatch = 100'000;
constexpr milliseconds kRescueLeast{1'000};
constexpr milliseconds kRescueMost{60'000};
constexpr milliseconds kSchemaEvery{10'000};
constexpr milliseconds kKindsEvery{10'000};
constexpr milliseconds kDepthsEvery{15'000};
constexpr std::chrono::hours kRetentionEvery{1};
constexpr milliseconds kRetentionAgain{60'000};

}  // namespace

bool Maintenance::Chore::due(milliseconds every) {
  if (Clock::now() < next) return false;
  next = Clock::now() + jittered(every);
  return true;
}

Maintenance::Maintenance(Services& services, PausedKinds paused_kinds)
    : services_{services},
      paused_kinds_{std::move(paused_kinds)},
      connection_{services.options.database, services.events, "maintenance", store::Use::chores} {}

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

void Maintenance::schema_changed() {
  schema_news_ = true;
  wakeup_.notify();
}

void Maintenance::kinds_changed() {
  kinds_news_ = true;
  wakeup_.notify();
}

std::string Maintenance::schema_problem() const {
  const std::lock_guard lock{mutex_};
  return schema_problem_;
}

milliseconds Maintenance::turn() {
  try {
    if (fresh_death_) {
      // Perhaps it led the sleepers: who relied on its locks was not notified since.
      store::tell_everybody(connection_.get());
      fresh_death_ = false;
      dead_waiting_ = true;
      rescue_ = {};
      rescue_every_ = kRescueLeast;
    }
    if (dead_waiting_ && rescue_.due(rescue_every_)) rescue();
    if (schema_news_.exchange(false) || schema_.due(kSchemaEvery)) look_at_schema();
    if (kinds_news_.exchange(false) || kinds_.due(kKindsEvery)) look_at_kinds();
    if (services_.options.admin.port && depths_.due(kDepthsEvery)) measure_depths();
    if (retention_.due(kRetentionEvery)) keep_retention();
    return milliseconds{1'000};
  } catch (const DbError& e) {
    return connection_.failed(e);
  }
}

/// A pass that finds nothing doubles the time to the next one, and no pass takes more than a tenth
/// of the time: the server may still be running a dead processor's last statement, but a long index
/// is not walked for nothing.
void Maintenance::rescue() {
  const auto processor = services_.membership.id();
  if (!processor) return;
  const auto start = Clock::now();
  std::size_t found = 0;
  for (;;) {
    const auto rescued = store::rescue(connection_.get(), *processor,
                                       services_.options.processor.max_crashes, kRescueBatch);
    report(rescued);
    found += rescued.size();
    if (rescued.size() < kRescueBatch) break;
  }
  dead_waiting_ = false;
  const auto took = std::chrono::duration_cast<milliseconds>(Clock::now() - start);
  rescue_every_ =
      std::min(std::max(10 * took, found > 0 ? kRescueLeast : rescue_every_ * 2), kRescueMost);
  if (found == 0) return;
  services_.suspects_hint.fetch_add(1);
  services_.waker.found_work();
  services_.waker.wake_lanes();
  store::tell_everybody(connection_.get());
}

void Maintenance::report(const std::vector<store::Rescued>& rescued) {
  if (rescued.empty()) return;
  int buried = 0;
  for (const auto& job : rescued) {
    if (!job.buried) continue;
    ++buried;
    services_.events.dead({job.id, job.queue, job.kind, job.attempt}, "crashes",
                          "its processors died while they held it");
  }
  services_.events.rescued(static_cast<int>(rescued.size()), buried);
}

/// Told by the ledger's trigger, and looked for now and then, as notifications may be lost. Nothing
/// is claimed from a schema that this program does not know: it drains and stops.
void Maintenance::look_at_schema() {
  const auto version = store::schema_version(connection_.get());
  const auto problem = store::compatible(version, store::schema_built_for(), store::kSchemaOldest);
  schema_version_ = version ? version->version : 0;
  {
    const std::lock_guard lock{mutex_};
    schema_problem_ = problem ? problem->what() : "";
  }
  if (problem && services_.give_up) services_.give_up(*problem);
}

/// Told by outbox.pause_kind() and outbox.resume_kind(), and looked for now and then, as
/// notifications may be lost.
void Maintenance::look_at_kinds() {
  if (paused_kinds_) paused_kinds_(store::paused_kinds(connection_.get()));
}

/// Hourly. Every delete is bounded; the next second goes on with what is left.
void Maintenance::keep_retention() {
  auto& database = connection_.get();
  const bool locked = truncate_history(database);
  const bool more = trim_history(database) || prune(database);
  store::forget_dead(database);
  dead_waiting_ =
      true;  // claims of a processor that somebody deleted, or that died while nobody watched
  if (more) {
    retention_.next = {};
  } else if (locked) {
    retention_.next = Clock::now() + jittered(kRetentionAgain);
  }
}

/// Whether a slot is left because somebody holds a lock on it (a backup, a report).
bool Maintenance::truncate_history(store::Database& database) {
  bool locked = false;
  for (const int slot : store::expired_slots(database)) {
    try {
      if (store::truncate_slot(database, slot)) services_.events.history_truncated(slot);
    } catch (const DbError& e) {
      if (e.fault() != core::Fault::busy) throw;
      static_cast<void>(connection_.failed(e));  // told; the other slots need not wait for this one
      locked = true;
    }
  }
  return locked;
}

/// Whether there is more to do.
bool Maintenance::trim_history(store::Database& database) {
  const auto days = store::expired_days(database);
  std::set<store::HistoryDay> done;
  bool more = false;
  for (const auto& day : days) {
    if (trimmed_.count(day) == 0) {
      const auto rows = store::trim_history(database, day, kTrimBatch);
      services_.events.pruned("finished_jobs", rows);
      if (rows == kTrimBatch) {
        more = true;
        continue;
      }
    }
    done.insert(day);
  }
  trimmed_ = std::move(done);
  return more;
}

/// Whether there is more to do.
bool Maintenance::prune(store::Database& database) {
  const int days = services_.options.processor.dead_retention_days;
  const auto letters = store::prune_dead(database, days, kPruneBatch);
  const auto failures = store::prune_failures(database, days, kPruneBatch);
  const auto noted = store::prune_audit(database, kPruneBatch);
  services_.events.pruned("dead_jobs", letters);
  services_.events.pruned("job_failures", failures);
  services_.events.pruned("audit", noted);
  return letters == kPruneBatch || failures == kPruneBatch || noted == kPruneBatch;
}

void Maintenance::measure_depths() {
  for (const auto& depth : store::queue_depths(connection_.get()))
    services_.events.queue_depth(depth);
}

}  // namespace outbox::engine
