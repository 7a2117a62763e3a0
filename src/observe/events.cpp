// Each event: its line, its metrics. The name of a line's event is the name of the method.
#include "observe/events.hpp"

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

#include "observe/fault_point.hpp"
#include "observe/log.hpp"
#include "observe/metrics.hpp"

namespace outbox::observe {

namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::seconds kDbErrorPause{1};

/// A clock that was set back must not make a sum go down.
double seconds(microseconds duration) {
  return std::max(0.0, static_cast<double>(duration.count()) / 1e6);
}

Line job_line(Level level, const char* event, const JobRef& job) {
  Line line{level, event};
  line.number("job", job.id)
      .text("queue", job.queue)
      .text("kind", job.kind)
      .number("attempt", job.attempt);
  return line;
}

/// Lets one line a second through for each place, and counts what it holds back.
class Limiter {
 public:
  /// How many lines were held back since the last one; nothing: hold this one back, too.
  std::optional<int> pass(std::string_view where) {
    const std::lock_guard lock{mutex_};
    const auto now = Clock::now();
    auto found = places_.find(where);
    if (found == places_.end()) found = places_.emplace(std::string{where}, Place{}).first;
    Place& place = found->second;
    if (now < place.next) {
      ++place.held_back;
      return std::nullopt;
    }
    place.next = now + kDbErrorPause;
    return std::exchange(place.held_back, 0);
  }

 private:
  struct Place {
    Clock::time_point next;
    int held_back{0};
  };
  std::mutex mutex_;
  std::map<std::string, Place, std::less<>>
      places_;  ///< `where` is one of our own words, or a configured kind: this stays small.
};

}  // namespace

struct Events::Impl {
  Metrics metrics;
  Limiter db_errors;
  Limiter exec_no_room;
  std::atomic<std::int64_t> finished{0};
  Tap tap;
};

Events::Events() : impl_{std::make_unique<Impl>()} {}
Events::~Events() = default;

void Events::claimed(std::string_view queue, int jobs, microseconds took) {
  const auto& metrics = impl_->metrics.queue(queue);
  metrics.claimed->Increment(jobs);
  metrics.claim_seconds->Observe(seconds(took));
  if (impl_->tap) impl_->tap(false, jobs, took);
  if (!logs(Level::debug)) return;
  Line{Level::debug, "claimed"}
      .text("queue", queue)
      .number("jobs", jobs)
      .duration("took_ms", took)
      .write();
}

void Events::swept(std::string_view queue, int jobs, microseconds took) {
  const auto& metrics = impl_->metrics.queue(queue);
  metrics.sweeps->Increment();
  metrics.claimed->Increment(jobs);
  metrics.sweep_seconds->Observe(seconds(took));
  if (impl_->tap) impl_->tap(true, jobs, took);
  if (!logs(Level::debug)) return;
  Line{Level::debug, "swept"}
      .text("queue", queue)
      .number("jobs", jobs)
      .duration("took_ms", took)
      .write();
}

void Events::finished(const JobRef& job, microseconds waited, microseconds ran) {
  const auto& metrics = impl_->metrics.kind(job.queue, job.kind);
  metrics.finished->Increment();
  metrics.handler_seconds->Observe(seconds(ran));
  metrics.wait_seconds->Observe(seconds(waited));
  impl_->finished.fetch_add(1, std::memory_order_relaxed);
  if (!logs(Level::debug)) return;
  job_line(Level::debug, "finished", job)
      .duration("waited_ms", waited)
      .duration("ran_ms", ran)
      .write();
}

void Events::retried(const JobRef& job, std::string_view sqlstate, std::string_view error,
                     milliseconds delay, microseconds ran) {
  const auto& metrics = impl_->metrics.kind(job.queue, job.kind);
  metrics.failed->Increment();
  metrics.retried->Increment();
  metrics.handler_seconds->Observe(seconds(ran));
  if (!logs(Level::warn)) return;
  Line line = job_line(Level::warn, "retried", job);
  if (!sqlstate.empty()) line.text("sqlstate", sqlstate);
  line.duration("delay_ms", delay).duration("ran_ms", ran).text("error", error).write();
}

