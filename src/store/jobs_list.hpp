// Lists jobs for people: newest first, of every table, page by page.
#pragma once

#include <vector>

#include "store/database.hpp"
#include "store/job_summary.hpp"

namespace outbox::store {

struct JobFilter {
  std::string queue{};   ///< Empty: any.
  std::string kind{};    ///< Empty: any.
  std::string state{};   ///< Empty: any; else one of kJobStates.
  std::int64_t after{};  ///< Only jobs that come after this id in the list, so with lower ids; 0:
                         ///< from the start.
  int limit{50};         ///< 1 to 1000.
};

struct JobPage {
  std::vector<JobSummary> jobs;  ///< By id, highest first.
  /// Where to go on, as JobFilter::after; 0: that was all. May be set although `jobs` is short:
  /// looking stops after about two seconds, so that a rare job in a long history costs many small
  /// calls instead of one that hurts.
  std::int64_t next{};
  Moment now;  ///< The database's clock.
};

/// Throws core::DbError. Bounded: walks windows of ids and stops after about two seconds.
[[nodiscard]] JobPage jobs_list(Database& database, const JobFilter& filter);

}  // namespace outbox::store
