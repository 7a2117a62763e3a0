// SQL of locking one live job.
#include "store/job_lock.hpp"

namespace outbox::store {

namespace {

constexpr pg::Statement kPatience{"job_lock_patience", R"(/* outbox:job_lock_patience */
SELECT set_config('lock_timeout', '2s', true))"};

// Index: jobs_pkey. Locks: the row. Apart from kLook, because only a statement that starts after
// the lock is had sees the processor that may have claimed the job while we waited.
constexpr pg::Statement kLock{"job_lock", R"(/* outbox:job_lock */
SELECT FROM outbox.jobs j WHERE j.id = $1::bigint FOR UPDATE)"};

// Index: jobs_pkey, processors_pkey. No locks: kLock has it.
constexpr pg::Statement kLook{"job_look", R"(/* outbox:job_look */
SELECT j.claimed_by IS NOT NULL, p.id IS NULL OR p.dead_at IS NOT NULL, coalesce(j.claimed_by, 0),
       j.run_at <= clock_timestamp(), p.name
  FROM outbox.jobs j LEFT JOIN outbox.processors p ON p.id = j.claimed_by
 WHERE j.id = $1::bigint)"};

// Index: jobs_pkey, dead_jobs_pkey, BRIN of the 32 slots. No locks.
constexpr pg::Statement kState{"job_state", R"(/* outbox:job_state */
SELECT s.state FROM outbox.job_states s WHERE s.id = $1::bigint LIMIT 1)"};

}  // namespace

std::optional<LockedJob> lock_job(pg::Session& session, pqxx::transaction_base& tx,
                                  std::int64_t id) {
  session.call(tx, kPatience);
  if (session.call(tx, kLock, id).empty()) return std::nullopt;
  const auto rows = session.call(tx, kLook, id);
  if (rows.empty()) return std::nullopt;
  const auto& row = rows[0];
  LockedJob job;
  job.claimed = row[0].as<bool>();
  job.stranded = job.claimed && row[1].as<bool>();
  job.claimed_by = row[2].as<int>();
  job.due = row[3].as<bool>();
  job.holder = pg::text(row[4]);
  return job;
}

std::string job_state(pg::Session& session, pqxx::transaction_base& tx, std::int64_t id) {
  const auto rows = session.call(tx, kState, id);
  return rows.empty() ? std::string{} : pg::text(rows[0][0]);
}

}  // namespace outbox::store
