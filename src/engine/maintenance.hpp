// Slow chores of a processor: rescue, retention, depth of the queues, a look at the schema and at
// the paused kinds. One thread, one connection.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <set>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "engine/connection.hpp"
#include "engine/services.hpp"
#include "store/presence.hpp"
#include "store/retention.hpp"

namespace outbox::engine {

class Maintenance {
 public:
  /// Gets the kinds that are paused now, on the thread of turn().
  using PausedKinds = std::function<void(const std::vector<std::string>&)>;

  explicit Maintenance(Services& services, PausedKinds paused_kinds = {});
  ~Maintenance();

  void start();
  void stop();

  /// Some dead processor may hold claims; `fresh`: it has just been marked dead, so look at once.
  /// Any thread.
  enum class News { fresh, old };
  void dead_waiting(News news);

  /// A migration was applied or rolled back: look at once. Any thread.
  void schema_changed();
  /// Kinds were paused or resumed: look at once. Any thread.
  void kinds_changed();

  /// Why the schema cannot be worked with; empty when it can, or when the database does not answer.
  /// Any thread.
  [[nodiscard]] std::string schema_problem() const;
  [[nodiscard]] int schema_version() const { return schema_version_; }

  /// One pass over what is due; returns how long nothing is. Tests call it by hand.
  core::milliseconds turn();

 private:
  void rescue();
  void report(const std::vector<store::Rescued>& rescued);
  [[nodiscard]] bool truncate_history(store::Database& database);
  [[nodiscard]] bool trim_history(store::Database& database);
  [[nodiscard]] bool prune(store::Database& database);
  void look_at_schema();
  void look_at_kinds();
  void keep_retention();
  void measure_depths();

  struct Chore {
    core::Clock::time_point next{};
    [[nodiscard]] bool due(core::milliseconds every);
  };

  Services& services_;
  const PausedKinds paused_kinds_;
  Connection connection_;
  // only the maintenance thread
  Chore rescue_, schema_, kinds_, retention_, depths_;
  std::set<store::HistoryDay> trimmed_;
  core::milliseconds rescue_every_{1'000};
  std::atomic<bool> dead_waiting_{false};
  std::atomic<bool> fresh_death_{false};
  std::atomic<bool> schema_news_{true};
  std::atomic<bool> kinds_news_{true};
  std::atomic<int> schema_version_{0};
  mutable std::mutex mutex_;
  std::string schema_problem_;  // guarded by mutex_
  Wakeup wakeup_;
  std::jthread thread_;  // last
};

}  // namespace outbox::engine
