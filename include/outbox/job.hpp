// What a handler sees of a job: a plain value, safe to copy and to keep.
#pragma once

#include <cstdint>
#include <string>

namespace outbox {

/// One job as it was claimed. Thread contract: a value; share it as any other.
struct Job {
  std::int64_t id{};       ///< outbox.jobs.id; stable over retries: use it as idempotency key.
  std::string queue;       ///< 1 to 63 characters.
  std::string kind;        ///< Which handler; 1 to 63 characters.
  std::string payload;     ///< JSON text, at most 1 MiB unless the DBA raised the limit.
  std::string headers;     ///< JSON object as text; "{}" when the producer gave none.
  std::string unique_key;  ///< Empty when the producer gave none.
  int priority{};          ///< 0 (first) to 3 (last).
  int attempt{};           ///< 1 for the first try. Snoozes, releases and crashes do not count.
  int max_attempts{};      ///< 1 to 1000.
};

}  // namespace outbox
