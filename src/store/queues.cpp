// SQL of counting, pausing and resuming queues.
#include "store/queues.hpp"

#include <algorithm>

#include "pg/session.hpp"

namespace outbox::store {

namespace {

// Index: jobs_claim_idx for everything: the recursive part hops from queue to queue (a loose scan),
// then each queue and priority has one tight range for what is due and one for what is not, both
// cut at $1. claimed_by is in no index, so the rows themselves are read: at most 8 * $1 for each
// queue. Claimed jobs stand at the head of what is due, so the cut does not lose them. No locks.
// Form: statement_timestamp() is stable, so it can be an index condition.
constexpr pg::Statement kStatuses{
    "queue_statuses",
    R"(/* outbox:queue_statuses */
WITH RECURSIVE live (name) AS (
  (SELECT j.queue FROM outbox.jobs j ORDER BY j.queue LIMIT 1)
  UNION ALL
  SELECT (SELECT j.queue FROM outbox.jobs j WHERE j.queue > live.name ORDER BY j.queue LIMIT 1)
    FROM live WHERE live.name IS NOT NULL),
names AS (
  SELECT q.name FROM outbox.queues q
  UNION
  SELECT l.name FROM (SELECT name FROM live WHERE name IS NOT NULL LIMIT $2::int) l)
SELECT n.name, )" OUTBOX_MOMENT(
        "q.paused_at") R"(, due.waiting, due.claimed, due.stranded, future.scheduled, future.retrying,
       greatest(due.most, future.most) >= $1::int,
       CASE WHEN due.oldest IS NULL THEN 0
            ELSE extract(epoch FROM statement_timestamp() - greatest(due.oldest, '0001-01-01 00:00+00')) END::float8
  FROM names n
  LEFT JOIN outbox.queues q ON q.name = n.name
  CROSS JOIN LATERAL (
    SELECT coalesce(sum(w.waiting), 0)::bigint AS waiting, coalesce(sum(w.claimed), 0)::bigint AS claimed,
           coalesce(sum(w.stranded), 0)::bigint AS stranded, coalesce(max(w.seen), 0) AS most, min(w.oldest) AS oldest
      FROM unnest('{0,1,2,3}'::smallint[]) AS p (priority), LATERAL (
        SELECT count(*) FILTER (WHERE d.claimed_by IS NULL) AS waiting,
               count(*) FILTER (WHERE d.claimed_by IS NOT NULL AND r.id IS NOT NULL AND r.dead_at IS NULL) AS claimed,
               count(*) FILTER (WHERE d.claimed_by IS NOT NULL AND (r.id IS NULL OR r.dead_at IS NOT NULL)) AS stranded,
               count(*) AS seen, min(d.run_at) FILTER (WHERE d.claimed_by IS NULL) AS oldest
          FROM (SELECT j.claimed_by, j.run_at FROM outbox.jobs j
                 WHERE j.queue = n.name AND j.priority = p.priority AND j.run_at <= statement_timestamp()
                 ORDER BY j.run_at LIMIT $1::int) d
          LEFT JOIN outbox.processors r ON r.id = d.claimed_by) w) due
  CROSS JOIN LATERAL (
    SELECT coalesce(sum(w.scheduled), 0)::bigint AS scheduled, coalesce(sum(w.retrying), 0)::bigint AS retrying,
           coalesce(max(w.scheduled + w.retrying), 0) AS most
      FROM unnest('{0,1,2,3}'::smallint[]) AS p (priority), LATERAL (
        SELECT count(*) FILTER (WHERE d.attempt = 0 AND d.last_error IS NULL) AS scheduled,
               count(*) FILTER (WHERE d.attempt > 0 OR d.last_error IS NOT NULL) AS retrying
          FROM (SELECT j.attempt, j.last_error FROM outbox.jobs j
                 WHERE j.queue = n.name AND j.priority = p.priority AND j.run_at > statement_timestamp()
                 ORDER BY j.run_at LIMIT $1::int) d) w) future
 ORDER BY n.name)"};

