// What people see of a job in a list: one row of the view outbox.job_states. Values only.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "store/moment.hpp"

namespace outbox::store {

/// The words of outbox.job_states.state, live ones first.
inline constexpr std::array<std::string_view, 8> kJobStates{
    "waiting", "scheduled", "retrying", "paused", "claimed", "stranded", "dead", "finished"};

struct JobSummary {
  std::int64_t id{};
  std::string state;  ///< One of kJobStates.
  std::string queue;
  std::string kind;
  int priority{};
  int attempt{};
  std::optional<int> max_attempts;  ///< Not kept for finished jobs.
  int crashes{};
  Moment created_at;
  Moment run_at;
  std::optional<Moment> claimed_at;
  std::optional<Moment> ended_at;
  std::optional<int> processor;  ///< Who runs, ran or gave it up.
  std::string unique_key;        ///< Empty: none.
  std::string last_error;        ///< For a dead job with its reason in front.
};

}  // namespace outbox::store
