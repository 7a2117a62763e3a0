// The loop of the claimed lane.
#include "engine/dispatcher.hpp"

#include <algorithm>

#include "engine/settler.hpp"
#include "store/due.hpp"
#include "store/finish.hpp"
#include "store/presence.hpp"
#include "store/sleep.hpp"
#include "store/strays.hpp"

namespace outbox::engine {

using core::Clock;
using core::DbError;
using core::microseconds;
using core::milliseconds;

namespace {

/// How often suspects are looked for when this process has no news of any: another processor may
/// have rescued them.
constexpr milliseconds kSuspectLook{5'000};
/// After the grace time handlers are told to stop; they have this long to do so.
constexpr milliseconds kLastWait{700};
/// Held back for a suspect, which may end at any time, or by runners that are busier than they
/// were.
constexpr milliseconds kHeldLook{5};
/// After a suspect has waited in vain for a runner of its own queue, the next try is so much later.
constexpr std::chrono::minutes kSuspectPause{5};
/// With several shares each waits so many times longer between its empty looks, at most this.
constexpr milliseconds kIdleMost{50};
/// How often what is owed is looked at.
constexpr milliseconds kOwedLook{100};
constexpr milliseconds kOwedMost{5'000};
/// How often claims without a reply are looked for.
constexpr milliseconds kStraysLook{1'000};
constexpr std::chrono::hours kStraysAnyway{1};

microseconds since(Clock::time_point start) {
  return std::chrono::duration_cast<microseconds>(Clock::now() - start);
}

}  // namespace

Dispatcher::Dispatcher(Services& services, std::string queue, const core::QueueOptions& options,
                       LanePlan& plan, RunQueue& tasks, Inbox& inbox, Lane& lane,
                       AsyncHandler::Ended answered)
    : services_{services},
      queue_{std::move(queue)},
      options_{options},
      plan_{plan},
      tasks_{tasks},
      inbox_{inbox},
      lane_{lane},
      connection_{services.options.database, services.events, "claim " + queue_,
                  store::Use::claims},
      shares_(1),
      outside_{services, std::move(answered)} {
  for (const auto& [kind, handler] : services.handlers) {
    kinds_[kind].external = handler.is_external();
    kinds_[kind].async = handler.async() != nullptr;
    if (handler.async() == nullptr) continue;
    auto& share = shares_.emplace_back();
    share.async = handler.async();
    share.kind = kind;
  }
  strays_anyway_at_ = Clock::now() + jittered(kStraysAnyway);
}

void Dispatcher::run(const std::stop_token& stop) {
  const std::stop_callback ring{stop, [this] { lane_.notify(); }};
  while (!stop.stop_requested()) {
    if (lane_.wait(turn())) due_.forget();
  }
  drain();
}

milliseconds Dispatcher::turn() {
  take_back();
  give_back();
  auto most = std::min(stop_overdue(), owed_.empty() ? milliseconds::max() : kOwedLook);
  if (tasks_.nudge()) most = std::min(most, kHeldLook);
  if (fenced_.exchange(false)) {
    take_unstarted_back();
    abandon_all();
    return milliseconds{0};
  }
  const auto processor = services_.membership.id();
  if (!processor) {
    lane_.set_content(true);
    return jittered(milliseconds{50});
  }
  if (const auto rest = connection_.rest(); rest > milliseconds{0}) return std::min(most, rest);
  try {
    look_for_strays(*processor);
    return std::min(most, work(*processor));
  } catch (const DbError& e) {
    if (e.unsure()) {
      unsure_since_ = Clock::now();
      look_for_strays_at_ = {};
    }
    return std::min(most, connection_.failed(e));
  }
}

milliseconds Dispatcher::work(int processor) {
  outside_.bring_content(connection_);
  const auto plan = plan_.claimed();
  const bool held = hold_for_suspect(processor);
  auto wait = open_shares(plan);
  // Held back or without room it need not look before the process sleeps: it looks by itself, or
  // what comes back rings this lane.
  lane_.set_content(held || open_.empty());
  if (held) return kHeldLook;
  if (open_.empty()) return wait;
  const SoloGate::Entry entry{services_.solo};
  if (!entry) {
    lane_.set_content(true);
    return kHeldLook;
  }
  claim_outside_suspects(processor);
  auto empty_since = Clock::time_point::max();
  for (auto* share : open_) {
    wait = std::min(wait, look(processor, *share, plan.one_by_one));
    empty_since = std::min(empty_since, share->empty_since);
  }
  lane_.found_nothing_since(empty_since);
  return wait;
}

/// Which shares may claim now, and how long no other one will.
milliseconds Dispatcher::open_shares(const LanePlan::ClaimedShare& plan) {
  open_.clear();
  for (auto& share : shares_) share.kinds.clear();
  for (const auto& kind : plan.kinds) {
    // While jobs run one by one they are one share, whatever runs them.
    const auto own = plan.one_by_one
                         ? shares_.begin()
                         : std::find_if(shares_.begin() + 1, shares_.end(),
                                        [&](const Share& share) { return share.kind == kind; });
    (own == shares_.end() ? shares_.front() : *own).kinds.push_back(kind);
  }
  auto again = milliseconds{kSuspectLook};
  for (auto& share : shares_) {
    const bool was_open = share.room > 0;
    share.room = 0;
    if (share.kinds.empty()) continue;
    if (share.async == nullptr) {
      share.room = room(plan);
      if (share.room == 0) again = std::min(again, milliseconds{250});
    } else {
      const auto room = share.async->room();
      share.room = std::clamp(room.jobs - outside_.waiting(share.kind), 0, core::kClaimMost);
      if (room.jobs <= 0 && room.turns && outside_.count(share.kind) == 0) share.room = 1;
      if (share.room == 0) again = std::min(again, room.again);
    }
    if (share.room == 0) continue;
    if (!was_open) share.next_look = {};
    open_.push_back(&share);
  }
  const bool asleep = services_.waker.asleep();
  if (was_asleep_ && !asleep) {
    for (auto& share : shares_) share.next_look = {};
  }
  was_asleep_ = asleep;
  return again;
}

/// With one open share every turn looks, as whoever rang expects; with several, what keeps one of
/// them busy must not make the others ask the database a thousand times a second.
milliseconds Dispatcher::look(int processor, Share& share, bool one_by_one) {
  if (share.room <= 0) return milliseconds{0};
  const auto now = Clock::now();
  const bool dozing = services_.waker.sweeps() == core::SweepPace::When::soon;
  if (open_.size() > 1 && !dozing && now < share.next_look)
    return std::chrono::ceil<milliseconds>(share.next_look - now);
  const auto wait = claim_some(processor, share, one_by_one);
  share.next_look = Clock::now() + wait;
  return wait;
}

milliseconds Dispatcher::claim_some(int processor, Share& share, bool one_by_one) {
  auto& database = connection_.get();
  const auto start = Clock::now();
  const auto from =
      share.sweep.due(start, services_.waker.sweeps()) ? store::From::start : store::From::cursor;
  auto jobs =
      store::claim(database, request(processor, share.kinds, share.room), from, share.cursor);
  const auto took = since(start);
  const int count = static_cast<int>(jobs.size());
  if (from == store::From::start) {
    share.sweep.swept(Clock::now(), took);
    services_.events.swept(queue_, count, took);
    if (count == 0) share.empty_since = start;
    if (count == 0 && one_by_one) plan_.end_isolation();
  } else if (count > 0) {
    services_.events.claimed(queue_, count, took);
  }
  if (count == 0) {
    if (took >= kCheapLook) store::pass_empty(database, took, share.cursor);
    // Looks from the start have a pace of their own.
    const auto pause =
        from == store::From::cursor ? pause_after_empty(took) : core::milliseconds{0};
    return std::max(rest(share, from), pause);
  }
  services_.waker.found_work();
  share.idle.worked();
  due_.forget();
  hand_out(processor, std::move(jobs));
  return milliseconds{0};
}

/// What was with async handlers when a processor died. They run no code of others in this process,
/// so it was none of these jobs that ended it, and none has to run alone.
void Dispatcher::claim_outside_suspects(int processor) {
  if (Clock::now() < outside_suspects_at_) return;
  bool more = false;
  for (auto* share : open_) {
    if (share->async == nullptr) continue;
    const int most = std::min(share->room, core::kSuspectsMost);
    const auto start = Clock::now();
    auto jobs = store::claim_suspects(connection_.get(), request(processor, share->kinds, most));
    if (jobs.empty()) continue;
    more = true;
    share->room -= static_cast<int>(jobs.size());
    services_.events.claimed(queue_, static_cast<int>(jobs.size()), since(start));
    services_.waker.found_work();
    hand_out(processor, std::move(jobs));
  }
  if (more) return;
  outside_suspects_at_ = Clock::now() + jittered(kSuspectLook);
}

std::vector<std::string> Dispatcher::kinds_of_threads() const {
  std::vector<std::string> kinds;
  for (const auto& kind : plan_.all_kinds()) {
    if (!kinds_.at(kind).async) kinds.push_back(kind);
  }
  return kinds;
}

/// True while a suspect of this queue runs alone, or waits for the others to finish: nothing else
/// may be claimed.
bool Dispatcher::hold_for_suspect(int processor) {
  if (suspect_) return true;
  if (!wish_ && !suspects_due()) return false;
  const auto kinds = kinds_of_threads();
  if (!wish_) {
    if (kinds.empty()) return false;
    if (!store::suspect_waiting(connection_.get(), request(processor, kinds, 1))) return false;
    wish_.emplace(services_.solo);
  }
  if (!wish_->granted()) return true;
  if (static_cast<int>(in_flight_.size()) >= options_.concurrency) {
    // Patience is over, and no runner is free: the other queues must not wait for ours.
    wish_.reset();
    no_suspects_before_ = Clock::now() + kSuspectPause;
    return false;
  }
  const auto start = Clock::now();
  auto suspect = store::claim_suspect(connection_.get(), request(processor, kinds, 1));
  if (!suspect) {
    wish_.reset();
    next_suspect_look_ =
        Clock::now();  // look once more before the next pause: a retry may have come due
    return false;
  }
  services_.events.claimed(queue_, 1, since(start));
  services_.waker.found_work();
  std::vector<store::Claimed> alone;
  alone.push_back(std::move(*suspect));
  hand_out(processor, std::move(alone));
  return true;
}

bool Dispatcher::suspects_due() {
  const int hint = services_.suspects_hint;
  if (Clock::now() < no_suspects_before_) return false;
  if (hint == seen_hint_ && Clock::now() < next_suspect_look_) return false;
  if (seen_hint_ != hint) outside_suspects_at_ = {};
  seen_hint_ = hint;
  next_suspect_look_ = Clock::now() + jittered(kSuspectLook);
  return true;
}

int Dispatcher::room(const LanePlan::ClaimedShare& plan) const {
  if (plan.one_by_one) return in_flight() == 0 ? 1 : 0;
  const int ahead = core::jobs_ahead(options_.concurrency, mean_.known(), mean_.value());
  const int held = static_cast<int>(in_flight_.size());
  // With a stock of short jobs, one large claim when it is half gone instead of many small ones.
  if (held > options_.concurrency + ahead / 2) return 0;
  return std::clamp(options_.concurrency + ahead - held, 0, core::kClaimMost);
}

/// Nothing was found: polls every few ms while the process is awake, until the next due job while
/// it sleeps. Only an empty look from the start may end in a long rest: a job behind the cursor may
/// have been inserted before the process slept, and so without a notification.
milliseconds Dispatcher::rest(Share& share, store::From from) {
  if (services_.waker.blind()) return kBlindPoll;
  if (!services_.waker.asleep() || from == store::From::cursor) {
    const auto wait = share.idle.next();
    return std::min(wait * std::max<int>(1, static_cast<int>(open_.size())),
                    std::max(wait, kIdleMost));
  }
  was_asleep_ = true;  // the process may have fallen asleep in the middle of this turn
  return due_.next(jittered(services_.options.processor.poll),
                   [this] { return store::next_due(connection_.get(), queue_); });
}

store::ClaimRequest Dispatcher::request(int processor, const std::vector<std::string>& kinds,
                                        int most) const {
  return {.processor = processor, .queue = queue_, .kinds = kinds, .most = most};
}

void Dispatcher::hand_out(int processor, std::vector<store::Claimed> jobs) {
  const auto now = Clock::now();
  services_.solo.claimed(static_cast<int>(jobs.size()));
  std::vector<TaskPtr> tasks;
  tasks.reserve(jobs.size());
  microseconds work{0};
  for (auto& job : jobs) {
    auto task = std::make_shared<Task>();
    task->processor = processor;
    task->received = now;
    task->claimed = std::move(job);
    const auto& kind = kinds_[task->claimed.job.kind];
    if (kind.async) {
      outside_.take(std::move(task));
      continue;
    }
    task->quick = kind.external && kind.mean.known() && kind.mean.value() < core::kQuickHandler;
    work += task->quick ? kind.mean.value() : core::kShortHandler;
    if (task->claimed.suspect) suspect_ = task;
    in_flight_.insert(task);
    tasks.push_back(std::move(task));
  }
  const int count = static_cast<int>(tasks.size());
  if (count == 0) return;
  // A thread for each millisecond of work: more would only get into each other's way.
  tasks_.push(std::move(tasks),
              static_cast<int>(std::min<std::int64_t>(count, work / milliseconds{1} + 1)));
}

void Dispatcher::take_back() {
  for (auto& task : inbox_.take()) {
    const bool outside = outside_.back(task);
    in_flight_.erase(task);
    stuck_.erase(task);
    services_.solo.finished(1);
    if (task == suspect_) suspect_.reset();
    if (task->settled && !outside) {
      mean_.add(task->ran);
      kinds_[task->claimed.job.kind].mean.add(task->ran);
    } else if (!task->settled) {
      owed_[task->processor].push_back(task->claimed);
    }
    plan_.isolated_one_done();
  }
}

void Dispatcher::take_unstarted_back() {
  for (auto& task : tasks_.drain()) inbox_.push(std::move(task));
  inbox_.push(outside_.take_unstarted_back());
  take_back();
}

/// C++ handlers are told by their stop token; SQL has its statement_timeout. Returns how long no
/// other timeout ends.
milliseconds Dispatcher::stop_overdue() {
  const auto now = Clock::now();
  auto next = milliseconds::max();
  for (const auto& task : in_flight_) {
    const auto timeout = services_.handlers.at(task->claimed.job.kind).options.timeout;
    const auto started = task->started.load();
    const auto end = (started == 0 ? now : Clock::time_point{Clock::duration{started}}) + timeout;
    if (now > end) {
      task->stop.request_stop();
      look_for_stuck(task, now - end);
    } else {
      next = std::min(next, std::chrono::ceil<milliseconds>(end - now) + milliseconds{1});
    }
  }
  return next;
}

/// Its claim is kept until this process is gone, which counts as a crash: a handler that does so
/// again and again ends in the dead letters.
void Dispatcher::look_for_stuck(const TaskPtr& task, Clock::duration overdue) {
  const bool in_sql =
      std::holds_alternative<store::SqlBody>(services_.handlers.at(task->claimed.job.kind)
                                                 .run);  // waits for the server, which has a limit
  if (overdue < core::kStuckAfter || in_sql || !stuck_.insert(task).second) return;
  task->abandoned = true;
  services_.events.stuck(ref(task->claimed));
  if (services_.give_up)
    services_.give_up(core::Error{core::ExitCode::failed, "a handler is stuck"});
}

/// Nothing that is in flight may write its end any more.
void Dispatcher::abandon_all() {
  for (const auto& task : in_flight_) {
    task->abandoned = true;
    task->stop.request_stop();
  }
  outside_.abandon_all();
  (void)cancel_abandoned();
}

/// Ends the statements that abandoned handlers wait for. False: there is no connection to do it
/// with; the server notices the closed sockets when we exit.
bool Dispatcher::cancel_abandoned() {
  try {
    for (const auto& task : in_flight_) {
      const int pid = task->backend_pid;
      if (task->abandoned && pid != 0) (void)store::cancel_backend(connection_.get(), pid);
    }
    return true;
  } catch (const DbError& e) {
    (void)connection_.failed(e);
    return false;
  }
}

/// One try, at most a tenth of the time. What remains is owed: while this processor lives, nobody
/// else may rescue it.
void Dispatcher::give_back() {
  if (owed_.empty() || Clock::now() < give_back_at_) return;
  const auto start = Clock::now();
  try {
    while (!owed_.empty()) {
      const auto first = owed_.begin();
      const int released = store::release(connection_.get(), first->first, first->second);
      owed_.erase(first);
      if (released == 0) continue;
      services_.events.released(queue_, released);
      store::tell_everybody(connection_.get());  // no INSERT has announced them
    }
  } catch (const DbError& e) {
    const auto wait = connection_.failed(e);
    give_back_at_ =
        Clock::now() + std::max<Clock::duration>(
                           wait, std::min<Clock::duration>(10 * (Clock::now() - start), kOwedMost));
  }
}

/// A claim may have committed although its reply was lost. Nobody runs such jobs, and nobody may
/// rescue them: looks for them until the server should have ended that statement, and now and then
/// all the same: a commit that waits for a standby has no limit.
void Dispatcher::look_for_strays(int processor) {
  if (!unsure_since_ && Clock::now() < strays_anyway_at_) return;
  if (Clock::now() < look_for_strays_at_) return;
  store::LatestClaims known;
  for (const auto& task : in_flight_) known.add(task->claimed);
  for (const auto& task : outside_.tasks()) known.add(task->claimed);
  if (const auto owed = owed_.find(processor); owed != owed_.end()) {
    for (const auto& claimed : owed->second) known.add(claimed);
  }
  const auto start = Clock::now();
  const auto limit = services_.options.database.statement_timeout;
  look_for_strays_at_ = start + 10 * limit;  // if it does not come to its end
  const int found = store::release_strays(connection_.get(), processor, queue_, known);
  if (found > 0) services_.events.released(queue_, found);
  look_for_strays_at_ = Clock::now() + std::clamp<Clock::duration>(10 * (Clock::now() - start),
                                                                   kStraysLook, 10 * limit);
  strays_anyway_at_ = Clock::now() + jittered(kStraysAnyway);
  if (unsure_since_ && start > *unsure_since_ + limit + kStraysLook) unsure_since_.reset();
}

void Dispatcher::drain() {
  lane_.set_content(true);
  take_unstarted_back();
  wait_for_runners(Clock::time_point{Clock::duration{grace_ends_.load()}});
  if (in_flight() > stuck_.size()) {
    abandon_all();
    wait_for_runners(Clock::now() + kLastWait);
    // What is still running can write nothing more once its token is gone.
    for (const auto& task : in_flight_) {
      if (stuck_.count(task) == 0) owed_[task->processor].push_back(task->claimed);
    }
    for (const auto& task : outside_.tasks()) owed_[task->processor].push_back(task->claimed);
  }
  // Bounded: when the database does not answer, the claims are left to the rescue.
  for (int tries = 0; tries < 3 && !owed_.empty(); ++tries) {
    if (tries > 0) lane_.wait(milliseconds{200});
    give_back_at_ = {};
    give_back();
  }
}

void Dispatcher::wait_for_runners(Clock::time_point end) {
  bool can_cancel = true;
  for (;;) {
    take_back();
    give_back();
    (void)stop_overdue();
    const auto left = std::chrono::ceil<milliseconds>(end - Clock::now());
    if (in_flight() == stuck_.size() || left <= milliseconds{0}) return;
    lane_.wait(std::min(left, milliseconds{100}));
    // Again: a cancel that comes between two statements of a handler ends none.
    can_cancel = can_cancel && cancel_abandoned();
  }
}

}  // namespace outbox::engine
