// The rules between the two lanes.
#include "engine/lane_plan.hpp"

#include <algorithm>

namespace outbox::engine {

LanePlan::LanePlan(std::string queue, const HandlerTable& handlers, observe::Events& events)
    : queue_{std::move(queue)}, handlers_{handlers}, events_{events} {
  for (const auto& [kind, handler] : handlers) {
    auto& state = kinds_[kind];
    state.lane = handler.options.lane;
    state.sql = handler.is_sql();
  }
  rebuild();
}

void LanePlan::rebuild() {
  std::vector<store::DirectKind> direct;
  claimed_.clear();
  all_kinds_.clear();
  for (const auto& [name, kind] : kinds_) {
    if (kind.paused) continue;
    all_kinds_.push_back(name);
    const bool brief = handlers_.at(name).options.timeout < core::kDirectTimeoutLeast;
    if (!kind.sql || kind.lane == core::Lane::claimed ||
        (kind.lane == core::Lane::automatic && (kind.slow || brief))) {
      claimed_.push_back(name);
      continue;
    }
    const auto& handler = handlers_.at(name);
    const auto& body = std::get<store::SqlBody>(handler.run);
    direct.push_back({name, body, handler.options.backoff, handler.options.timeout});
  }
  direct_ =
      direct.empty() ? nullptr : std::make_shared<const store::DirectKinds>(std::move(direct));
}

std::shared_ptr<const store::DirectKinds> LanePlan::direct() const {
  const std::lock_guard lock{mutex_};
  return isolated_left_ > 0 ? nullptr : direct_;
}

LanePlan::ClaimedShare LanePlan::claimed() const {
  const std::lock_guard lock{mutex_};
  if (isolated_left_ > 0) return {all_kinds_, true};
  return {claimed_, false};
}

std::vector<std::string> LanePlan::all_kinds() const {
  const std::lock_guard lock{mutex_};
  return all_kinds_;
}

bool LanePlan::set_paused(const std::vector<std::string>& kinds) {
  const std::lock_guard lock{mutex_};
  bool changed = false;
  for (auto& [name, kind] : kinds_) {
    const bool paused = std::find(kinds.begin(), kinds.end(), name) != kinds.end();
    changed = changed || paused != kind.paused;
    kind.paused = paused;
  }
  if (changed) rebuild();
  return changed;
}

void LanePlan::pause(const std::string& kind) {
  const std::lock_guard lock{mutex_};
  const auto found = kinds_.find(kind);
  if (found == kinds_.end() || found->second.paused) return;
  found->second.paused = true;
  rebuild();
}

bool LanePlan::observe(const std::string& kind, core::microseconds ran) {
  const std::lock_guard lock{mutex_};
  const auto found = kinds_.find(kind);
  if (found == kinds_.end()) return false;
  auto& state = found->second;
  state.mean.add(ran);
  if (!state.sql || state.lane != core::Lane::automatic) return false;
  // Hysteresis: a kind comes back only when its jobs have become much shorter.
  const bool slow = state.mean.value() > (state.slow ? core::kSlowJob / 4 : core::kSlowJob);
  if (slow == state.slow) return false;
  state.slow = slow;
  rebuild();
  events_.lane_changed(queue_, kind, slow ? "claimed" : "direct", state.mean.value());
  return true;
}

void LanePlan::isolate(int jobs, std::string_view why) {
  const std::lock_guard lock{mutex_};
  if (direct_ == nullptr) return;
  isolated_left_ = std::max(isolated_left_, jobs);
  events_.isolating(queue_, jobs, why);
}

void LanePlan::isolated_one_done() {
  const std::lock_guard lock{mutex_};
  isolated_left_ = std::max(0, isolated_left_ - 1);
}

void LanePlan::end_isolation() {
  const std::lock_guard lock{mutex_};
  isolated_left_ = 0;
}

}  // namespace outbox::engine
