// SQL of the direct lane: exactly once, one round trip, nothing to rescue: a crash anywhere rolls
// the whole group back.
#include "store/direct.hpp"

#include <algorithm>

#include "pg/array.hpp"
#include "pg/session.hpp"
#include "store/statements.hpp"

namespace outbox::store {

namespace {

// Index: jobs_claim_idx as in claim.cpp. Locks: the rows of the group, SKIP LOCKED, until the
// commit. Form, CTE by CTE:
//   s  gives the handlers the server's own planner settings back for this transaction; ours matter
//   only while this statement is
//      planned, and that is over by then.
//   c  the group. MATERIALIZED, so that it is evaluated once; rows are locked one by one while h
//   runs their handlers. h  the handlers behind outbox.guard: a failure undoes only its own job. o
//   what follows: done, retry, snooze or dead. Conflicts and resource faults (40001, 40P01, 53…)
//   cost no attempt. d, u, f, x, y  by ctid, so that no plan can flip; u joins o by ctid
//   (nested loop over a TID scan).
// The trap: d and u see the statement's first snapshot. A row that somebody changed and committed
// after it is locked in its newest version, its handler runs, and d misses it. Hence the last line:
// as many rows must be finished, rescheduled or buried as were handled, or everything is undone
// (40001) and done again.
constexpr pg::Statement kDirect{"direct", R"(/* outbox:direct */
WITH s AS MATERIALIZED (
  SELECT count(set_config(u.name, u.value, true)) FROM unnest($14::text[], $15::text[]) AS u (name, value)),
c AS MATERIALIZED (
  SELECT x.*, array_position($5::text[], x.kind) AS k
    FROM unnest('{0,1,2,3}'::smallint[], $3::bigint[], $4::bigint[]) AS p (priority, run_at_us, id),
         LATERAL (
           SELECT c.ctid AS tid, c.id, c.run_at, c.created_at, c.expires_at, c.claim_token, c.priority, c.attempt, c.max_attempts,
                  c.crashes, c.kind, c.unique_key, c.payload, c.headers
             FROM outbox.jobs c
            WHERE c.queue = $1 AND c.priority = p.priority AND c.run_at <= (SELECT clock_timestamp())
              AND (c.run_at, c.id + 0) >= (coalesce('epoch'::timestamptz + p.run_at_us * interval '1 microsecond', '-infinity'), p.id)
              AND c.claimed_by IS NULL AND NOT c.suspect AND c.kind = ANY ($5::text[])
              AND NOT EXISTS (SELECT FROM outbox.queues q WHERE q.name = $1 AND q.paused_at IS NOT NULL)
            ORDER BY c.run_at, c.id + 0 LIMIT $12::int FOR UPDATE SKIP LOCKED) x
   LIMIT $12::int),
h AS MATERIALIZED (
  SELECT c.*, clock_timestamp() AS started_at,
         CASE WHEN c.expires_at <= clock_timestamp() THEN 'OB013it expired before it could start'
              ELSE outbox.guard(($6::text[])[c.k], ($7::text[])[c.k], c.payload, c.id, least(c.attempt + 1, c.max_attempts), coalesce(c.headers, '{}')) END AS error,
         clock_timestamp() AS ended_at
    FROM s CROSS JOIN c),
o AS MATERIALIZED (
  SELECT h.*, left(h.error, 5) AS state,
         CASE WHEN h.error IS NULL THEN 'done'
              WHEN left(h.error, 5) IN ('OB011', 'OB013') THEN 'dead'
              WHEN left(h.error, 5) IN ('OB010', '40001', '40P01') OR left(h.error, 2) = '53'
                THEN CASE WHEN h.claim_token > 0 AND h.claim_token % 10000 = 0 THEN 'dead' ELSE 'snooze' END
              WHEN h.attempt + 1 >= h.max_attempts THEN 'dead'
              ELSE 'retry' END AS outcome,
         CASE WHEN h.error IS NULL THEN NULL
              WHEN left(h.error, 5) = 'OB010' THEN substr(h.error, 6)::bigint * interval '1 millisecond'
              WHEN left(h.error, 5) = 'OB012' THEN split_part(substr(h.error, 6), ' ', 1)::bigint * interval '1 millisecond'
              WHEN left(h.error, 5) IN ('40001', '40P01') OR left(h.error, 2) = '53'
                THEN (50 + 100 * random()) * interval '1 millisecond'
              ELSE outbox.backoff(h.attempt + 1, ($8::bigint[])[h.k], ($9::float8[])[h.k], ($10::bigint[])[h.k], ($11::float8[])[h.k])
              END AS delay,
         CASE left(h.error, 5) WHEN 'OB011' THEN 'discarded' WHEN 'OB010' THEN 'discarded' WHEN 'OB013' THEN 'expired' ELSE 'attempts' END
           AS reason,
         CASE left(h.error, 5) WHEN 'OB012' THEN substr(h.error, 7 + length(split_part(substr(h.error, 6), ' ', 1)))
                               WHEN 'OB010' THEN 'snoozed too often'
                               ELSE substr(h.error, 6) END AS message
    FROM h),
d AS (
  DELETE FROM outbox.jobs j WHERE j.ctid = ANY (ARRAY(SELECT o.tid FROM o WHERE o.outcome IN ('done', 'dead'))) RETURNING 1),
u AS (
  UPDATE outbox.jobs j
     SET attempt = j.attempt + CASE o.outcome WHEN 'retry' THEN 1 ELSE 0 END, claim_token = j.claim_token + 1,
         run_at = clock_timestamp() + o.delay,
         last_error = CASE o.outcome WHEN 'retry' THEN left(o.message, 1000) ELSE j.last_error END
    FROM o
   WHERE j.ctid = o.tid AND o.outcome IN ('retry', 'snooze')
  RETURNING 1),
f AS (
  INSERT INTO outbox.finished_jobs (slot, priority, attempt, crashes, processor_id, id, created_at, run_at, started_at, finished_at,
                                    queue, kind, unique_key, payload, headers)
  SELECT outbox.day_slot(o.ended_at), o.priority, least(o.attempt + 1, o.max_attempts), o.crashes, $2::int, o.id, o.created_at, o.run_at, o.started_at,
         o.ended_at, $1, o.kind, o.unique_key, o.payload, o.headers
    FROM o WHERE o.outcome = 'done' AND $13::boolean),
x AS (
  INSERT INTO outbox.job_failures (job_id, processor_id, attempt, reason, sqlstate, error)
  SELECT o.id, $2::int, least(o.attempt + 1, o.max_attempts), CASE o.reason WHEN 'attempts' THEN 'error' ELSE o.reason END,
         CASE WHEN o.state LIKE 'OB01_' THEN NULL ELSE o.state END, o.message
    FROM o WHERE o.outcome IN ('retry', 'dead')),
y AS (
  INSERT INTO outbox.dead_jobs (id, created_at, run_at, expires_at, processor_id, priority, attempt, max_attempts, crashes,
                                claim_token, reason, queue, kind, unique_key, payload, headers, last_error)
  SELECT o.id, o.created_at, o.run_at, o.expires_at, $2::int, o.priority, least(o.attempt + 1, o.max_attempts), o.max_attempts,
         o.crashes, o.claim_token, o.reason, $1, o.kind, o.unique_key, o.payload, o.headers, left(o.message, 1000)
    FROM o WHERE o.outcome = 'dead'
  ON CONFLICT (id) DO UPDATE SET died_at = excluded.died_at, reason = excluded.reason, last_error = excluded.last_error)
SELECT o.id, o.k, o.outcome, least(o.attempt + 1, o.max_attempts), (date_part('epoch', o.started_at - o.run_at) * 1000000)::bigint,
       (date_part('epoch', o.ended_at - o.started_at) * 1000000)::bigint, (date_part('epoch', o.delay) * 1000)::bigint, o.reason,
       o.state, o.message, o.priority, (date_part('epoch', o.run_at) * 1000000)::bigint
  FROM o
 WHERE (SELECT count(*) FROM d) + (SELECT count(*) FROM u) = (SELECT count(*) FROM o)
    OR outbox.undo('a job of this group was changed by somebody else while its handler ran'))"};

DirectOutcome outcome_from(const char* text) {
  switch (text[0]) {
    case 'd':
      return text[1] == 'o' ? DirectOutcome::done : DirectOutcome::dead;
    case 's':
      return DirectOutcome::snooze;
    default:
      return DirectOutcome::retry;
  }
}

template <class PqxxRow>
DirectJob read(const PqxxRow& row) {
  DirectJob job;
  job.id = row[0].template as<std::int64_t>();
  job.kind = row[1].template as<std::size_t>() - 1;
  job.outcome = outcome_from(row[2].c_str());
  job.attempt = row[3].template as<int>();
  job.waited = core::microseconds{row[4].template as<std::int64_t>()};
  job.ran = core::microseconds{row[5].template as<std::int64_t>()};
  if (job.outcome == DirectOutcome::done) return job;
  job.delay = core::milliseconds{row[6].is_null() ? 0 : row[6].template as<std::int64_t>()};
  job.reason = pg::text(row[7]);
  job.sqlstate = pg::text(row[8]);
  job.error = pg::text(row[9]);
  return job;
}

}  // namespace

DirectKinds::DirectKinds(std::vector<DirectKind> kinds) : kinds_{std::move(kinds)} {
  std::vector<std::string> names;
  std::vector<std::string> statements;
  std::vector<std::string> roles;
  std::vector<std::int64_t> first;
  std::vector<std::int64_t> cap;
  std::vector<double> factor;
  std::vector<double> jitter;
  for (const auto& kind : kinds_) {
    names.push_back(kind.kind);
    statements.push_back(kind.statement);
    roles.push_back(kind.role);
    first.push_back(kind.backoff.first.count());
    cap.push_back(kind.backoff.cap.count());
    factor.push_back(kind.backoff.factor);
    jitter.push_back(kind.backoff.jitter);
  }
  names_ = pg::text_array(names);
  statements_ = pg::text_array(statements);
  roles_ = pg::text_array(roles, pg::Empty::is_null);
  first_ms_ = pg::int_array(first);
  factors_ = pg::double_array(factor);
  cap_ms_ = pg::int_array(cap);
  jitters_ = pg::double_array(jitter);
}

core::milliseconds DirectKinds::shortest_timeout() const {
  const auto shortest =
      std::min_element(kinds_.begin(), kinds_.end(),
                       [](const auto& a, const auto& b) { return a.timeout < b.timeout; });
  return shortest == kinds_.end() ? core::milliseconds{0} : shortest->timeout;
}

void limit_groups(Database& database, core::milliseconds most) {
  if (database.pooled()) return;  // it would stay on a connection that others use
  database.session().run_script("SET statement_timeout = " + std::to_string(most.count()));
}

std::vector<DirectJob> run_group(Database& database, const DirectRequest& request,
                                 const DirectKinds& kinds, From from, Cursor& cursor) {
  const auto& own = database.session().own_settings();
  const auto result = database.session().run(
      kDirect, request.queue, request.processor, cursor.run_at_array(from), cursor.id_array(from),
      kinds.names_, kinds.statements_, kinds.roles_, kinds.first_ms_, kinds.factors_, kinds.cap_ms_,
      kinds.jitters_, request.most, request.history, own.names, own.values);
  std::vector<DirectJob> out;
  out.reserve(pg::count(result));
  for (const auto& row : result) {
    out.push_back(read(row));
    cursor.advance(row[10].template as<int>(),
                   {row[11].template as<std::int64_t>(), out.back().id});
  }
  return out;
}

std::vector<pg::Statement> direct_statements() { return {kDirect}; }

}  // namespace outbox::store
