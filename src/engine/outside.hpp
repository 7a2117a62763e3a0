// The jobs of one queue that are with async handlers. The dispatcher's thread only.
#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <unordered_set>
#include <vector>

#include "engine/connection.hpp"
#include "engine/services.hpp"
#include "engine/task.hpp"

namespace outbox::engine {

/// Hands them over, large contents fetched before, at most kOutsideBytes of those at a time.
class Outside {
 public:
  /// `ended` takes what comes back, on any thread.
  Outside(Services& services, AsyncHandler::Ended ended)
      : services_{services}, ended_{std::move(ended)} {}

  void take(TaskPtr task);
  /// Starts those that wait for their content, as far as memory allows. Throws core::DbError.
  void bring_content(Connection& connection);
  /// A task came back; false: it is none of ours.
  bool back(const TaskPtr& task);

  /// Claimed, but not started for want of memory.
  [[nodiscard]] int waiting(const std::string& kind) const;
  /// Claimed and not back, of one kind.
  [[nodiscard]] int count(const std::string& kind) const;
  [[nodiscard]] const std::unordered_set<TaskPtr>& tasks() const { return tasks_; }
  /// Those that wait here: they are ours no more.
  [[nodiscard]] std::vector<TaskPtr> take_unstarted_back();
  /// No end of theirs is to be written any more; they come back soon.
  void abandon_all();

 private:
  void start(TaskPtr task);

  Services& services_;
  AsyncHandler::Ended ended_;
  std::unordered_set<TaskPtr> tasks_;
  std::map<std::string, int> by_kind_;  // how many of tasks_
  std::deque<TaskPtr> waiting_;         // of tasks_
  std::map<std::string, int> waiting_by_kind_;
  std::map<TaskPtr, std::size_t> heavy_;  // bytes that were fetched for it
  std::size_t bytes_{0};                  // of heavy_
};

}  // namespace outbox::engine
