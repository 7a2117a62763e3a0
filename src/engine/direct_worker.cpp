// The loop of the direct lane. A group that is undone as a whole is handed to the claimed lane, one
// job at a time, so that the one that did it is counted and its neighbours are not.
#include "engine/direct_worker.hpp"

#include "engine/share.hpp"
#include "store/claim.hpp"
#include "store/due.hpp"

namespace outbox::engine {

using core::Clock;
using core::DbError;
using core::Fault;
using core::microseconds;
using core::milliseconds;

namespace {

constexpr int kConflictsMax = 5;
constexpr milliseconds kHelperPoll{30'000};

}  // namespace

DirectWorker::DirectWorker(Services& services, std::string queue, const core::QueueOptions& options,
                           LanePlan& plan, Slots& slots, Lane& lane, Role role)
    : services_{services},
      queue_{std::move(queue)},
      options_{options},
      plan_{plan},
      slots_{slots},
      lane_{lane},
      role_{role},
      connection_{services.options.database, services.events, "direct " + queue_,
                  store::Use::claims} {}

void DirectWorker::run(const std::stop_token& stop) {
  const std::stop_callback ring{stop, [this] { lane_.notify(); }};
  while (!stop.stop_requested()) {
    if (lane_.wait(turn(stop))) due_.forget();
  }
  lane_.set_content(true);
}

milliseconds DirectWorker::turn(const std::stop_token& stop) {
  const auto processor = services_.membership.id();
  const auto kinds = plan_.direct();
  if (!processor || !kinds) {
    lane_.set_content(true);
    due_.forget();
    return jittered(milliseconds{50});
  }
  lane_.set_content(true);  // while it waits for a slot
  if (const auto left = connection_.rest(); left > milliseconds{0}) return left;
  const auto slot = slots_.take(stop);
  if (!slot) return milliseconds{0};
  lane_.set_content(false);
  bool connected = false;
  try {
    backend_pid_ = connection_.get().backend_pid();
    connected = true;
    const auto wait = handle_group(*processor, *kinds);
    backend_pid_ = 0;
    return wait;
  } catch (const DbError& e) {
    backend_pid_ = 0;
    return connected ? group_failed(e) : connection_.failed(e);
  }
}

milliseconds DirectWorker::handle_group(int processor, const store::DirectKinds& kinds) {
  const auto limit =
      std::min(services_.options.database.statement_timeout, kinds.shortest_timeout());
  store::limit_groups(connection_.get(), limit);
  const auto start = Clock::now();
  const auto from =
      sweep_.due(start, services_.waker.sweeps()) ? store::From::start : store::From::cursor;
  const int most = std::min(size_.value(), options_.group_most);
  lane_.looking();
  const auto jobs = store::run_group(
      connection_.get(),
      {.processor = processor, .queue = queue_, .most = most, .history = options_.history}, kinds,
      from, cursor_);
  const auto took = Clock::now() - start;
  const int count = static_cast<int>(jobs.size());
  conflicts_ = 0;
  if (from == store::From::start) {
    // The handlers' time is not the sweep's.
    Clock::duration handlers{0};
    for (const auto& job : jobs) handlers += job.ran;
    const auto swept = std::max(Clock::duration{0}, took - handlers);
    sweep_.swept(Clock::now(), swept);
    services_.events.swept(queue_, count, std::chrono::duration_cast<microseconds>(swept));
    if (count == 0) lane_.found_nothing();
  }
  if (count == 0) {
    const auto all = std::chrono::duration_cast<microseconds>(took);
    if (took >= kCheapLook) store::pass_empty(connection_.get(), all, cursor_);
    return rest(from);
  }
  services_.waker.found_work();
  if (from == store::From::cursor)
    services_.events.claimed(queue_, count, std::chrono::duration_cast<microseconds>(took));
  size_.handled(count, took);
  idle_.worked();
  due_.forget();
  report(kinds, jobs);
  return milliseconds{0};
}

void DirectWorker::report(const store::DirectKinds& kinds,
                          const std::vector<store::DirectJob>& jobs) {
  auto& events = services_.events;
  for (const auto& job : jobs) {
    const auto& kind = kinds.all()[job.kind].kind;
    const observe::JobRef ref{job.id, queue_, kind, job.attempt};
    switch (job.outcome) {
      case store::DirectOutcome::done:
        events.finished(ref, job.waited, job.ran);
        break;
      case store::DirectOutcome::retry:
        events.retried(ref, job.sqlstate, job.error, job.delay, job.ran);
        break;
      case store::DirectOutcome::snooze:
        events.snoozed(ref, job.delay);
        break;
      case store::DirectOutcome::dead:
        events.dead(ref, job.reason, job.error);
        break;
    }
    if (plan_.observe(kind, job.ran)) services_.waker.wake_lanes();
  }
}

milliseconds DirectWorker::group_failed(const DbError& error) {
  const auto wait = connection_.failed(error);
  const int jobs = 2 * size_.value();
  if (error.fault() == Fault::conflict || error.fault() == Fault::busy) {
    if (++conflicts_ < kConflictsMax) return wait;
    plan_.isolate(jobs, "a group was undone by conflicts again and again");
  } else if (error.fault() == Fault::canceled) {
    plan_.isolate(jobs, "a group took too long or was cancelled");
  } else if (error.session_lost()) {
    plan_.isolate(jobs, "the connection was lost while a group ran");
  } else {
    plan_.isolate(jobs, "a group could not be committed");
  }
  conflicts_ = 0;
  size_.shrink_to_one();
  services_.waker.wake_lanes();  // the dispatcher may be sleeping for lack of kinds of its own
  return wait;
}

/// As Dispatcher::rest.
milliseconds DirectWorker::rest(store::From from) {
  if (services_.waker.blind()) return kBlindPoll;
  if (!services_.waker.asleep() || from == store::From::cursor) return idle_.next();
  if (role_ == Role::helper) return jittered(kHelperPoll);
  return due_.next(jittered(services_.options.processor.poll),
                   [this] { return store::next_due(connection_.get(), queue_); });
}

}  // namespace outbox::engine
