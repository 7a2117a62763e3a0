// The loop of the claimed lane.
#include "engine/dispatcher.hpp"

#include <algorithm>

#include "store/due.hpp"
#include "store/finish.hpp"
#include "store/presence.hpp"

namespace outbox::engine {

using core::Clock;
using core::DbError;
using core::microseconds;
using core::milliseconds;

namespace {

/// Handlers below this mean are prefetched, so that runners do not wait for the next claim.
constexpr milliseconds kShortHandler{20};
/// How often suspects are looked for when this process has no news of any: another processor may
/// have rescued them.
constexpr milliseconds kSuspectLook{5'000};
/// After the grace time handlers are told to stop; they have this long to do so.
constexpr milliseconds kLastWait{2'000};
/// Without LISTEN (a pooler) an idle lane polls this often.
constexpr milliseconds kBlindPoll{50};

microseconds since(Clock::time_point start) {
  return std::chrono::duration_cast<microseconds>(Clock::now() - start);
}

}  // namespace

Dispatcher::Dispatcher(Services& services, std::string queue, const core::QueueOptions& options,
                       LanePlan& plan, RunQueue& tasks, Inbox& inbox, Lane& lane)
    : services_{services},
      queue_{std::move(queue)},
      options_{options},
      plan_{plan},
      tasks_{tasks},
      inbox_{inbox},
      lane_{lane},
      connection_{services.options.database, services.events, "claim " + queue_,
                  store::Use::claims} {}

void Dispatcher::run(const std::stop_token& stop) {
  const std::stop_callback ring{stop, [this] { lane_.notify(); }};
  while (!stop.stop_requested()) {
    if (lane_.wait(turn())) due_known_ = false;
  }
  drain();
}

milliseconds Dispatcher::turn() {
  take_back();
  stop_overdue();
  if (fenced_.exchange(false)) {
    for (const auto& task : tasks_.drain()) inbox_.push(task);
    abandon_all(in_flight_);
    return milliseconds{0};
  }
  const auto processor = services_.membership.id();
  if (!processor) {
    lane_.set_content(true);
    return jittered(milliseconds{50});
  }
  try {
    return claim_some(*processor);
  } catch (const DbError& e) {
    return connection_.failed(e);
  }
}

milliseconds Dispatcher::claim_some(int processor) {
  const auto share = plan_.claimed();
  const int most = room(share);
  // Without room it need not look before the process sleeps: a runner that comes back rings this
  // lane.
  lane_.set_content(most == 0 || (share.kinds.empty() && !wish_));
  if (hold_for_suspect(processor)) return milliseconds{5};
  if (most == 0) return milliseconds{250};
  if (share.kinds.empty()) return kSuspectLook;
  if (!services_.solo.open()) return milliseconds{5};

  const auto start = Clock::now();
  const auto from = sweep_.due(start) ? store::From::start : store::From::cursor;
  lane_.looking();
  auto jobs = store::claim(connection_.get(), request(processor, share.kinds, most), from, cursor_);
  const auto took = since(start);
  const int count = static_cast<int>(jobs.size());
  if (from == store::From::start) {
    sweep_.swept(Clock::now(), took);
    services_.events.swept(queue_, count, took);
    if (count == 0) lane_.found_nothing();
  }
  if (count == 0) {
    if (share.one_by_one && from == store::From::start) plan_.end_isolation();
    return rest();
  }
  services_.events.claimed(queue_, count, took);
  services_.waker.found_work();
  idle_.worked();
  due_known_ = false;
  for (auto& job : jobs) hand_out(processor, std::move(job));
  return milliseconds{0};
}

/// True while a suspect of this queue runs alone, or waits for the others to finish: nothing else
/// may be claimed.
bool Dispatcher::hold_for_suspect(int processor) {
  if (suspect_) return true;
  if (!wish_) {
    if (!suspects_due()) return false;
    if (!store::suspect_waiting(connection_.get(), request(processor, plan_.all_kinds(), 1)))
      return false;
    wish_.emplace(services_.solo);
  }
  if (!wish_->granted()) return true;
  auto suspect = store::claim_suspect(connection_.get(), request(processor, plan_.all_kinds(), 1));
  if (!suspect) {
    wish_.reset();
    next_suspect_look_ =
        Clock::now();  // look once more before the next pause: a retry may have come due
    return false;
  }
  services_.waker.found_work();
  hand_out(processor, std::move(*suspect));
  return true;
}

bool Dispatcher::suspects_due() {
  const int hint = services_.suspects_hint;
  if (hint == seen_hint_ && Clock::now() < next_suspect_look_) return false;
  seen_hint_ = hint;
  next_suspect_look_ = Clock::now() + jittered(kSuspectLook);
  return true;
}

int Dispatcher::room(const LanePlan::ClaimedShare& share) const {
  if (share.one_by_one) return in_flight_.empty() ? 1 : 0;
  const int ahead = mean_.value() < kShortHandler ? options_.concurrency : 0;
  return std::max(0, options_.concurrency + ahead - static_cast<int>(in_flight_.size()));
}

/// Nothing was found: polls every few ms while the process is awake, until the next due job while
/// it sleeps.
milliseconds Dispatcher::rest() {
  if (services_.waker.blind()) return kBlindPoll;
  if (!services_.waker.asleep()) return idle_.next();
  const auto poll = jittered(services_.options.processor.poll);
  if (!due_known_) {
    due_in_ = store::next_due(connection_.get(), queue_).value_or(poll);
    due_known_ = true;
    return std::min(poll, due_in_);
  }
  return poll;
}

store::ClaimRequest Dispatcher::request(int processor, const std::vector<std::string>& kinds,
                                        int most) const {
  return {.processor = processor, .queue = queue_, .kinds = kinds, .most = most};
}

void Dispatcher::hand_out(int processor, store::Claimed claimed) {
  auto task = std::make_shared<Task>();
  task->processor = processor;
  task->claimed = std::move(claimed);
  if (task->claimed.suspect) suspect_ = task;
  services_.solo.claimed(1);
  in_flight_.insert(task);
  tasks_.push(std::move(task));
}

void Dispatcher::take_back() {
  std::vector<TaskPtr> unsettled;
  for (auto& task : inbox_.take()) {
    in_flight_.erase(task);
    services_.solo.finished(1);
    if (task == suspect_) suspect_.reset();
    if (task->settled) mean_.add(task->ran);
    plan_.isolated_one_done();
    if (!task->settled) unsettled.push_back(std::move(task));
  }
  give_back(unsettled);
}

/// C++ handlers are told by their stop token; SQL has its statement_timeout.
void Dispatcher::stop_overdue() {
  const auto now = Clock::now();
  for (const auto& task : in_flight_) {
    const auto started = task->started.load();
    if (started == 0) continue;
    const auto timeout = services_.handlers.at(task->claimed.job.kind).options.timeout;
    if (now > Clock::time_point{Clock::duration{started}} + timeout) task->stop.request_stop();
  }
}

void Dispatcher::abandon_all(const std::unordered_set<TaskPtr>& tasks) {
  for (const auto& task : tasks) {
    task->abandoned = true;
    task->stop.request_stop();
    const int pid = task->backend_pid;
    if (pid == 0) continue;
    try {
      (void)store::cancel_backend(connection_.get(), pid);
    } catch (const DbError& e) {
      (void)connection_.failed(e);
      return;  // no connection, no cancel; the server notices the closed sockets when we exit
    }
  }
}

void Dispatcher::give_back_unstarted() {
  for (auto& task : tasks_.drain()) inbox_.push(std::move(task));
  take_back();
}

void Dispatcher::give_back(const std::vector<TaskPtr>& tasks) {
  if (tasks.empty()) return;
  std::vector<store::Claimed> claims;
  claims.reserve(tasks.size());
  for (const auto& task : tasks) claims.push_back(task->claimed);
  ReconnectWait reconnect;
  // Bounded: when the database does not answer, the claims are left to the rescue.
  for (int tries = 0; tries < 3; ++tries) {
    try {
      const int released = store::release(connection_.get(), tasks.front()->processor, claims);
      if (released > 0) services_.events.released(queue_, released);
      return;
    } catch (const DbError& e) {
      lane_.wait(connection_.failed(e));
    }
  }
  left_claims_ = true;
}

void Dispatcher::drain() {
  lane_.set_content(true);
  give_back_unstarted();
  const Clock::time_point grace_ends{Clock::duration{grace_ends_.load()}};
  const auto wait_until = [&](Clock::time_point end) {
    while (!in_flight_.empty() && Clock::now() < end) {
      const auto left = std::chrono::duration_cast<milliseconds>(end - Clock::now());
      lane_.wait(std::min(left + milliseconds{1}, milliseconds{100}));
      take_back();
      stop_overdue();
    }
  };
  wait_until(grace_ends);
  if (in_flight_.empty()) return;
  abandon_all(in_flight_);
  wait_until(Clock::now() + kLastWait);
  // What is still running can write nothing more once its token is gone.
  give_back({in_flight_.begin(), in_flight_.end()});
}

}  // namespace outbox::engine
