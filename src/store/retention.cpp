// SQL of retention. Runs on a `people` connection, from one thread of each processor; several
// processors at once do no harm.
#include "store/retention.hpp"

#include <algorithm>

#include "pg/array.hpp"
#include "pg/session.hpp"
#include "store/statements.hpp"

namespace outbox::store {

namespace {

// Index: queues_pkey. The OFFSET-free VALUES come as arrays; a row is only written when something
// differs.
constexpr pg::Statement kSaveQueues{"save_queues", R"(/* outbox:save_queues */
INSERT INTO outbox.queues (name, history, retention_days)
SELECT * FROM unnest($1::text[], $2::boolean[], $3::smallint[])
ON CONFLICT (name) DO UPDATE SET history = excluded.history, retention_days = excluded.retention_days, updated_at = clock_timestamp()
 WHERE (queues.history, queues.retention_days) IS DISTINCT FROM (excluded.history, excluded.retention_days))"};

// A slot holds the newest day, up to today, whose number modulo 32 is its own. It is expired when
// that day is older than the longest retention of any queue. Queues without a row have the table's
// default.
constexpr pg::Statement kExpiredSlots{"expired_slots", R"(/* outbox:expired_slots */
WITH today AS (SELECT floor(extract(epoch FROM clock_timestamp()) / 86400)::bigint AS day),
     keep AS (SELECT greatest(14, max(q.retention_days)) AS days FROM outbox.queues q)
SELECT s FROM generate_series(0, 31) s, today, keep
 WHERE mod(today.day - s, 32) > keep.days AND pg_relation_size(format('outbox.finished_jobs_%s', to_char(s, 'FM00'))::regclass) > 0
 ORDER BY s)"};

constexpr pg::Statement kExpiredDays{"expired_days", R"(/* outbox:expired_days */
WITH today AS (SELECT floor(extract(epoch FROM clock_timestamp()) / 86400)::bigint AS day),
     keep AS (SELECT greatest(14, max(q.retention_days)) AS days FROM outbox.queues q)
SELECT q.name, d.day
  FROM outbox.queues q, today, keep, generate_series(today.day - keep.days, today.day - q.retention_days - 1) AS d (day)
 WHERE q.retention_days < keep.days
UNION ALL
SELECT '', today.day - 32 FROM today)"};

// One partition (slot prunes at execution), read as a whole: there is no index by queue, and it is
// done once a day.
constexpr pg::Statement kTrim{"trim_history", R"(/* outbox:trim_history */
DELETE FROM outbox.finished_jobs f
 WHERE f.slot = mod($2::bigint, 32)::smallint
   AND f.ctid = ANY (ARRAY(
     SELECT x.ctid FROM outbox.finished_jobs x
      WHERE x.slot = mod($2::bigint, 32)::smallint AND ($1 = '' OR x.queue = $1)
        AND x.finished_at < 'epoch'::timestamptz + ($2::bigint + 1) * interval '1 day'
      LIMIT $3::int)))"};

// Index: dead_jobs_died_at_idx. Locks: the rows deleted, SKIP LOCKED (somebody may be retrying
// one).
constexpr pg::Statement kPruneDead{"prune_dead", R"(/* outbox:prune_dead */
DELETE FROM outbox.dead_jobs d
 WHERE d.ctid = ANY (ARRAY(SELECT x.ctid FROM outbox.dead_jobs x WHERE x.died_at < clock_timestamp() - $1::int * interval '1 day'
                            ORDER BY x.died_at LIMIT $2::int FOR UPDATE SKIP LOCKED)))"};

// Index: job_failures_failed_at_idx from its start; the two anti-joins go by primary key.
constexpr pg::Statement kPruneFailures{"prune_failures", R"(/* outbox:prune_failures */
DELETE FROM outbox.job_failures f
 WHERE f.ctid = ANY (ARRAY(
   SELECT x.ctid FROM outbox.job_failures x
    WHERE x.failed_at < clock_timestamp() - $1::int * interval '1 day'
      AND NOT EXISTS (SELECT FROM outbox.dead_jobs d WHERE d.id = x.job_id)
      AND NOT EXISTS (SELECT FROM outbox.jobs j WHERE j.id = x.job_id)
    ORDER BY x.failed_at LIMIT $2::int)))"};

// A function of migration 0004, because the runtime role may not delete from the audit itself.
constexpr pg::Statement kPruneAudit{"prune_audit", R"(/* outbox:prune_audit */
SELECT outbox.prune_audit($1::int))"};

std::vector<int> slots_of(const pqxx::result& result) {
  std::vector<int> slots;
  for (const auto& row : result) slots.push_back(row[0].as<int>());
  return slots;
}

}  // namespace

void save_queues(Database& database, const std::map<std::string, core::QueueOptions>& queues) {
  std::vector<std::string> names;
  std::vector<std::string> history;
  std::vector<std::int64_t> days;
  for (const auto& [name, options] : queues) {
    names.push_back(name);
    history.emplace_back(options.history ? "true" : "false");
    days.push_back(options.retention_days);
  }
  database.session().run(kSaveQueues, pg::text_array(names), pg::text_array(history),
                         pg::int_array(days));
}

std::vector<int> expired_slots(Database& database) {
  return slots_of(database.session().run(kExpiredSlots));
}

bool truncate_slot(Database& database, int slot) {
  // A number of two digits: nothing to quote.
  const std::string name =
      "outbox.finished_jobs_" + std::string{slot < 10 ? "0" : ""} + std::to_string(slot);
  auto& session = database.session();
  return session.transact([&](pqxx::work& tx) {
    tx.exec("SET LOCAL lock_timeout = '1s'; LOCK TABLE " + name + " IN ACCESS EXCLUSIVE MODE");
    // Again under the lock: at midnight the slot furthest in the past becomes today's.
    const auto still = slots_of(session.call(tx, kExpiredSlots));
    if (std::find(still.begin(), still.end(), slot) == still.end()) return false;
    tx.exec("TRUNCATE " + name);
    return true;
  });
}

std::vector<HistoryDay> expired_days(Database& database) {
  std::vector<HistoryDay> out;
  for (const auto& row : database.session().run(kExpiredDays))
    out.push_back({pg::text(row[0]), row[1].as<std::int64_t>()});
  return out;
}

std::int64_t trim_history(Database& database, const HistoryDay& day, int most) {
  return pg::affected(database.session().run(kTrim, day.queue, day.day, most));
}

std::int64_t prune_dead(Database& database, int days, int most) {
  return pg::affected(database.session().run(kPruneDead, days, most));
}

std::int64_t prune_failures(Database& database, int days, int most) {
  return pg::affected(database.session().run(kPruneFailures, days, most));
}

std::int64_t prune_audit(Database& database, int most) {
  return database.session().run(kPruneAudit, most)[0][0].as<std::int64_t>();
}

std::vector<pg::Statement> retention_statements() {
  return {kSaveQueues, kExpiredSlots, kExpiredDays, kTrim, kPruneDead, kPruneFailures, kPruneAudit};
}

}  // namespace outbox::store
