// Lays out jobs.
#include "cli/job_text.hpp"

#include "cli/detail_text.hpp"
#include "core/text.hpp"

namespace outbox::cli {

namespace {

using store::JobSummary;
using store::Moment;

constexpr std::size_t kPayloadShown = 4'096;
constexpr std::size_t kErrorShown = 1'024;

std::string tries(const JobSummary& job) {
  return std::to_string(job.attempt) + '/' +
         (job.max_attempts ? std::to_string(*job.max_attempts) : "-");
}

/// The moment that matters most for its state.
std::string what_when(const JobSummary& job, Moment now) {
  if (job.ended_at) return when(*job.ended_at, now);
  if (job.claimed_at) return when(*job.claimed_at, now);
  return when(job.run_at, now);
}

Json summary_json(const JobSummary& job) {
  return {{"id", json_id(job.id)},
          {"state", job.state},
          {"queue", job.queue},
          {"kind", job.kind},
          {"priority", job.priority},
          {"attempt", job.attempt},
          {"max_attempts", job.max_attempts ? Json(*job.max_attempts) : Json(nullptr)},
          {"crashes", job.crashes},
          {"created_at", json_moment(job.created_at)},
          {"run_at", json_moment(job.run_at)},
          {"claimed_at", json_moment(job.claimed_at)},
          {"ended_at", json_moment(job.ended_at)},
          {"processor", job.processor ? Json(*job.processor) : Json(nullptr)},
          {"unique_key", json_text(job.unique_key)},
          {"last_error", json_text(job.last_error)}};
}

class Lines {
 public:
  void add(const std::string& name, const std::string& value, std::size_t most = kErrorShown) {
    text_ += name + std::string(name.size() < 14 ? 14 - name.size() : 1, ' ') +
             core::printable(value, most) + '\n';
  }
  void add(const std::string& name, const std::optional<Moment>& moment, Moment now) {
    if (moment) add(name, when(*moment, now));
  }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string text_;
};

std::string failures_text(const store::JobDetail& detail) {
  if (detail.failures.empty()) return {};
  Table table{{{"FAILED", Table::Align::left, 63},
               {"ATTEMPT", Table::Align::right, 8},
               {"REASON", Table::Align::left, 16},
               {"SQLSTATE", Table::Align::left, 8},
               {"PROCESSOR", Table::Align::right, 12},
               {"ERROR", Table::Align::left, kErrorShown}}};
  for (const auto& failure : detail.failures) {
    table.add({when(failure.failed_at, detail.now), std::to_string(failure.attempt), failure.reason,
               failure.sqlstate.empty() ? "-" : failure.sqlstate, std::to_string(failure.processor),
               failure.error});
  }
  std::string text = '\n' + table.text();
  for (const auto& failure : detail.failures) {
    if (failure.detail.empty()) continue;
    text += "\nattempt " + std::to_string(failure.attempt) + ", " +
            when(failure.failed_at, detail.now) + ":\n" + detail_lines(failure.detail);
  }
  return text;
}

/// null for an empty text. Our own objects: their numbers lose nothing here.
Json parsed(const std::string& detail) {
  if (detail.empty()) return nullptr;
  auto json = Json::parse(detail, nullptr, false);
  return json.is_discarded() ? Json(detail) : json;
}

/// Puts raw JSON text where the document has `"name": null`. That byte sequence cannot be part of a
/// string in it, where quotes are escaped, so the first one found is the member.
void put_raw(std::string& text, const std::string& name, const std::string& raw) {
  if (raw.empty()) return;
  const std::string member = '"' + name + "\": null";
  const auto at = text.find(member);
  if (at != std::string::npos) text.replace(at + member.size() - 4, 4, raw);
}

}  // namespace

std::string list_text(const store::JobPage& page) {
  if (page.jobs.empty() && page.next == 0) return "no jobs\n";
  Table table{{{"ID", Table::Align::right, 20},
               {"STATE", Table::Align::left, 12},
               {"QUEUE", Table::Align::left, 63},
               {"KIND", Table::Align::left, 63},
               {"PRIORITY", Table::Align::right, 2},
               {"TRIES", Table::Align::right, 12},
               {"WHEN", Table::Align::left, 63},
               {"ERROR", Table::Align::left, 100}}};
  for (const auto& job : page.jobs) {
    table.add({std::to_string(job.id), job.state, job.queue, job.kind, std::to_string(job.priority),
               tries(job), what_when(job, page.now), job.last_error});
  }
  std::string text = table.text();
  if (page.next > 0) text += "more: --after " + std::to_string(page.next) + '\n';
  return text;
}

std::string list_json(const store::JobPage& page) {
  Json jobs = Json::array();
  for (const auto& job : page.jobs) jobs.push_back(summary_json(job));
  return document({{"now", json_moment(page.now)},
                   {"jobs", jobs},
                   {"next", page.next > 0 ? json_id(page.next) : Json(nullptr)}});
}

std::string detail_text(const store::JobDetail& detail) {
  const JobSummary& job = detail.job;
  Lines lines;
  lines.add("job", std::to_string(job.id));
  lines.add("state",
            job.state + (detail.suspect
                             ? ", suspect: its last claim ended with its processor; it runs alone"
                             : ""));
  lines.add("queue", job.queue);
  lines.add("kind", job.kind);
  lines.add("priority", std::to_string(job.priority));
  lines.add("tries", tries(job));
  lines.add("crashes", std::to_string(job.crashes));
  lines.add("created", job.created_at, detail.now);
  lines.add("run at", job.run_at, detail.now);
  lines.add(job.state == "finished" ? "started" : "claimed", job.claimed_at, detail.now);
  lines.add(job.state == "dead" ? "died" : "finished", job.ended_at, detail.now);
  lines.add("expires", detail.expires_at, detail.now);
  if (job.processor) {
    lines.add("processor",
              std::to_string(*job.processor) +
                  (detail.processor_name.empty() ? "" : " (" + detail.processor_name + ")"));
  }
  if (!job.unique_key.empty()) lines.add("unique key", job.unique_key);
  if (!job.last_error.empty())
    lines.add(job.state == "dead" ? "reason" : "last error", job.last_error);
  if (!detail.headers.empty()) lines.add("headers", detail.headers, kPayloadShown);
  lines.add("payload", detail.readable ? detail.payload : "not readable by this role",
            kPayloadShown);
  if (detail.payload.size() > kPayloadShown) lines.add("", "(the whole payload: --json)");
  const std::string kept =
      detail.detail.empty() ? "" : "\nwhat its handler got back:\n" + detail_lines(detail.detail);
  return lines.text() + kept + failures_text(detail);
}

std::string detail_json(const store::JobDetail& detail) {
  Json json = summary_json(detail.job);
  json["expires_at"] = json_moment(detail.expires_at);
  json["dead_reason"] = json_text(detail.dead_reason);
  json["suspect"] = detail.suspect;
  json["processor_name"] = json_text(detail.processor_name);
  json["payload_readable"] = detail.readable;
  json["payload"] = nullptr;
  json["headers"] = nullptr;
  json["detail"] = parsed(detail.detail);
  Json failures = Json::array();
  for (const auto& failure : detail.failures) {
    failures.push_back({{"failed_at", json_moment(failure.failed_at)},
                        {"processor", failure.processor},
                        {"attempt", failure.attempt},
                        {"reason", failure.reason},
                        {"sqlstate", json_text(failure.sqlstate)},
                        {"error", failure.error},
                        {"detail", parsed(failure.detail)}});
  }
  json["failures"] = std::move(failures);
  json["now"] = json_moment(detail.now);
  std::string text = document(json);
  put_raw(text, "headers", detail.headers);  // the later one first: the payload may hold anything
  put_raw(text, "payload", detail.payload);
  return text;
}

}  // namespace outbox::cli