void Events::snoozed(const JobRef& job, milliseconds delay) {
  impl_->metrics.kind(job.queue, job.kind).snoozed->Increment();
  if (!logs(Level::debug)) return;
  job_line(Level::debug, "snoozed", job).duration("delay_ms", delay).write();
}

void Events::dead(const JobRef& job, std::string_view reason, std::string_view error) {
  const auto& metrics = impl_->metrics.kind(job.queue, job.kind);
  if (reason == "attempts" || reason == "discarded") metrics.failed->Increment();
  const auto counter = metrics.dead.find(reason);
  if (counter != metrics.dead.end()) counter->second->Increment();
  job_line(Level::error, "dead", job).text("reason", reason).text("error", error).write();
}

void Events::stale_finish(const JobRef& job) {
  impl_->metrics.kind(job.queue, job.kind).stale->Increment();
  job_line(Level::warn, "stale_finish", job).write();
}

void Events::exec_running(std::string_view kind, int children) {
  impl_->metrics.exec_running(kind).Set(children);
}

void Events::exec_ended(const JobRef& job, std::string_view how, microseconds ran) {
  impl_->metrics.exec_ends(job.kind, how).Increment();
  if (!logs(Level::debug)) return;
  job_line(Level::debug, "exec_ended", job).text("how", how).duration("ran_ms", ran).write();
}

void Events::exec_no_room(std::string_view kind, std::string_view step, std::string_view error) {
  const auto held_back = impl_->exec_no_room.pass(kind);
  if (!held_back) return;
  Line line{Level::warn, "exec_no_room"};
  line.text("kind", kind).text("step", step);
  if (*held_back > 0) line.number("held_back", *held_back);
  line.text("error", error).write();
}

void Events::stuck(const JobRef& job) {
  job_line(Level::error, "stuck", job)
      .text("why", "its handler ignores its stop token; only a new process can end it")
      .write();
}

void Events::released(std::string_view queue, int jobs) {
  impl_->metrics.queue(queue).released->Increment(jobs);
  Line{Level::info, "released"}.text("queue", queue).number("jobs", jobs).write();
}

void Events::rescued(int jobs, int dead) {
  impl_->metrics.rescued.Increment(jobs);
  Line{Level::warn, "rescued"}.number("jobs", jobs).number("dead", dead).write();
}

void Events::resolved_in_doubt(const JobRef& job, bool committed) {
  impl_->metrics.resolved_in_doubt.Increment();
  job_line(Level::warn, "resolved_in_doubt", job).flag("committed", committed).write();
}

void Events::isolating(std::string_view queue, int jobs, std::string_view why) {
  impl_->metrics.isolated.Increment(jobs);
  Line{Level::warn, "isolating"}.text("queue", queue).number("jobs", jobs).text("why", why).write();
}

void Events::lane_changed(std::string_view queue, std::string_view kind, std::string_view lane,
                          microseconds mean) {
  Line{Level::info, "lane_changed"}
      .text("queue", queue)
      .text("kind", kind)
      .text("lane", lane)
      .duration("mean_ms", mean)
      .write();
}

void Events::kind_paused(std::string_view kind, std::string_view why) {
  Line{Level::warn, "kind_paused"}.text("kind", kind).text("why", why).write();
}

void Events::started(int processor, std::string_view name, std::string_view role, int schema,
                     int connections_most) {
  impl_->metrics.up.Set(1);
  Line line{Level::info, "started"};
  line.number("processor", processor)
      .text("name", name)
      .text("role", role)
      .number("schema", schema)
      .number("connections_most", connections_most);
  if (kHasFaultPoints) line.text("fault_points", "compiled in: never for production");
  line.write();
}

