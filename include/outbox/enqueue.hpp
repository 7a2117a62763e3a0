// Inserting jobs from C++, inside the caller's own transaction: the job exists if and only if that
// transaction commits.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace pqxx {
class transaction_base;
}

namespace outbox {

/// A job to insert. Only `kind` is needed. Bounds are the database's: see outbox.enqueue.
struct NewJob {
  std::string kind;              ///< 1 to 63 characters.
  std::string payload{"{}"};     ///< JSON text, at most 1 MiB; no NUL.
  std::string queue{"default"};  ///< 1 to 63 characters.
  int priority{1};               ///< 0 (first) to 3 (last).
  std::optional<std::chrono::milliseconds>
      delay{};               ///< Not before so long after now, by the database's clock.
  int max_attempts{20};      ///< 1 to 1000.
  std::string unique_key{};  ///< At most one live job for each kind and key; empty: none.
  std::optional<std::chrono::milliseconds> expires_after{};  ///< Not started by then: dead letter.
  std::string headers{};                                     ///< JSON object as text; empty: none.
};

struct Enqueued {
  std::int64_t id{};  ///< Of the new job, or of the live one that has its unique_key.
  bool created{};     ///< False: a live job has this kind and unique_key.
};

/// Throws pqxx::sql_error for a job that the database refuses, std::invalid_argument for a NUL in a
/// text. Uses only `tx`.
Enqueued enqueue(pqxx::transaction_base& tx, const NewJob& job);

/// Throws as enqueue() does; then nothing is inserted after the one that was refused, and the
/// transaction is to be rolled back.
std::vector<Enqueued> enqueue_many(pqxx::transaction_base& tx, const std::vector<NewJob>& jobs);

}  // namespace outbox
