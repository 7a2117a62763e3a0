// Enqueues one job for a person, through the same function that applications call.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "store/database.hpp"

namespace outbox::store {

/// Empty texts and nothing mean the default of outbox.enqueue.
struct NewJob {
  std::string kind{};
  std::string payload{};  ///< JSON text.
  std::string headers{};  ///< JSON text of an object.
  std::string queue{};
  std::optional<int> priority{};
  std::string run_at{};  ///< As PostgreSQL reads a timestamptz; not together with delay.
  std::optional<std::chrono::milliseconds> delay{};
  std::optional<int> max_attempts{};
  std::string unique_key{};
  std::string expires_at{};  ///< As PostgreSQL reads a timestamptz.
};

struct Enqueued {
  std::int64_t id{};
  bool created{};  ///< false: a live job has this kind and unique_key, and this is its id.
};

/// No text may hold a NUL byte. Throws core::DbError; rejected when a CHECK constraint or a
/// conversion refuses it.
[[nodiscard]] Enqueued jobs_enqueue(Database& database, const NewJob& job);

}  // namespace outbox::store
