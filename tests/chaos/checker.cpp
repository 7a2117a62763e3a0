// One function for each rule, or for those that share an index.
#include "chaos/checker.hpp"

#include <algorithm>
#include <unordered_map>

namespace outbox::chaos {

namespace {

std::string text(const Key& key) {
  return "row " + std::to_string(key.producer) + "/" + std::to_string(key.seq);
}
std::string text(const Business& row) {
  return text(row.key) + ", job " + std::to_string(row.job_id);
}

struct KeyHash {
  std::size_t operator()(const Key& key) const {
    return std::hash<std::int64_t>{}(key.seq * 1'000 + key.producer);
  }
};

class Judge {
 public:
  explicit Judge(const History& history) : history_{history} {
    for (const auto& row : history.business) {
      rows_.emplace(row.key, &row);
      kinds_.emplace(row.job_id, row.outside);
    }
  }

  Report judge() {
    look_for_emptiness();
    compare_transactions();
    compare_effects();
    check_order();
    compare_ends();
    look_for_late_starts();
    return std::move(report_);
  }

 private:
  void broken(std::string rule, std::string witness) {
    report_.violations.push_back({std::move(rule), std::move(witness)});
  }

  void look_for_emptiness() {
    const auto acknowledged =
        std::count_if(history_.transactions.begin(), history_.transactions.end(),
                      [](const auto& t) { return t.outcome == Outcome::ok; });
    if (acknowledged == 0) broken("empty", "no transaction was acknowledged");
    if (history_.effects.empty() && history_.outside_effects.empty())
      broken("empty", "nothing took effect");
  }

  /// A job exists if and only if its transaction committed, and all of a transaction or nothing.
  void compare_transactions() {
    std::size_t known = 0;
    for (const auto& transaction : history_.transactions) {
      int there = 0;
      auto key = transaction.first;
      for (int i = 0; i < transaction.count; ++i, ++key.seq) there += rows_.count(key) > 0 ? 1 : 0;
      known += static_cast<std::size_t>(there);
      const auto name = text(transaction.first);
      switch (transaction.outcome) {
        case Outcome::ok:
          report_.counts["acknowledged"] += transaction.count;
          if (there < transaction.count) broken("lost", name + ": acknowledged, but not stored");
          break;
        case Outcome::undone:
          report_.counts["rolled_back"] += transaction.count;
          if (there > 0) broken("phantom", name + ": rolled back, but stored");
          break;
        case Outcome::unknown:
          report_.counts["unknown"] += transaction.count;
          if (there > 0 && there < transaction.count) broken("torn", name + ": stored in part");
          break;
      }
    }
    if (known != rows_.size())
      broken("phantom", std::to_string(rows_.size() - known) + " rows that no producer made");
  }

  void compare_effects() {
    std::unordered_map<Key, int, KeyHash> seen;
    for (const auto* effects : {&history_.effects, &history_.outside_effects}) {
      for (const auto& effect : *effects) {
        const auto row = rows_.find(effect.key);
        if (row == rows_.end()) {
          broken("phantom", text(effect.key) + ": an effect, but no such row");
        } else if (row->second->job_id != effect.job_id) {
          broken("message_id", text(*row->second) + ": ran as " + std::to_string(effect.job_id));
        }
        ++seen[effect.key];
      }
    }
    for (const auto& row : history_.business) {
      const auto found = seen.find(row.key);
      const int times = found == seen.end() ? 0 : found->second;
      report_.counts[row.outside ? "outside_jobs" : "transactional_jobs"] += 1;
      if (row.outside) report_.counts["outside_repeated"] += std::max(0, times - 1);
      if (times == 0) broken("lost", text(row) + ": took no effect");
      if (times > 1 && !row.outside)
        broken("doubled", text(row) + ": took effect " + std::to_string(times) + " times");
    }
  }

  void check_order() {
    std::unordered_map<std::int64_t, int> last_attempt;
    for (const auto& effect : history_.outside_effects) {
      auto& last = last_attempt[effect.job_id];
      if (effect.attempt < last)
        broken("order", text(effect.key) + ": attempt " + std::to_string(effect.attempt) +
                            " ran after attempt " + std::to_string(last));
      last = effect.attempt;
    }
    std::vector<const Effect*> ordered;
    for (const auto& effect : history_.effects) {
      if (!effect.ordering_key.empty()) ordered.push_back(&effect);
    }
    std::stable_sort(ordered.begin(), ordered.end(),
                     [](const auto* a, const auto* b) { return a->at_us < b->at_us; });
    std::unordered_map<std::string, std::int64_t> last_job;
    for (const auto* effect : ordered) {
      auto& last = last_job[effect->ordering_key];
      if (effect->job_id < last)
        broken("order", "ordering key '" + effect->ordering_key + "': job " +
                            std::to_string(effect->job_id) + " ran after job " +
                            std::to_string(last));
      last = effect->job_id;
    }
  }

  void compare_ends() {
    std::unordered_map<std::int64_t, int> ended;
    for (const auto& end : history_.ends) {
      if (kinds_.count(end.job_id) == 0) continue;  // not made by a producer: the scenario's own
      const auto name = "job " + std::to_string(end.job_id);
      ended_at_[end.job_id] = end.ended_at_us;
      if (++ended[end.job_id] > 1) broken("end", name + ": in two places");
      if (end.state != "finished") broken("end", name + ": " + end.state);
      if (end.attempt != end.failures + 1)
        broken("accounts", name + ": attempt " + std::to_string(end.attempt) + ", but " +
                               std::to_string(end.failures) + " failures");
      if (end.crashes != end.crash_failures)
        broken("accounts", name + ": " + std::to_string(end.crashes) + " crashes, but " +
                               std::to_string(end.crash_failures) + " recorded");
      report_.counts["failures"] += end.failures;
      report_.counts["crashes"] += end.crashes;
    }
    for (const auto& row : history_.business) {
      if (ended.count(row.job_id) == 0) broken("end", text(row) + ": is nowhere");
    }
  }

  void look_for_late_starts() {
    for (const auto& start : history_.starts) {
      const auto ended = ended_at_.find(start.job_id);
      if (ended != ended_at_.end() && ended->second != 0 && start.at_us > ended->second)
        broken("again", text(start.key) + ": job " + std::to_string(start.job_id) + " started " +
                            std::to_string(start.at_us - ended->second) + " us after its end");
    }
    if (!history_.starts.empty())
      report_.counts["starts"] = static_cast<std::int64_t>(history_.starts.size());
  }

  const History& history_;
  std::unordered_map<std::int64_t, std::int64_t> ended_at_;
  std::unordered_map<Key, const Business*, KeyHash> rows_;
  std::unordered_map<std::int64_t, bool> kinds_;
  Report report_;
};

}  // namespace

Report check(const History& history) { return Judge{history}.judge(); }

}  // namespace outbox::chaos
