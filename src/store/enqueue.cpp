// The public enqueue: a call of outbox.enqueue in the caller's transaction.
#include <algorithm>
#include <stdexcept>

#include <nlohmann/json.hpp>

#include <outbox/enqueue.hpp>

#include "pg/compat.hpp"

namespace outbox {

namespace {

// Index: jobs_unique_key_idx when there is a unique_key. Everything is checked by the table's
// constraints.
constexpr const char* kEnqueue = R"(/* outbox:enqueue */
SELECT id, created
  FROM outbox.enqueue($1, $2::jsonb, $3, $4::int, NULL, $5::bigint * interval '1 millisecond', $6::int, nullif($7, ''),
                      clock_timestamp() + $8::bigint * interval '1 millisecond', nullif($9, '')::jsonb))";

// One round trip for up to kManyMax jobs; the function takes 10000, but a long array is a long
// statement.
constexpr const char* kEnqueueMany = R"(/* outbox:enqueue_many */
SELECT ordinal, id, created FROM outbox.enqueue_many($1::jsonb))";
constexpr std::size_t kManyMax = 1'000;

// libpqxx 6.4 cuts a parameter at its first NUL: refuse it instead.
void refuse_nul(const std::string& text, const char* what) {
  if (text.find('\0') == std::string::npos) return;
  throw std::invalid_argument{std::string{"outbox: "} + what +
                              " has a NUL byte, which PostgreSQL cannot store"};
}

std::optional<std::int64_t> ms(const std::optional<std::chrono::milliseconds>& duration) {
  if (!duration) return std::nullopt;
  return std::int64_t{duration->count()};
}

/// JSON texts are embedded as they are, so that numbers keep their digits; hence they must be
/// checked here.
std::string checked_json(const std::string& text, const char* what) {
  refuse_nul(text, what);
  if (!nlohmann::json::accept(text))
    throw std::invalid_argument{std::string{"outbox: "} + what + " is not JSON"};
  return text;
}

std::string as_json(const NewJob& job) {
  const auto quoted = [](const std::string& text, const char* what) {
    refuse_nul(text, what);
    return nlohmann::json(text).dump();
  };
  const auto interval = [](std::chrono::milliseconds duration) {
    return '"' + std::to_string(duration.count()) + " milliseconds\"";
  };
  std::string out = "{\"kind\":" + quoted(job.kind, "kind") +
                    ",\"payload\":" + checked_json(job.payload, "payload") +
                    ",\"queue\":" + quoted(job.queue, "queue") +
                    ",\"priority\":" + std::to_string(job.priority) +
                    ",\"max_attempts\":" + std::to_string(job.max_attempts);
  if (job.delay) out += ",\"delay\":" + interval(*job.delay);
  if (job.expires_after) out += ",\"expires_after\":" + interval(*job.expires_after);
  if (!job.unique_key.empty()) out += ",\"unique_key\":" + quoted(job.unique_key, "unique_key");
  if (!job.headers.empty()) out += ",\"headers\":" + checked_json(job.headers, "headers");
  return out + "}";
}

}  // namespace

Enqueued enqueue(pqxx::transaction_base& tx, const NewJob& job) {
  refuse_nul(job.kind, "kind");
  refuse_nul(job.payload, "payload");
  refuse_nul(job.queue, "queue");
  refuse_nul(job.unique_key, "unique_key");
  refuse_nul(job.headers, "headers");
  const auto result =
      pg::exec_params(tx, kEnqueue, job.kind, job.payload, job.queue, job.priority, ms(job.delay),
                      job.max_attempts, job.unique_key, ms(job.expires_after), job.headers);
  return {result[0][0].as<std::int64_t>(), result[0][1].as<bool>()};
}

std::vector<Enqueued> enqueue_many(pqxx::transaction_base& tx, const std::vector<NewJob>& jobs) {
  std::vector<Enqueued> out(jobs.size());
  for (std::size_t start = 0; start < jobs.size(); start += kManyMax) {
    const std::size_t end = std::min(jobs.size(), start + kManyMax);
    std::string array{"["};
    for (std::size_t i = start; i < end; ++i)
      array.append(i > start ? "," : "").append(as_json(jobs[i]));
    for (const auto& row : pg::exec_params(tx, kEnqueueMany, array += ']')) {
      const auto place = start + row[0].as<std::size_t>() - 1;
      // No id: the live job with this key ended meanwhile; enqueue() looks again.
      out[place] = row[1].is_null() ? enqueue(tx, jobs[place])
                                    : Enqueued{row[1].as<std::int64_t>(), row[2].as<bool>()};
    }
  }
  return out;
}

}  // namespace outbox