void Events::privileged_role(std::string_view what) {
  Line{Level::warn, "privileged_role"}.text("what", what).write();
}

void Events::stopping(std::string_view why, milliseconds grace) {
  impl_->metrics.up.Set(0);
  Line{Level::info, "stopping"}.text("why", why).duration("grace_ms", grace).write();
}

void Events::stopped() { Line{Level::info, "stopped"}.write(); }

void Events::marked_dead(int processor, std::string_view name, std::string_view reason) {
  impl_->metrics.processors_marked_dead.Increment();
  Line{Level::warn, "marked_dead"}
      .number("processor", processor)
      .text("name", name)
      .text("reason", reason)
      .write();
}

void Events::fenced(std::string_view why) {
  impl_->metrics.fenced.Increment();
  Line{Level::error, "fenced"}.text("why", why).write();
}

void Events::fell_asleep() {
  if (logs(Level::debug)) Line{Level::debug, "fell_asleep"}.write();
}

void Events::woke(std::string_view why) {
  impl_->metrics.wakeups.Increment();
  if (logs(Level::debug)) Line{Level::debug, "woke"}.text("why", why).write();
}

void Events::history_truncated(int slot) {
  Line{Level::info, "history_truncated"}.number("slot", slot).write();
}

void Events::pruned(std::string_view table, std::int64_t rows) {
  if (rows <= 0) return;
  impl_->metrics.pruned(table).Increment(static_cast<double>(rows));
  Line{Level::info, "pruned"}.text("table", table).number("rows", rows).write();
}

void Events::notice(std::string_view what) {
  Line{Level::info, "notice"}.text("what", what).write();
}

void Events::http_in_flight(std::string_view kind, int requests) {
  impl_->metrics.http(kind).in_flight->Set(requests);
}

void Events::http_answered(std::string_view kind, std::string_view answer, microseconds took) {
  impl_->metrics.http_answers(kind, answer).Increment();
  impl_->metrics.http(kind).seconds->Observe(seconds(took));
}

void Events::breaker_changed(std::string_view kind, std::string_view endpoint, bool opened,
                             std::string_view why, milliseconds pause, int not_closed) {
  impl_->metrics.http(kind).breakers_open->Set(not_closed);
  Line line{opened ? Level::warn : Level::info, opened ? "breaker_opened" : "breaker_closed"};
  line.text("kind", kind).text("endpoint", endpoint);
  if (opened) line.duration("pause_ms", pause).text("why", why);
  line.write();
}

void Events::db_error(std::string_view where, std::string_view fault, std::string_view sqlstate,
                      std::string_view error) {
  impl_->metrics.db_errors(where, fault).Increment();
  const auto held_back = impl_->db_errors.pass(where);
  if (!held_back) return;
  Line line{Level::warn, "db_error"};
  line.text("where", where).text("fault", fault);
  if (!sqlstate.empty()) line.text("sqlstate", sqlstate);
  if (*held_back > 0) line.number("held_back", *held_back);
  line.text("error", error).write();
}

void Events::db_recovered(std::string_view where, milliseconds down) {
  Line{Level::info, "db_recovered"}.text("where", where).duration("down_ms", down).write();
}

void Events::queue_depth(const QueueDepth& depth) {
  const auto& metrics = impl_->metrics.depth(depth.queue);
  metrics.waiting->Set(static_cast<double>(depth.waiting));
  metrics.scheduled->Set(static_cast<double>(depth.scheduled));
  metrics.claimed->Set(static_cast<double>(depth.claimed));
  metrics.oldest_wait_seconds->Set(depth.oldest_wait_seconds);
  metrics.paused->Set(depth.paused ? 1 : 0);
}

std::int64_t Events::jobs_finished() const { return impl_->finished; }

void Events::watch_claims(Tap tap) { impl_->tap = std::move(tap); }

std::string Events::metrics_text() const { return impl_->metrics.text(); }

}  // namespace outbox::observe
