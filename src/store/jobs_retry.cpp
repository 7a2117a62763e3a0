// SQL of retrying jobs by hand.
#include "store/jobs_retry.hpp"

#include <algorithm>

#include "pg/session.hpp"
#include "store/job_lock.hpp"

namespace outbox::store {

namespace {

constexpr std::int64_t kBatch = 500;

// Index: dead_jobs_pkey. Locks: the dead row, which moves. A live twin raises 23505 through
// jobs_unique_key_idx, and the dead letter stays. The token goes on above all old claims, so that a
// zombie's late result finds nothing to overwrite, and in the next ten thousand, because snoozes
// end at every multiple of core::kClaimsMax.
constexpr pg::Statement kRequeue{"jobs_retry", R"(/* outbox:jobs_retry */
WITH d AS (DELETE FROM outbox.dead_jobs d WHERE d.id = $1::bigint RETURNING d.*)
INSERT INTO outbox.jobs (id, created_at, expires_at, claim_token, priority, max_attempts, queue, kind, unique_key, payload,
                         headers, last_error)
OVERRIDING SYSTEM VALUE
SELECT d.id, d.created_at, CASE WHEN d.expires_at > clock_timestamp() THEN d.expires_at END, (d.claim_token / 10000 + 1) * 10000 + 1,
       d.priority, d.max_attempts, d.queue, d.kind, d.unique_key, d.payload, d.headers, d.last_error
  FROM d)"};

// Index: jobs_pkey. Locks: the row, locked before. run_at is indexed, so this is not HOT: people
// are rare.
constexpr pg::Statement kHasten{"jobs_hasten", R"(/* outbox:jobs_hasten */
UPDATE outbox.jobs j SET run_at = clock_timestamp() WHERE j.id = $1::bigint)"};

constexpr pg::Statement kWake{"jobs_retry_wake", "SELECT outbox.wake()"};

// Index: dead_jobs_pkey, then jobs_unique_key_idx. No locks.
constexpr pg::Statement kTwin{"jobs_retry_twin", R"(/* outbox:jobs_retry_twin */
SELECT j.id FROM outbox.dead_jobs d JOIN outbox.jobs j ON j.kind = d.kind AND j.unique_key = d.unique_key
 WHERE d.id = $1::bigint)"};

// Index: dead_jobs_pkey from the cursor on; a rare queue or kind makes it walk the dead letters,
// which retention bounds. Locks: the dead rows picked; SKIP LOCKED, because somebody else retries
// those. ON CONFLICT: a live twin keeps that one dead. Form: one statement, so that a job is never
// in both tables or in neither.
constexpr pg::Statement kRequeueMany{"jobs_retry_dead", R"(/* outbox:jobs_retry_dead */
WITH picked AS MATERIALIZED (
  SELECT d.* FROM outbox.dead_jobs d
   WHERE d.id > $1::bigint AND ($2::text = '' OR d.queue = $2::text) AND ($3::text = '' OR d.kind = $3::text)
   ORDER BY d.id LIMIT $4::bigint FOR UPDATE SKIP LOCKED),
born AS (
  INSERT INTO outbox.jobs (id, created_at, expires_at, claim_token, priority, max_attempts, queue, kind, unique_key, payload,
                           headers, last_error)
  OVERRIDING SYSTEM VALUE
  SELECT d.id, d.created_at, CASE WHEN d.expires_at > clock_timestamp() THEN d.expires_at END, (d.claim_token / 10000 + 1) * 10000 + 1,
         d.priority, d.max_attempts, d.queue, d.kind, d.unique_key, d.payload, d.headers, d.last_error
    FROM picked d ORDER BY d.id
  ON CONFLICT DO NOTHING
  RETURNING id),
gone AS (DELETE FROM outbox.dead_jobs d USING born WHERE d.id = born.id RETURNING d.id)
SELECT (SELECT count(*) FROM picked), (SELECT count(*) FROM gone), (SELECT max(id) FROM picked))"};

Retried from_lock(const LockedJob& job) {
  const RetryEnd end = job.stranded  ? RetryEnd::stranded
                       : job.claimed ? RetryEnd::claimed
                       : job.due     ? RetryEnd::waiting
                                     : RetryEnd::hastened;
  return {.end = end, .twin = 0, .processor = job.claimed_by, .holder = job.holder};
}

Retried retry_in(pg::Session& session, pqxx::transaction_base& tx, std::int64_t id) {
  if (pg::affected(session.call(tx, kRequeue, id)) > 0) {
    session.call(tx, kWake);
    return {.end = RetryEnd::requeued, .twin = 0, .processor = 0, .holder = {}};
  }
  if (const auto job = lock_job(session, tx, id)) {
    Retried retried = from_lock(*job);
    if (retried.end == RetryEnd::hastened) {
      session.call(tx, kHasten, id);
      session.call(tx, kWake);
    }
    return retried;
  }
  const bool finished = job_state(session, tx, id) == "finished";
  return {.end = finished ? RetryEnd::finished : RetryEnd::not_found,
          .twin = 0,
          .processor = 0,
          .holder = {}};
}

}  // namespace

Retried jobs_retry(Database& database, std::int64_t id) {
  pg::Session& session = database.session();
  try {
    return session.transact([&](pqxx::transaction_base& tx) { return retry_in(session, tx, id); });
  } catch (const core::DbError& e) {
    if (e.sqlstate() != "23505") throw;
    const auto twin = session.run(kTwin, id);
    if (twin.empty()) throw;
    return {
        .end = RetryEnd::twin, .twin = twin[0][0].as<std::int64_t>(), .processor = 0, .holder = {}};
  }
}

RetriedAll jobs_retry_dead(Database& database, const DeadFilter& filter) {
  pg::Session& session = database.session();
  RetriedAll all;
  std::int64_t cursor = 0;
  std::int64_t left = filter.limit;
  while (left > 0) {
    const auto batch = std::min(left, kBatch);
    std::int64_t picked = 0;
    std::int64_t requeued = 0;
    session.transact([&](pqxx::transaction_base& tx) {
      const auto rows = session.call(tx, kRequeueMany, cursor, filter.queue, filter.kind, batch);
      picked = rows[0][0].as<std::int64_t>();
      requeued = rows[0][1].as<std::int64_t>();
      if (picked > 0) cursor = rows[0][2].as<std::int64_t>();
      if (requeued > 0) session.call(tx, kWake);
    });
    all.requeued += requeued;
    all.skipped += picked - requeued;
    left -= picked;
    if (picked < batch) return all;
  }
  all.more = true;
  return all;
}

}  // namespace outbox::store
