// SQL of the finish of many external jobs.
#include "store/finish_batch.hpp"

#include <algorithm>
#include <map>

#include "observe/fault_point.hpp"
#include "pg/array.hpp"
#include "pg/session.hpp"
#include "store/kept_detail.hpp"
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

// As finish_batch_history, for a batch in which a job has a detail; $5 has NULL for the others.
constexpr pg::Statement kFinishBatchDetail{"finish_batch_detail",
                                           R"(/* outbox:finish_batch_detail */
WITH d AS (
  DELETE FROM outbox.jobs j USING unnest($1::tid[], $2::bigint[], $3::int[], $5::text[]) AS u (tid, id, token, detail)
   WHERE j.ctid = u.tid AND j.id + 0 = u.id AND j.claim_token = u.token AND j.claimed_by = $4::int
  RETURNING j.*, u.detail AS got),
h AS (
  INSERT INTO outbox.finished_jobs (slot, priority, attempt, crashes, processor_id, id, created_at, run_at, started_at, finished_at,
                                    queue, kind, unique_key, payload, headers, detail)
  SELECT outbox.day_slot(clock_timestamp()), d.priority, d.attempt, d.crashes, $4::int, d.id, d.created_at, d.run_at, d.claimed_at,
         clock_timestamp(), d.queue, d.kind, d.unique_key, d.payload, d.headers, d.got::jsonb
    FROM d)
SELECT array_agg(d.id), array_agg(d.claim_token) FROM d)"};

// The same by id (jobs_pkey, one descent each), for the few rows that something else has updated
// since the claim. $5: details in the order of the ids; '{}' when there is none.
constexpr pg::Statement kFinishBatchMoved{"finish_batch_moved", R"(/* outbox:finish_batch_moved */
WITH d AS (
  DELETE FROM outbox.jobs j
   WHERE j.id = ANY ($1::bigint[]) AND j.claim_token = ($2::int[])[array_position($1::bigint[], j.id)] AND j.claimed_by = $3::int
  RETURNING j.*),
h AS (
  INSERT INTO outbox.finished_jobs (slot, priority, attempt, crashes, processor_id, id, created_at, run_at, started_at, finished_at,
                                    queue, kind, unique_key, payload, headers, detail)
  SELECT outbox.day_slot(clock_timestamp()), d.priority, d.attempt, d.crashes, $3::int, d.id, d.created_at, d.run_at, d.claimed_at,
         clock_timestamp(), d.queue, d.kind, d.unique_key, d.payload, d.headers,
         ($5::text[])[array_position($1::bigint[], d.id)]::jsonb
    FROM d WHERE $4::boolean)
SELECT array_agg(d.id), array_agg(d.claim_token) FROM d)"};

void collect(const pqxx::result& result, FinishedClaims& finished) {
  const auto ids = pg::ints(pg::text(result[0][0]));
  const auto tokens = pg::ints(pg::text(result[0][1]));
  for (std::size_t i = 0; i < ids.size(); ++i) finished[ids[i]] = static_cast<int>(tokens[i]);
}

enum class Details { kept, left_out };

std::string details_of(const std::vector<FinishClaim>& claims, Details details) {
  std::vector<std::string> out;
  for (const auto& one : claims)
    out.push_back(details == Details::kept ? kept_detail(one.detail) : std::string{});
  return pg::text_array(out, pg::Empty::is_null);
}

pqxx::result finish_in_place(Database& database, int processor,
                             const std::vector<FinishClaim>& claims, bool history,
                             Details details) {
  std::vector<std::string> places;
  std::vector<std::int64_t> ids;
  std::vector<std::int64_t> tokens;
  for (const auto& [claimed, detail] : claims) {
    places.push_back(claimed->ctid);
    ids.push_back(claimed->job.id);
    tokens.push_back(claimed->claim_token);
  }
  auto& session = database.session();
  const auto at = pg::text_array(places);
  if (details == Details::kept) {
    return session.run(kFinishBatchDetail, at, pg::int_array(ids), pg::int_array(tokens), processor,
                       details_of(claims, details));
  }
  return session.run(history ? kFinishBatchHistory : kFinishBatch, at, pg::int_array(ids),
                     pg::int_array(tokens), processor);
}

/// Those that something else has updated since the claim.
void finish_moved(Database& database, int processor, const std::vector<FinishClaim>& claims,
                  bool history, Details details, FinishedClaims& done) {
  std::map<std::int64_t, FinishClaim>
      latest;  // of two claims of one job only the later may hold it
  for (const auto& one : claims) {
    const auto& claimed = *one.claimed;
    if (done.count(claimed.job.id) > 0) continue;
    auto& slot = latest[claimed.job.id];
    if (slot.claimed == nullptr || slot.claimed->claim_token < claimed.claim_token) slot = one;
  }
  if (latest.empty()) return;
  std::vector<std::int64_t> ids;
  std::vector<std::int64_t> tokens;
  std::vector<FinishClaim> moved;
  for (const auto& [id, one] : latest) {
    ids.push_back(id);
    tokens.push_back(one.claimed->claim_token);
    moved.push_back(one);
  }
  collect(database.session().run(kFinishBatchMoved, pg::int_array(ids), pg::int_array(tokens),
                                 processor, history,
                                 details == Details::kept ? details_of(moved, details) : "{}"),
          done);
}

/// A refused detail must not keep the jobs from being finished.
template <class Write>
void unless_refused(Details& details, Write&& write) {
  try {
    return write();
  } catch (const core::DbError& e) {
    if (details == Details::left_out || !refused_value(e)) throw;
    details = Details::left_out;
  }
  write();
}

}  // namespace

FinishedClaims finish_batch(Database& database, int processor,
                            const std::vector<FinishClaim>& claims, bool history) {
  observe::fault_point("finish.before", database.socket());
  const bool any = history && std::any_of(claims.begin(), claims.end(),
                                          [](const auto& one) { return !one.detail.empty(); });
  auto details = any ? Details::kept : Details::left_out;
  FinishedClaims done;
  unless_refused(details, [&] {
    collect(finish_in_place(database, processor, claims, history, details), done);
  });
  observe::fault_point("finish.after", database.socket());
  unless_refused(details,
                 [&] { finish_moved(database, processor, claims, history, details, done); });
  return done;
}

std::vector<pg::Statement> finish_batch_statements() {
  return {kFinishBatch, kFinishBatchHistory, kFinishBatchDetail, kFinishBatchMoved};
}

}  // namespace outbox::store
