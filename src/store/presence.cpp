// SQL of presence. The lock class 7306802 is ours; its object is the processor's id. Only the
// database's clock decides.
#include "store/presence.hpp"

#include "observe/fault_point.hpp"
#include "pg/array.hpp"
#include "pg/session.hpp"
#include "store/statements.hpp"

namespace outbox::store {

namespace {

constexpr pg::Statement kNextId{"next_processor", R"(/* outbox:next_processor */
SELECT nextval(pg_get_serial_sequence('outbox.processors', 'id'))::int)"};

constexpr pg::Statement kTakeLock{"take_lock", R"(/* outbox:take_lock */
SELECT pg_try_advisory_lock(7306802, $1::int))"};

// The lock is taken before the row exists: whoever sees the row and gets the lock knows that its
// owner is gone.
constexpr pg::Statement kRegister{"register", R"(/* outbox:register */
INSERT INTO outbox.processors (id, name, version, built_for, oldest_schema, pid, queues, kinds, session_lock, dead_after)
OVERRIDING SYSTEM VALUE
VALUES ($1::int, $2, $3, $4::int, $5::int, $6::int, $7::text[], $8::text[], $9::boolean, $10::bigint * interval '1 millisecond'))"};

// Index: processors_pkey for the own row; a handful of rows otherwise. Locks: the own row; rows of
// the dead, SKIP LOCKED (a locked one is just beating). The transaction lock on a dead id is
// dropped at the end of the statement. A restart or failover of the server drops every lock at
// once: on a connection made anew (after this processor registered) a free lock proves something
// only of those that have beaten since, or the first to reconnect would mark all others dead. Nor
// is a late heartbeat held against anybody before this connection has stood for that long: perhaps
// the database was away for all.
constexpr pg::Statement kBeat{"beat", R"(/* outbox:beat */
WITH me AS (
  UPDATE outbox.processors p SET heartbeat_at = clock_timestamp() WHERE p.id = $1::int AND p.dead_at IS NULL
  RETURNING p.started_at),
here AS MATERIALIZED (SELECT a.backend_start AS since FROM pg_stat_activity a WHERE a.pid = pg_backend_pid()),
late AS (
  SELECT p.id,
         CASE WHEN p.heartbeat_at < clock_timestamp() - p.dead_after THEN 'its heartbeat was late' ELSE 'its session lock was gone' END AS why
    FROM outbox.processors p
   WHERE p.id <> $1::int AND p.dead_at IS NULL
     AND (greatest(p.heartbeat_at, (SELECT here.since FROM here)) < clock_timestamp() - p.dead_after OR (p.session_lock
          AND (p.heartbeat_at > (SELECT here.since FROM here) OR (SELECT me.started_at FROM me) > (SELECT here.since FROM here))
          AND pg_try_advisory_xact_lock(7306802, p.id)))
     FOR UPDATE SKIP LOCKED),
dead AS (
  UPDATE outbox.processors p SET dead_at = clock_timestamp(), dead_reason = late.why FROM late WHERE p.id = late.id
  RETURNING p.id, p.name, p.dead_reason)
SELECT (SELECT count(*) FROM me), EXISTS (SELECT FROM outbox.processors p WHERE p.dead_at > clock_timestamp() - interval '10 minutes'),
       dead.id, dead.name, dead.dead_reason
  FROM (SELECT 1) AS always LEFT JOIN dead ON true)"};

constexpr pg::Statement kLeave{"leave", R"(/* outbox:leave */
DELETE FROM outbox.processors p WHERE p.id = $1::int)"};

constexpr pg::Statement kLeaveClaims{"leave_claims", R"(/* outbox:leave_claims */
UPDATE outbox.processors p SET dead_at = clock_timestamp(), dead_reason = 'it stopped and could not give back its claims'
 WHERE p.id = $1::int AND p.dead_at IS NULL)"};

// Index: jobs_claim_idx: first a loose scan over its (queue, priority) pairs, then each pair's due
// range from the start. There is no index on claimed_by, because a claim changes it. Locks: the
// rows given back, SKIP LOCKED: the server may still be running a dead processor's last statement;
// the next pass sees those.
constexpr pg::Statement kRescue{"rescue", R"(/* outbox:rescue */
WITH RECURSIVE head AS (
  (SELECT j.queue, j.priority FROM outbox.jobs j ORDER BY j.queue, j.priority LIMIT 1)
  UNION ALL
  SELECT n.queue, n.priority
    FROM head h, LATERAL (SELECT j.queue, j.priority FROM outbox.jobs j WHERE (j.queue, j.priority) > (h.queue, h.priority)
                           ORDER BY j.queue, j.priority LIMIT 1) n),
found AS MATERIALIZED (
  SELECT x.* FROM head h, LATERAL (
    SELECT c.ctid AS tid, c.id, c.crashes, c.claimed_by FROM outbox.jobs c
     WHERE c.queue = h.queue AND c.priority = h.priority AND c.run_at <= (SELECT clock_timestamp())
       AND c.claimed_by IS NOT NULL
       AND (c.claimed_by = ANY (ARRAY(SELECT p.id FROM outbox.processors p WHERE p.dead_at IS NOT NULL))
            OR (c.claimed_at < clock_timestamp() - interval '1 minute' AND c.claimed_by <> ALL (ARRAY(SELECT p.id FROM outbox.processors p))))
     ORDER BY c.run_at, c.id + 0 LIMIT $3::int FOR UPDATE SKIP LOCKED) x
  LIMIT $3::int),
u AS (
  UPDATE outbox.jobs j
     SET claimed_by = NULL, claimed_at = NULL, claim_token = j.claim_token + 1, crashes = j.crashes + 1, suspect = true,
         last_error = 'its processor died while it held the job'
   WHERE j.ctid = ANY (ARRAY(SELECT f.tid FROM found f WHERE f.crashes + 1 < $2::int))
  RETURNING j.id, j.queue, j.kind, j.attempt, j.crashes),
d AS (
  DELETE FROM outbox.jobs j
   WHERE j.ctid = ANY (ARRAY(SELECT f.tid FROM found f WHERE f.crashes + 1 >= $2::int))
  RETURNING j.*),
taken AS MATERIALIZED (
  SELECT u.*, false AS buried FROM u
  UNION ALL
  SELECT d.id, d.queue, d.kind, d.attempt, (d.crashes + 1)::smallint, true FROM d),
y AS (
  INSERT INTO outbox.dead_jobs (id, created_at, run_at, expires_at, processor_id, priority, attempt, max_attempts, crashes,
                                claim_token, reason, queue, kind, unique_key, payload, headers, last_error)
  SELECT d.id, d.created_at, d.run_at, d.expires_at, $1::int, d.priority, d.attempt, d.max_attempts, d.crashes + 1,
         d.claim_token, 'crashes', d.queue, d.kind, d.unique_key, d.payload, d.headers,
         format('%s processors died while they held it; the last one: %s', d.crashes + 1,
                coalesce((SELECT p.name || ', ' || p.dead_reason FROM outbox.processors p WHERE p.id = d.claimed_by), 'unknown'))
    FROM d
  ON CONFLICT (id) DO UPDATE SET died_at = excluded.died_at, reason = excluded.reason, last_error = excluded.last_error),
x AS (
  INSERT INTO outbox.job_failures (job_id, processor_id, attempt, reason, queue, kind, error)
  SELECT b.id, f.claimed_by, b.attempt, 'crash', b.queue, b.kind,
         coalesce((SELECT format('processor %s (%s) died while it held the job: %s', p.id, p.name, p.dead_reason)
                     FROM outbox.processors p WHERE p.id = f.claimed_by), 'its processor died')
    FROM taken b JOIN found f ON f.id = b.id)
SELECT b.id, b.queue, b.kind, b.attempt, b.crashes, b.buried FROM taken b)"};

constexpr pg::Statement kForget{"forget_dead", R"(/* outbox:forget_dead */
DELETE FROM outbox.processors p
 WHERE p.dead_at < clock_timestamp() - interval '1 day'
   AND NOT EXISTS (SELECT FROM outbox.jobs j WHERE j.claimed_by = p.id))"};

constexpr pg::Statement kCancel{"cancel_backend", R"(/* outbox:cancel_backend */
SELECT pg_cancel_backend($1::int))"};

}  // namespace

int register_processor(Database& database, const Registration& registration) {
  auto& session = database.session();
  const int id = session.run(kNextId)[0][0].as<int>();
  const bool locked = !session.pooled() && retake_session_lock(database, id);
  session.run(kRegister, id, registration.name, registration.version, registration.built_for,
              registration.oldest_schema, registration.pid, pg::text_array(registration.queues),
              pg::text_array(registration.kinds), locked,
              std::int64_t{registration.dead_after.count()});
  return id;
}

bool retake_session_lock(Database& database, int processor) {
  return database.session().run(kTakeLock, processor)[0][0].as<bool>();
}

Beat beat(Database& database, int processor) {
  observe::fault_point("heartbeat.before", database.socket());
  const auto result = database.session().run(kBeat, processor);
  observe::fault_point("heartbeat.after", database.socket());
  Beat out;
  for (const auto& row : result) {
    out.alive = row[0].as<int>() > 0;
    out.dead_waiting = row[1].as<bool>();
    if (!row[2].is_null())
      out.deaths.push_back({row[2].as<int>(), pg::text(row[3]), pg::text(row[4])});
  }
  out.dead_waiting = out.dead_waiting || !out.deaths.empty();
  return out;
}

void leave(Database& database, int processor, Left left) {
  database.session().run(left == Left::nothing ? kLeave : kLeaveClaims, processor);
}

std::vector<Rescued> rescue(Database& database, int processor, int max_crashes, int most) {
  observe::fault_point("rescue.before", database.socket());
  const auto result = database.session().run(kRescue, processor, max_crashes, most);
  observe::fault_point("rescue.after", database.socket());
  std::vector<Rescued> out;
  for (const auto& row : result) {
    out.push_back({row[0].as<std::int64_t>(), pg::text(row[1]), pg::text(row[2]), row[3].as<int>(),
                   row[4].as<int>(), row[5].as<bool>()});
  }
  return out;
}

int forget_dead(Database& database) {
  return static_cast<int>(pg::affected(database.session().run(kForget)));
}

bool cancel_backend(Database& database, int backend_pid) {
  return database.session().run(kCancel, backend_pid)[0][0].as<bool>();
}

std::vector<pg::Statement> presence_statements() {
  return {kNextId, kTakeLock, kRegister, kBeat, kLeave, kLeaveClaims, kRescue, kForget, kCancel};
}

}  // namespace outbox::store
