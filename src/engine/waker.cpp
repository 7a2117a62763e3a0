// The waker's thread: awake -> (10 ms without work) -> locks taken, every lane looks once more ->
// asleep -> notified -> awake.
#include "engine/waker.hpp"

#include <algorithm>

#include "engine/jitter.hpp"

namespace outbox::engine {

using core::Clock;
using core::DbError;
using core::milliseconds;

namespace {

/// Staying awake so long after the last job saves most notifications at no cost.
constexpr milliseconds kStayAwake{10};
/// A lane that does not look within this is stuck in the database: stay awake.
constexpr milliseconds kDozeMost{200};
/// While a producer's transaction is open nobody can fall asleep: tries again after 2 ms, doubling
/// up to this.
constexpr milliseconds kDozeAgainLeast{2};
constexpr milliseconds kDozeAgainMost{64};
/// A process whose lanes do not wait for jobs has no reason to sleep, and looks again this often.
constexpr milliseconds kContentLook{50};

}  // namespace

Waker::Waker(const core::Options& options, observe::Events& events, std::atomic<int>& suspects_hint,
             std::function<void()> schema_changed, std::function<void()> kinds_changed)
    : options_{options},
      events_{events},
      suspects_hint_{suspects_hint},
      schema_changed_{std::move(schema_changed)},
      kinds_changed_{std::move(kinds_changed)} {}

Waker::~Waker() { stop(); }

Lane& Waker::add_lane() { return *lanes_.emplace_back(std::make_unique<Lane>()); }

void Waker::start() {
  worked_at_ = Clock::now().time_since_epoch().count();
  thread_ = std::jthread{[this](const std::stop_token& stop) { run(stop); }};
}

void Waker::stop() {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  wakeup_.notify();
  thread_.join();
}

void Waker::found_work() {
  worked_at_ = Clock::now().time_since_epoch().count();
  if (state_ != State::awake) wakeup_.notify();
}

void Waker::wake_lanes() const {
  for (const auto& lane : lanes_) lane->notify();
}

bool Waker::all_lanes_looked(Clock::time_point since) const {
  for (const auto& lane : lanes_) {
    if (!lane->content_ && lane->empty_since_ <= since.time_since_epoch().count()) return false;
  }
  return true;
}

bool Waker::all_lanes_content() const {
  return std::all_of(lanes_.begin(), lanes_.end(),
                     [](const auto& lane) { return lane->content_.load(); });
}

void Waker::wake(const char* why) {
  state_ = State::awake;
  worked_at_ = Clock::now().time_since_epoch().count();
  wake_lanes();  // before the locks are let go: a producer that notifies in vain costs less than a
                 // job that waits
  store::wake_up(*database_, mode_);
  mode_ = store::Sleep::awake;
  events_.woke(why);
}

void Waker::run(const std::stop_token& stop) {
  ReconnectWait reconnect;
  while (!stop.stop_requested()) {
    try {
      turn(stop);
      if (database_) reconnect.reset();
    } catch (const DbError& e) {
      events_.db_error("wake-up", to_text(e.fault()), e.sqlstate(), e.what());
      database_.reset();
      lost_the_lead_ = lost_the_lead_ || mode_ == store::Sleep::leader;
      mode_ = store::Sleep::awake;
      state_ = State::awake;
      blind_ = true;
      wake_lanes();
      wakeup_.wait(reconnect.next());
    }
  }
}

void Waker::turn(const std::stop_token& stop) {
  if (!database_) {
    database_.emplace(options_.database, "wake-up", store::Use::people);
    if (!database_->pooled()) store::listen(*database_);
    blind_ = database_->pooled();
    if (blind_)
      events_.notice(
          "behind a transaction pooler: no session lock and no LISTEN, jobs are found by polling");
    if (lost_the_lead_) store::tell_everybody(*database_);  // the followers relied on its locks
    lost_the_lead_ = false;
  }
  if (blind_) {
    wakeup_.wait(options_.processor.poll);
    return;
  }
  const auto worked = Clock::time_point{Clock::duration{worked_at_.load()}};
  const auto idle = std::chrono::duration_cast<milliseconds>(Clock::now() - worked);
  const bool content = all_lanes_content();
  if (idle < kStayAwake || content) {
    static_cast<void>(wait(content ? kContentLook : kStayAwake - idle));
    wakeup_.clear();
    return;
  }
  doze();
  if (state_ == State::asleep) sleep(stop);
}

store::Woken Waker::wait(milliseconds most) {
  const auto waited = store::wait_for_notification(*database_, wakeup_.descriptor(), most);
  if (waited.by == store::Woken::notified) ++suspects_hint_;
  if (waited.schema && schema_changed_) schema_changed_();
  if (waited.kinds && kinds_changed_) kinds_changed_();
  return waited.by;
}

void Waker::doze() {
  mode_ = store::fall_asleep(*database_);
  if (mode_ == store::Sleep::awake) {
    // A producer's transaction is open; the lanes go on polling.
    doze_again_ = std::clamp(2 * doze_again_, kDozeAgainLeast, kDozeAgainMost);
    wakeup_.wait(doze_again_);
    return;
  }
  doze_again_ = {};
  const auto since = Clock::now();
  state_ = State::dozing;
  wake_lanes();  // each has to look from the start, and the sooner it does the sooner NOTIFY takes
                 // over
  while (!all_lanes_looked(since)) {
    const bool rung = wakeup_.wait(milliseconds{1});
    const auto worked = Clock::time_point{Clock::duration{worked_at_.load()}};
    if ((rung && worked > since) || Clock::now() - since > kDozeMost) {
      wake("a job was found while falling asleep");
      return;
    }
  }
  state_ = State::asleep;
  events_.fell_asleep();
}

void Waker::sleep(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    const auto woken = wait(std::chrono::minutes{1});
    if (woken == store::Woken::timeout) continue;
    if (woken == store::Woken::by_descriptor) {
      wakeup_.clear();
      wake("a lane found a job");
    } else {
      wake("notified");
    }
    return;
  }
  store::wake_up(*database_, mode_);
}

}  // namespace outbox::engine