// A table that was never analysed after it grew looks as if reading and sorting all of it were
// cheaper than the index with its LIMIT; then no cap would bound the price. JIT off, because what
// is switched off counts as so costly that it would compile.
constexpr pg::Statement kFixPlan{"queue_fix_plan", R"(/* outbox:queue_fix_plan */
SELECT set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true),
       set_config('enable_sort', 'off', true), set_config('jit', 'off', true))"};

// Function scans of one row; indexes and locks: in the functions of migration 0004.
constexpr pg::Statement kPause{
    "queue_pause", "/* outbox:queue_pause */ SELECT " OUTBOX_MOMENT("p.paused_at")
    ", p.result = 'was_paused', p.known FROM outbox.pause($1::text, $2::text, $3::text) AS p"};
constexpr pg::Statement kResume{"queue_resume", R"(/* outbox:queue_resume */
SELECT r.result FROM outbox.resume($1::text, $2::text, $3::text) AS r)"};

std::vector<QueueStatus> count_queues(Database& database, int cap) {
  pg::Session& session = database.session();
  const auto rows = session.transact([&](pqxx::transaction_base& tx) {
    session.call(tx, kFixPlan);
    return session.call(tx, kStatuses, cap, kQueuesMost);
  });
  std::vector<QueueStatus> statuses;
  for (const auto& row : rows) {
    QueueStatus status;
    status.name = pg::text(row[0]);
    status.paused_at = to_moment(pg::maybe<std::int64_t>(row[1]));
    status.waiting = row[2].as<std::int64_t>();
    status.claimed = row[3].as<std::int64_t>();
    status.stranded = row[4].as<std::int64_t>();
    status.scheduled = row[5].as<std::int64_t>();
    status.retrying = row[6].as<std::int64_t>();
    status.capped = row[7].as<bool>();
    status.oldest_wait_seconds = row[8].as<double>();
    statuses.push_back(std::move(status));
  }
  return statuses;
}

}  // namespace

std::vector<QueueStatus> queue_statuses(Database& database, int cap) {
  try {
    return count_queues(database, cap);
  } catch (const core::DbError& e) {
    // Very many full queues: rough numbers in time are better than none.
    if (e.fault() != core::Fault::canceled) throw;
    return count_queues(database, std::max(1, cap / 100));
  }
}

std::vector<observe::QueueDepth> queue_depths(Database& database) {
  std::vector<observe::QueueDepth> depths;
  for (const auto& status : queue_statuses(database, kCapForMetrics)) {
    depths.push_back({.queue = status.name,
                      .waiting = status.waiting,
                      .scheduled = status.scheduled + status.retrying,
                      .claimed = status.claimed + status.stranded,
                      .oldest_wait_seconds = status.oldest_wait_seconds,
                      .paused = status.paused_at.has_value()});
  }
  return depths;
}

Paused queue_pause(Database& database, const std::string& name, const Stated& stated) {
  const auto said = stated.storable();
  const auto rows = database.session().run(kPause, name, said.why, said.actor);
  const auto& row = rows[0];
  return {.since = Moment{std::chrono::microseconds{row[0].as<std::int64_t>()}},
          .was_paused = row[1].as<bool>(),
          .known = row[2].as<bool>()};
}

ResumeEnd to_resume_end(const std::string& result) {
  return result == "resumed"      ? ResumeEnd::resumed
         : result == "not_paused" ? ResumeEnd::not_paused
                                  : ResumeEnd::not_found;
}

ResumeEnd queue_resume(Database& database, const std::string& name, const Stated& stated) {
  const auto said = stated.storable();
  const auto rows = database.session().run(kResume, name, said.why, said.actor);
  return to_resume_end(pg::text(rows[0][0]));
}

}  // namespace outbox::store
