// Reads the columns of outbox.job_states; only for the verbs of store/.
#pragma once

#include "pg/compat.hpp"
#include "store/job_summary.hpp"

/// The columns that read_summary() expects first in a row, of a job_states named s.
#define OUTBOX_SUMMARY_COLUMNS \
  "s.id, s.state, s.queue, s.kind, s.priority, s.attempt, s.max_attempts, "                      \
  "s.crashes, " OUTBOX_MOMENT("s.created_at") ", " OUTBOX_MOMENT("s.run_at") ", " OUTBOX_MOMENT( \
      "s.claimed_at") ", " OUTBOX_MOMENT("s.ended_at") ", s.claimed_by, s.unique_key, "          \
                                                       "s.last_error"

namespace outbox::store {

inline constexpr int kSummaryColumns = 15;

template <class Row>
JobSummary read_summary(const Row& row) {
  JobSummary job;
  job.id = row[0].template as<std::int64_t>();
  job.state = pg::text(row[1]);
  job.queue = pg::text(row[2]);
  job.kind = pg::text(row[3]);
  job.priority = row[4].template as<int>();
  job.attempt = row[5].template as<int>();
  job.max_attempts = pg::maybe<int>(row[6]);
  job.crashes = row[7].template as<int>();
  job.created_at = Moment{std::chrono::microseconds{row[8].template as<std::int64_t>()}};
  job.run_at = Moment{std::chrono::microseconds{row[9].template as<std::int64_t>()}};
  job.claimed_at = to_moment(pg::maybe<std::int64_t>(row[10]));
  job.ended_at = to_moment(pg::maybe<std::int64_t>(row[11]));
  job.processor = pg::maybe<int>(row[12]);
  job.unique_key = pg::text(row[13]);
  job.last_error = pg::text(row[14]);
  return job;
}

}  // namespace outbox::store
