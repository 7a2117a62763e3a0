// Shows one job, wherever it is, with all its failures.
#pragma once

#include <optional>
#include <vector>

#include "store/database.hpp"
#include "store/job_summary.hpp"

namespace outbox::store {

struct JobFailure {
  Moment failed_at;
  int processor{};
  int attempt{};
  std::string reason;    ///< As in job_failures.reason.
  std::string sqlstate;  ///< Empty when the database did not raise it.
  std::string error;
  std::string detail{};  ///< JSON text, what an external handler got back; empty: none, or not one
                         ///< of the latest kDetailsShown.
};

struct JobDetail {
  JobSummary job;
  bool readable{true};  ///< Whether this role may read payload and headers; if not, both are empty.
  std::string payload;  ///< JSON text.
  std::string headers;  ///< JSON text; empty: none.
  std::optional<Moment> expires_at;
  std::string dead_reason;     ///< As in dead_jobs.reason; empty when it is not dead.
  bool suspect{};              ///< Its last claim ended with its processor; it will run alone.
  std::string processor_name;  ///< Of job.processor, while its row exists.
  std::string detail;          ///< JSON text, what the external handler of a finished job got back;
                               ///< empty: none was kept.
  std::vector<JobFailure> failures;  ///< In order; the latest kFailuresShown when there are more.
  Moment now;                        ///< The database's clock.
};

inline constexpr int kFailuresShown = 1'000;
inline constexpr int kDetailsShown = 100;

/// Nothing when no table has the id. Throws core::DbError.
[[nodiscard]] std::optional<JobDetail> jobs_show(Database& database, std::int64_t id);

}  // namespace outbox::store
