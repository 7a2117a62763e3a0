// Decides for the whole process whether it is awake (lanes poll every few ms) or asleep (they wait
// to be woken), and owns the locks and the LISTEN of that: one thread, one connection. NOTIFY is a
// hint, polling is the promise.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "core/options.hpp"
#include "core/pacing.hpp"
#include "engine/wakeup.hpp"
#include "observe/events.hpp"
#include "store/database.hpp"
#include "store/sleep.hpp"

namespace outbox::engine {

/// Without LISTEN (a pooler) an idle lane polls this often.
inline constexpr core::milliseconds kBlindPoll{50};

/// A thread that looks for jobs, as the waker sees it. Created by Waker::add_lane before start();
/// lives as long as the waker.
class Lane {
 public:
  /// Call before each look for jobs.
  void looking() { looking_since_ = core::Clock::now(); }
  /// Nothing was found by the look that looking() announced; only a look from the start of the
  /// index counts.
  void found_nothing() { found_nothing_since(looking_since_); }
  /// The same for a look that began then.
  void found_nothing_since(core::Clock::time_point since) {
    empty_since_ = since.time_since_epoch().count();
  }
  /// The lane is not waiting for jobs (its slots are full, it is stopping): it need not look before
  /// the process sleeps.
  void set_content(bool content) { content_ = content; }

  void notify() const { wakeup_.notify(); }
  /// True when it was rung.
  bool wait(core::milliseconds most) const { return wakeup_.wait(most); }

 private:
  friend class Waker;
  Wakeup wakeup_;
  core::Clock::time_point looking_since_{};  // only the lane's thread
  std::atomic<core::Clock::rep> empty_since_{0};
  std::atomic<bool> content_{false};
};

class Waker {
 public:
  /// `suspects_hint` goes up with every notification: it may have come from a rescue.
  /// On the waker's thread `schema_changed` is called when a migration was applied or rolled back,
  /// `kinds_changed` when kinds were paused or resumed.
  Waker(const core::Options& options, observe::Events& events, std::atomic<int>& suspects_hint,
        std::function<void()> schema_changed = {}, std::function<void()> kinds_changed = {});
  ~Waker();

  [[nodiscard]] Lane& add_lane();
  void start();
  void stop();

  /// A lane found jobs: stay awake, or wake up. Any thread.
  void found_work();
  /// Whether lanes may rest until they are woken, instead of polling every few ms. Any thread.
  [[nodiscard]] bool asleep() const { return state_ == State::asleep; }
  /// Whether the process waits for every lane's look from the start, to fall asleep. Any thread.
  /// When lanes are to sweep: soon while it dozes, because it then waits for all of them.
  [[nodiscard]] core::SweepPace::When sweeps() const {
    return state_ == State::dozing ? core::SweepPace::When::soon : core::SweepPace::When::usual;
  }
  /// How long an idle lane of an awake process waits at most; longer without LISTEN. Any thread.
  [[nodiscard]] bool blind() const { return blind_; }
  /// Rings every lane. Any thread.
  void wake_lanes() const;

 private:
  enum class State { awake, dozing, asleep };

  void run(const std::stop_token& stop);
  void turn(const std::stop_token& stop);
  void doze();
  void sleep(const std::stop_token& stop);
  [[nodiscard]] bool all_lanes_looked(core::Clock::time_point since) const;
  [[nodiscard]] bool all_lanes_content() const;
  void wake(const char* why);
  [[nodiscard]] store::Woken wait(core::milliseconds most);

  const core::Options& options_;
  observe::Events& events_;
  std::atomic<int>& suspects_hint_;
  const std::function<void()> schema_changed_;
  const std::function<void()> kinds_changed_;
  std::vector<std::unique_ptr<Lane>> lanes_;  // constant once started

  std::optional<store::Database> database_;  // only the waker's thread
  store::Sleep mode_{store::Sleep::awake};   // only the waker's thread
  bool lost_the_lead_{false};                // only the waker's thread
  core::milliseconds doze_again_{};          // only the waker's thread

  std::atomic<State> state_{State::awake};
  std::atomic<core::Clock::rep> worked_at_{0};
  std::atomic<bool> blind_{true};
  Wakeup wakeup_;
  std::jthread thread_;  // last
};

}  // namespace outbox::engine
