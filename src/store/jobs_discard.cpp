// SQL of discarding a job by hand.
#include "store/jobs_discard.hpp"

#include "core/limits.hpp"
#include "core/text.hpp"
#include "pg/session.hpp"
#include "store/job_lock.hpp"

namespace outbox::store {

namespace {

// Index: jobs_pkey. Locks: the row, locked before. ON CONFLICT: as when a processor buries it.
// job_failures gets no row: no attempt failed, and no processor took part.
constexpr pg::Statement kDiscard{"jobs_discard", R"(/* outbox:jobs_discard */
WITH j AS (DELETE FROM outbox.jobs j WHERE j.id = $1::bigint RETURNING j.*)
INSERT INTO outbox.dead_jobs (id, created_at, run_at, expires_at, processor_id, priority, attempt, max_attempts, crashes,
                              claim_token, reason, queue, kind, unique_key, payload, headers, last_error)
SELECT j.id, j.created_at, j.run_at, j.expires_at, NULL, j.priority, j.attempt, j.max_attempts, j.crashes,
       j.claim_token, 'discarded', j.queue, j.kind, j.unique_key, j.payload, j.headers,
       'discarded by ' || session_user || coalesce(': ' || nullif($2::text, ''), '')
         || coalesce('; last error: ' || j.last_error, '')
  FROM j
ON CONFLICT (id) DO UPDATE SET died_at = excluded.died_at, reason = excluded.reason, last_error = excluded.last_error)"};

Discarded discard_in(pg::Session& session, pqxx::transaction_base& tx, std::int64_t id,
                     const std::string& why) {
  if (const auto job = lock_job(session, tx, id)) {
    if (job->claimed && !job->stranded) {
      return {.end = DiscardEnd::claimed, .processor = job->claimed_by, .holder = job->holder};
    }
    session.call(tx, kDiscard, id, why);
    return {.end = DiscardEnd::discarded, .processor = 0, .holder = {}};
  }
  const std::string state = job_state(session, tx, id);
  const DiscardEnd end = state == "dead"       ? DiscardEnd::already_dead
                         : state == "finished" ? DiscardEnd::finished
                                               : DiscardEnd::not_found;
  return {.end = end, .processor = 0, .holder = {}};
}

}  // namespace

Discarded jobs_discard(Database& database, std::int64_t id, std::string_view why) {
  pg::Session& session = database.session();
  const std::string text = core::storable(why, core::kLastErrorBytesMax);
  return session.transact(
      [&](pqxx::transaction_base& tx) { return discard_in(session, tx, id, text); });
}

}  // namespace outbox::store
