// The heartbeat thread. It must never wait behind a handler: it has its own connection and touches
// no job.
#include "engine/membership.hpp"

#include <utility>

#include "engine/jitter.hpp"

namespace outbox::engine {

using core::Clock;
using core::DbError;

Membership::Membership(const core::Options& options, store::Registration registration,
                       observe::Events& events, Callbacks callbacks)
    : options_{options},
      registration_{std::move(registration)},
      events_{events},
      callbacks_{std::move(callbacks)} {}

Membership::~Membership() { join(); }

void Membership::start() {
  join();
  database_.reset();
  beat_once();
  thread_ = std::jthread{[this](const std::stop_token& stop) { run(stop); }};
  watcher_ = std::jthread{[this](const std::stop_token& stop) { watch(stop); }};
}

void Membership::join() {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  watcher_.request_stop();
  wakeup_.notify();
  watch_wakeup_.notify();
  thread_.join();
  watcher_.join();
}

void Membership::stop(store::Left left) {
  join();
  const int id = id_.exchange(0);
  if (id == 0 || !database_) return;
  try {
    store::leave(*database_, id, left);
  } catch (const DbError& e) {
    events_.db_error("leave", to_text(e.fault()), e.sqlstate(), e.what());
  }
  database_.reset();
}

/// The margin: we must stop before others may think us dead, whatever the reply of the last
/// heartbeat cost.
core::milliseconds Membership::fence() const {
  return options_.processor.dead_after - options_.processor.dead_after / 5;
}

std::optional<int> Membership::id() const {
  const int id = id_.load();
  if (id == 0 || heartbeat_age() > fence()) return std::nullopt;
  return id;
}

core::milliseconds Membership::heartbeat_age() const {
  const auto last = Clock::time_point{Clock::duration{last_beat_.load()}};
  return std::chrono::duration_cast<core::milliseconds>(Clock::now() - last);
}

void Membership::note_success(Clock::time_point sent) {
  last_beat_ = sent.time_since_epoch()
                   .count();  // the moment it was sent: the database may have stamped it that early
  fence_told_ = false;
}

void Membership::beat_once() {
  if (!database_) {
    database_.emplace(options_.database, "heartbeat", store::Use::people);
    pooled_ = database_->pooled();
    lock_held_ = false;
  }
  const auto sent = Clock::now();
  if (id_ == 0) {
    const int id = store::register_processor(*database_, registration_);
    lock_held_ = true;
    note_success(sent);
    id_ = id;
    dead_told_ = false;
  }
  const int id = id_;
  if (!lock_held_ && !pooled_) lock_held_ = store::retake_session_lock(*database_, id);
  const auto beat = store::beat(*database_, id);
  for (const auto& death : beat.deaths) events_.marked_dead(death.id, death.name, death.reason);
  if (!beat.alive) {
    id_ = 0;
    events_.fenced("this processor was marked dead; it drops its claims and registers anew");
    callbacks_.fenced();
    database_.reset();  // lets go of the old id's lock
    return;
  }
  note_success(sent);
  const bool first = !std::exchange(dead_told_, true);
  if (first || beat.dead_waiting) callbacks_.dead_waiting(first || !beat.deaths.empty());
}

void Membership::run(const std::stop_token& stop) {
  ReconnectWait reconnect;
  Clock::time_point down_since{};
  while (!stop.stop_requested()) {
    auto wait = jittered(options_.processor.heartbeat);
    try {
      beat_once();
      if (id_ == 0) wait = core::milliseconds{0};
      if (down_since != Clock::time_point{}) {
        events_.db_recovered(
            "heartbeat", std::chrono::duration_cast<core::milliseconds>(Clock::now() - down_since));
        down_since = {};
      }
      reconnect.reset();
      beaten_ = true;
    } catch (const DbError& e) {
      if (down_since == Clock::time_point{}) down_since = Clock::now();
      events_.db_error("heartbeat", to_text(e.fault()), e.sqlstate(), e.what());
      // A session that has worked is replaced at once: others take its free lock for a death.
      const bool worked = database_ && std::exchange(beaten_, false);
      wait = worked ? core::milliseconds{0} : std::min(reconnect.next(), wait);
      database_.reset();
    }
    wakeup_.wait(wait, database_ ? database_->socket() : -1);
  }
}

/// The heartbeat may be stuck in a connection that is silently gone: this thread has none. It wakes
/// when the last success gets too old, which while all is well never comes.
void Membership::watch(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    const auto left = fence() - heartbeat_age();
    if (left < core::milliseconds{0} && id_ != 0 && !fence_told_.exchange(true)) {
      events_.fenced(
          "no successful heartbeat for too long; claims are dropped until the database answers");
      callbacks_.fenced();
    }
    watch_wakeup_.wait(std::max(left + core::milliseconds{1}, fence() / 16));
  }
}

}  // namespace outbox::engine
