// The claimed lane of one queue: claims what there is room for and hands it to the runners. One
// thread, one connection, and the only owner of what is in flight. READ THIS FIRST.
#pragma once

#include <atomic>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "core/pacing.hpp"
#include "engine/connection.hpp"
#include "engine/due_wait.hpp"
#include "engine/lane_plan.hpp"
#include "engine/services.hpp"
#include "engine/task.hpp"
#include "store/claim.hpp"

namespace outbox::engine {

class Dispatcher {
 public:
  Dispatcher(Services& services, std::string queue, const core::QueueOptions& options,
             LanePlan& plan, RunQueue& tasks, Inbox& inbox, Lane& lane);

  /// Takes back what the runners finished, claims what there is room for, hands it out. Returns how
  /// long nothing needs it; tests call it by hand. Does not throw for what the database does.
  core::milliseconds turn();

  /// turn() until `stop`; then gives back what has not started and waits for the rest, at most
  /// until `grace_ends` of stop_at().
  void run(const std::stop_token& stop);

  /// When handlers still running are told to stop; set before the stop is requested. Any thread.
  void stop_at(core::Clock::time_point grace_ends) {
    grace_ends_ = grace_ends.time_since_epoch().count();
  }
  /// Drop everything: this processor was marked dead or has fenced itself. Any thread.
  void fence() {
    fenced_ = true;
    lane_.notify();
  }
  [[nodiscard]] std::size_t in_flight() const { return in_flight_.size(); }
  /// Whether some claims could not be given back: others must rescue them. After run() has
  /// returned.
  [[nodiscard]] bool left_claims() const {
    return !owed_.empty() || !stuck_.empty() || unsure_since_;
  }

 private:
  core::milliseconds work(int processor);
  core::milliseconds claim_some(int processor, const LanePlan::ClaimedShare& share, int most);
  [[nodiscard]] bool hold_for_suspect(int processor);
  [[nodiscard]] bool suspects_due();
  [[nodiscard]] int room(const LanePlan::ClaimedShare& share) const;
  [[nodiscard]] core::milliseconds rest(store::From from);
  void hand_out(int processor, std::vector<store::Claimed> jobs);
  void take_back();
  void take_unstarted_back();
  [[nodiscard]] core::milliseconds stop_overdue();
  void look_for_stuck(const TaskPtr& task, core::Clock::duration overdue);
  void abandon_all();
  [[nodiscard]] bool cancel_abandoned();
  void give_back();
  void look_for_strays(int processor);
  void drain();
  void wait_for_runners(core::Clock::time_point end);
  [[nodiscard]] store::ClaimRequest request(int processor, const std::vector<std::string>& kinds,
                                            int most) const;

  Services& services_;
  const std::string queue_;
  const core::QueueOptions& options_;
  LanePlan& plan_;
  RunQueue& tasks_;
  Inbox& inbox_;
  Lane& lane_;

  // only the dispatcher's thread
  Connection connection_;
  store::Cursor cursor_;
  core::SweepPace sweep_;
  core::IdleWait idle_;
  struct Kind {
    bool external{false};
    core::MeanTime mean;
  };
  core::MeanTime mean_;
  std::unordered_map<std::string, Kind> kinds_;
  std::unordered_set<TaskPtr> in_flight_;
  std::unordered_set<TaskPtr> stuck_;                    // of these
  std::map<int, std::vector<store::Claimed>> owed_;      // to be given back, by processor id
  core::Clock::time_point give_back_at_{};               // not before
  std::optional<core::Clock::time_point> unsure_since_;  // a claim's reply was lost
  core::Clock::time_point look_for_strays_at_{};         // not before
  core::Clock::time_point strays_anyway_at_{};
  std::optional<SoloGate::Wish> wish_;
  TaskPtr suspect_;
  int seen_hint_{-1};
  core::Clock::time_point next_suspect_look_{};
  core::Clock::time_point no_suspects_before_{};
  DueWait due_;

  std::atomic<core::Clock::rep> grace_ends_{0};
  std::atomic<bool> fenced_{false};
};

}  // namespace outbox::engine
