// The heartbeat: one thread and one connection that say that this processor lives, and notice when
// others do not; and a thread without a connection that notices when nobody has heard of us.
#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>

#include "core/options.hpp"
#include "core/pacing.hpp"
#include "engine/wakeup.hpp"
#include "observe/events.hpp"
#include "store/database.hpp"
#include "store/presence.hpp"

namespace outbox::engine {

class Membership {
 public:
  struct Callbacks {
    std::function<void(bool fresh)>
        dead_waiting;  ///< A dead processor may hold claims. Called from the heartbeat thread.
    std::function<void()>
        fenced;  ///< This processor must drop what it holds. Called from either thread.
  };

  Membership(const core::Options& options, store::Registration registration,
             observe::Events& events, Callbacks callbacks);
  ~Membership();

  /// Registers and starts the heartbeat. Throws core::DbError when the database cannot be reached.
  void start();
  /// Ends the heartbeat and removes the row; call it when nothing is claimed any more. Safe to call
  /// twice.
  void stop(store::Left left);

  /// The id to claim with, or nothing: not registered, marked dead, or without a successful
  /// heartbeat for too long. Any thread.
  [[nodiscard]] std::optional<int> id() const;
  /// Time since the last successful heartbeat. Any thread.
  [[nodiscard]] core::milliseconds heartbeat_age() const;
  [[nodiscard]] bool pooled() const { return pooled_; }

 private:
  void run(const std::stop_token& stop);
  void watch(const std::stop_token& stop);
  [[nodiscard]] core::milliseconds fence() const;
  void beat_once();
  void join();
  void note_success(core::Clock::time_point sent);

  const core::Options& options_;
  const store::Registration registration_;
  observe::Events& events_;
  const Callbacks callbacks_;

  // only the heartbeat thread, once it runs
  std::optional<store::Database> database_;
  bool lock_held_{false};
  bool beaten_{false};     // by this connection
  bool dead_told_{false};  // since registering: whoever died before has been told of

  std::atomic<int> id_{0};
  std::atomic<core::Clock::rep> last_beat_{0};
  std::atomic<bool> pooled_{false};
  std::atomic<bool> fence_told_{false};
  Wakeup wakeup_;
  Wakeup watch_wakeup_;
  std::jthread thread_;  // these last: they join before the rest goes
  std::jthread watcher_;
};

}  // namespace outbox::engine
