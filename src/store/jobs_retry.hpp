// Runs jobs again because a person asked for it: dead letters come back to life, scheduled jobs
// become due. What people do from psql (outbox.retry, outbox.retry_matching of migration 0004) and
// from here is the same.
#pragma once

#include <string>
#include <vector>

#include "store/database.hpp"
#include "store/stated.hpp"

namespace outbox::store {

/// What became of the wish; only the first two changed anything.
enum class RetryEnd {
  requeued,   ///< It was dead; it lives again under the same id, with a fresh budget.
  hastened,   ///< It was scheduled or retrying; it is due now.
  waiting,    ///< It is due already.
  claimed,    ///< Refused: a processor runs it.
  stranded,   ///< Refused: its processor is dead; it will be rescued without help.
  finished,   ///< Refused: it has finished.
  twin,       ///< Refused: a live job holds its unique_key.
  not_found,  ///< No table has the id.
};

struct Retried {
  RetryEnd end{RetryEnd::not_found};
  std::string result;   ///< The same as one word, for programs.
  std::string message;  ///< The same for people.
  std::int64_t twin{};  ///< The live job that holds the unique_key.
  int processor{};      ///< Who claims it, for claimed and stranded.
  std::string holder;   ///< Its name; may be empty.
};

/// A requeued job keeps id, payload, priority, max_attempts and failures; attempt and crashes start
/// at 0, and an expires_at that has passed is dropped. Throws core::DbError; busy when its row
/// stays locked for 2 s.
[[nodiscard]] Retried jobs_retry(Database& database, std::int64_t id, const Stated& stated = {});

struct DeadFilter {
  std::string queue{};        ///< Empty: any.
  std::string kind{};         ///< Empty: any.
  std::string error{};        ///< ILIKE pattern on last_error; empty: any.
  std::string since{};        ///< Died at this moment or later, as PostgreSQL reads it; empty: any.
  std::string until{};        ///< Died before; empty: any.
  std::int64_t limit{1'000};  ///< Most dead letters to look at; at least 1.
  bool preview{};             ///< Change nothing; say what would happen.
};

struct RetriedAll {
  struct Job {
    std::int64_t id{};
    std::string result;
    std::string message;
  };
  std::int64_t requeued{};
  std::int64_t skipped{};       ///< Stayed dead, because a live job holds their unique_key.
  bool more{};                  ///< The limit ended it.
  std::vector<Job> would_be{};  ///< Only of a preview.
};

/// Lowest ids first, 500 in a transaction, so that an error leaves whole batches behind. Throws
/// core::DbError.
[[nodiscard]] RetriedAll jobs_retry_dead(Database& database, const DeadFilter& filter,
                                         const Stated& stated = {});

}  // namespace outbox::store
