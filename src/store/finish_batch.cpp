// SQL of the finish of many external jobs.
#include "store/finish_batch.hpp"

#include "observe/fault_point.hpp"
#include "pg/array.hpp"
#include "pg/session.hpp"
#include "store/statements.hpp"

namespace outbox::store {

namespace {

// A TID scan for each row of the arrays. Locks: the rows deleted. Id and token make sure that it is
// still that row and claim; `id + 0`, because a join on id would make a walk of all of jobs_pkey
// look cheap while the statistics say that the table is empty. Without history no column of the
// job is read back.
constexpr pg::Statement kFinishBatch{"finish_batch", R"(/* outbox:finish_batch */
WITH d AS (
  DELETE FROM outbox.jobs j USING unnest($1::tid[], $2::bigint[], $3::int[]) AS u (tid, id, token)
   WHERE j.ctid = u.tid AND j.id + 0 = u.id AND j.claim_token = u.token AND j.claimed_by = $4::int
  RETURNING j.id, j.claim_token)
SELECT array_agg(d.id), array_agg(d.claim_token) FROM d)"};

constexpr pg::Statement kFinishBatchHistory{"finish_batch_history",
                                            R"(/* outbox:finish_batch_history */
WITH d AS (
  DELETE FROM outbox.jobs j USING unnest($1::tid[], $2::bigint[], $3::int[]) AS u (tid, id, token)
   WHERE j.ctid = u.tid AND j.id + 0 = u.id AND j.claim_token = u.token AND j.claimed_by = $4::int
  RETURNING j.*),
h AS (
  INSERT INTO outbox.finished_jobs (slot, priority, attempt, crashes, processor_id, id, created_at, run_at, started_at, finished_at,
                                    queue, kind, unique_key, payload, headers)
  SELECT outbox.day_slot(clock_timestamp()), d.priority, d.attempt, d.crashes, $4::int, d.id, d.created_at, d.run_at, d.claimed_at,
         clock_timestamp(), d.queue, d.kind, d.unique_key, d.payload, d.headers
    FROM d)
SELECT array_agg(d.id), array_agg(d.claim_token) FROM d)"};

// The same by id (jobs_pkey, one descent each), for the few rows that something else has updated
// since the claim.
constexpr pg::Statement kFinishBatchMoved{"finish_batch_moved", R"(/* outbox:finish_batch_moved */
WITH d AS (
  DELETE FROM outbox.jobs j
   WHERE j.id = ANY ($1::bigint[]) AND j.claim_token = ($2::int[])[array_position($1::bigint[], j.id)] AND j.claimed_by = $3::int
  RETURNING j.*),
h AS (
  INSERT INTO outbox.finished_jobs (slot, priority, attempt, crashes, processor_id, id, created_at, run_at, started_at, finished_at,
                                    queue, kind, unique_key, payload, headers)
  SELECT outbox.day_slot(clock_timestamp()), d.priority, d.attempt, d.crashes, $3::int, d.id, d.created_at, d.run_at, d.claimed_at,
         clock_timestamp(), d.queue, d.kind, d.unique_key, d.payload, d.headers
    FROM d WHERE $4::boolean)
SELECT array_agg(d.id), array_agg(d.claim_token) FROM d)"};

void collect(const pqxx::result& result, FinishedClaims& finished) {
  const auto ids = pg::ints(pg::text(result[0][0]));
  const auto tokens = pg::ints(pg::text(result[0][1]));
  for (std::size_t i = 0; i < ids.size(); ++i) finished[ids[i]] = static_cast<int>(tokens[i]);
}

}  // namespace

FinishedClaims finish_batch(Database& database, int processor,
                            const std::vector<const Claimed*>& claims, bool history) {
  observe::fault_point("finish.before", database.socket());
  std::vector<std::string> places;
  std::vector<std::int64_t> ids;
  std::vector<std::int64_t> tokens;
  for (const auto* claimed : claims) {
    places.push_back(claimed->ctid);
    ids.push_back(claimed->job.id);
    tokens.push_back(claimed->claim_token);
  }
  auto& session = database.session();
  FinishedClaims done;
  collect(session.run(history ? kFinishBatchHistory : kFinishBatch, pg::text_array(places),
                      pg::int_array(ids), pg::int_array(tokens), processor),
          done);
  observe::fault_point("finish.after", database.socket());
  LatestClaims moved;
  for (const auto* claimed : claims) {
    if (done.count(claimed->job.id) == 0) moved.add(*claimed);
  }
  if (!moved.empty()) {
    collect(session.run(kFinishBatchMoved, moved.ids(), moved.tokens(), processor, history), done);
  }
  return done;
}

std::vector<pg::Statement> finish_batch_statements() {
  return {kFinishBatch, kFinishBatchHistory, kFinishBatchMoved};
}

}  // namespace outbox::store
