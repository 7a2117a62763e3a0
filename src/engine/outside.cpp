// Between the dispatcher and the async handlers.
#include "engine/outside.hpp"

#include "core/limits.hpp"
#include "store/content.hpp"

namespace outbox::engine {

void Outside::take(TaskPtr task) {
  tasks_.insert(task);
  ++by_kind_[task->claimed.job.kind];
  if (!task->claimed.content_left) return start(std::move(task));
  ++waiting_by_kind_[task->claimed.job.kind];
  waiting_.push_back(std::move(task));
}

void Outside::start(TaskPtr task) {
  auto& handler = *services_.handlers.at(task->claimed.job.kind).async();
  handler.start(std::move(task), ended_);
}

void Outside::bring_content(Connection& connection) {
  while (!waiting_.empty() && bytes_ < core::kOutsideBytes) {
    auto& task = waiting_.front();
    const bool ours = store::fetch_content(connection.get(), task->processor, task->claimed);
    auto ready = std::move(task);
    waiting_.pop_front();
    --waiting_by_kind_[ready->claimed.job.kind];
    if (!ours) {
      ready->answer = store::RanStale{};
      ended_(std::move(ready));
      continue;
    }
    const auto bytes = ready->claimed.job.payload.size() + ready->claimed.job.headers.size();
    heavy_[ready] = bytes;
    bytes_ += bytes;
    start(std::move(ready));
  }
}

bool Outside::back(const TaskPtr& task) {
  if (tasks_.erase(task) == 0) return false;
  --by_kind_[task->claimed.job.kind];
  if (const auto found = heavy_.find(task); found != heavy_.end()) {
    bytes_ -= found->second;
    heavy_.erase(found);
  }
  return true;
}

int Outside::waiting(const std::string& kind) const {
  const auto found = waiting_by_kind_.find(kind);
  return found == waiting_by_kind_.end() ? 0 : found->second;
}

int Outside::count(const std::string& kind) const {
  const auto found = by_kind_.find(kind);
  return found == by_kind_.end() ? 0 : found->second;
}

std::vector<TaskPtr> Outside::take_unstarted_back() {
  std::vector<TaskPtr> out{waiting_.begin(), waiting_.end()};
  waiting_.clear();
  waiting_by_kind_.clear();
  return out;
}

void Outside::abandon_all() {
  std::set<AsyncHandler*> handlers;
  for (const auto& task : tasks_) {
    task->abandoned = true;
    task->stop.request_stop();  // who waits for the database with its answer
    handlers.insert(services_.handlers.at(task->claimed.job.kind).async());
  }
  for (auto* handler : handlers) handler->look_for_abandoned();
}

}  // namespace outbox::engine
