// Lays out queues.
#include "cli/queue_text.hpp"

namespace outbox::cli {

std::string count_text(std::int64_t count, bool capped) {
  return std::to_string(count) + (capped && count > 0 ? "+" : "");
}

std::string queues_text(const std::vector<store::QueueStatus>& statuses) {
  if (statuses.empty()) return "no queues: no job and no processor has named one\n";
  using Align = Table::Align;
  Table table{{{"QUEUE"},
               {"WAITING", Align::right},
               {"OLDEST", Align::right},
               {"SCHEDULED", Align::right},
               {"RETRYING", Align::right},
               {"CLAIMED", Align::right},
               {"STRANDED", Align::right},
               {"PAUSED"}}};
  for (const auto& status : statuses) {
    table.add({status.name, count_text(status.waiting, status.capped),
               status.waiting > 0 ? duration(status.oldest_wait_seconds) : "-",
               count_text(status.scheduled, status.capped),
               count_text(status.retrying, status.capped), std::to_string(status.claimed),
               std::to_string(status.stranded),
               status.paused_at ? "since " + iso(*status.paused_at) : "no"});
  }
  return table.text();
}

Json queue_json(const store::QueueStatus& status) {
  return {{"queue", status.name},          {"paused_at", json_moment(status.paused_at)},
          {"waiting", status.waiting},     {"oldest_wait_seconds", status.oldest_wait_seconds},
          {"scheduled", status.scheduled}, {"retrying", status.retrying},
          {"claimed", status.claimed},     {"stranded", status.stranded},
          {"capped", status.capped}};
}

}  // namespace outbox::cli
