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
#include "engine/outside.hpp"
#include "engine/services.hpp"
#include "engine/share.hpp"
#include "engine/task.hpp"
#include "store/claim.hpp"

namespace outbox::engine {

class Dispatcher {
 public:
  /// `answered` takes the tasks that async handlers bring back: the finisher's push.
  Dispatcher(Services& services, std::string queue, const core::QueueOptions& options,
             LanePlan& plan, RunQueue& tasks, Inbox& inbox, Lane& lane,
             AsyncHandler::Ended answered);

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
  [[nodiscard]] std::size_t in_flight() const {
    return in_flight_.size() + outside_.tasks().size();
  }
  /// Whether some claims could not be given back: others must rescue them. After run() has
  /// returned.
  [[nodiscard]] bool left_claims() const {
    return !owed_.empty() || !stuck_.empty() || unsure_since_;
  }

 private:
  core::milliseconds work(int processor);
  [[nodiscard]] core::milliseconds open_shares(const LanePlan::ClaimedShare& plan);
  core::milliseconds look(int processor, Share& share, bool one_by_one);
  core::milliseconds claim_some(int processor, Share& share, bool one_by_one);
  void claim_outside_suspects(int processor);
  [[nodiscard]] bool hold_for_suspect(int processor);
  [[nodiscard]] bool suspects_due();
  [[nodiscard]] std::vector<std::string> kinds_of_threads() const;
  [[nodiscard]] int room(const LanePlan::ClaimedShare& plan) const;
  [[nodiscard]] core::milliseconds rest(Share& share, store::From from);
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
  std::vector<Share> shares_;  // first: the queue's threads
  std::vector<Share*> open_;   // of shares_: with room and kinds, this turn
  bool was_asleep_{false};     // and may have sent shares to a long rest
  struct Kind {
    bool external{false};
    bool async{false};
    core::MeanTime mean;
  };
  core::MeanTime mean_;
  std::unordered_map<std::string, Kind> kinds_;
  std::unordered_set<TaskPtr> in_flight_;                // with the runners
  Outside outside_;                                      // with async handlers
  std::unordered_set<TaskPtr> stuck_;                    // of in_flight_
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
  core::Clock::time_point outside_suspects_at_{};
  DueWait due_;

  std::atomic<core::Clock::rep> grace_ends_{0};
  std::atomic<bool> fenced_{false};
};

}  // namespace outbox::engine
