// SQL of the benchmark. Nothing here is hot but BenchProducer's inserts.
#include "store/bench.hpp"

#include "pg/session.hpp"

namespace outbox::store {

namespace {

// Stays with this session, and keeps a second benchmark away.
constexpr pg::Statement kBenchLock{"bench_lock", R"(/* outbox:bench_lock */
SELECT pg_try_advisory_lock(7306804, 0))"};

// Index: jobs_claim_idx from either end: the first and the last queue are enough to see another.
constexpr pg::Statement kBystanders{"bench_bystanders", R"(/* outbox:bench_bystanders */
SELECT coalesce((SELECT j.queue FROM outbox.jobs j ORDER BY j.queue LIMIT 1) <> $1, false)
       OR coalesce((SELECT j.queue FROM outbox.jobs j ORDER BY j.queue DESC LIMIT 1) <> $1, false),
       EXISTS (SELECT FROM outbox.processors p WHERE p.dead_at IS NULL AND p.heartbeat_at > clock_timestamp() - p.dead_after))"};

// The function fails the first attempt of a job whose payload says so.
constexpr const char* kPrepare = R"(/* outbox:bench_prepare */
CREATE SCHEMA outbox_bench;
CREATE TABLE outbox_bench.effects (job_id bigint NOT NULL, stamp double precision, at timestamptz NOT NULL DEFAULT clock_timestamp());
CREATE FUNCTION outbox_bench.effect(payload jsonb, job_id bigint, attempt integer) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF attempt = 1 AND payload ? 'fail' THEN
    RAISE EXCEPTION 'as the benchmark asked for';
  END IF;
  INSERT INTO outbox_bench.effects (job_id, stamp) VALUES (job_id, (payload ->> 'stamp')::double precision);
END $$;
COMMENT ON SCHEMA outbox_bench IS 'outboxd bench: removed at its end.')";

constexpr const char* kFill = R"(/* outbox:bench_fill */
INSERT INTO outbox.jobs (queue, kind, payload, run_at)
SELECT $1, $2, CASE WHEN $4::bigint > 0 AND i % nullif($4::bigint, 0) = 0 THEN '{"fail": true}'::jsonb
                    ELSE jsonb_build_object('n', i) END,
       clock_timestamp() + $5::bigint * interval '1 second'
  FROM generate_series(1, $3::bigint) i)";

constexpr pg::Statement kCounters{"bench_counters", R"(/* outbox:bench_counters */
SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint, d.xact_commit, t.n_tup_upd, t.n_tup_hot_upd, t.n_dead_tup,
       pg_table_size('outbox.jobs')
  FROM pg_stat_database d, pg_stat_all_tables t
 WHERE d.datname = current_database() AND t.relid = 'outbox.jobs'::regclass)"};

constexpr pg::Statement kBenchState{"bench_state", R"(/* outbox:bench_state */
SELECT (SELECT count(*) FROM outbox.jobs j WHERE j.queue = $1), count(*), count(DISTINCT e.job_id) FROM outbox_bench.effects e)"};

constexpr pg::Statement kInsert{"bench_insert", R"(/* outbox:bench_insert */
INSERT INTO outbox.jobs (queue, kind) VALUES ($1, $2))"};

constexpr pg::Statement kInsertMany{"bench_insert_many", R"(/* outbox:bench_insert_many */
INSERT INTO outbox.jobs (queue, kind) SELECT $1, $2 FROM generate_series(1, $3::bigint))"};

constexpr pg::Statement kInsertStamped{"bench_insert_stamped", R"(/* outbox:bench_insert_stamped */
INSERT INTO outbox.jobs (queue, kind, payload) VALUES ($1, $2, jsonb_build_object('stamp', $3::double precision)))"};

constexpr pg::Statement kLatencies{"bench_latencies", R"(/* outbox:bench_latencies */
SELECT (date_part('epoch', e.at) - e.stamp) * 1000 FROM outbox_bench.effects e WHERE e.stamp IS NOT NULL)"};

double now_seconds() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace

Bystanders bench_bystanders(Database& database) {
  const auto row = database.session().run(kBystanders, kBenchQueue)[0];
  return {row[0].as<bool>(), row[1].as<bool>(),
          !database.session().run(kBenchLock)[0][0].as<bool>()};
}

void bench_prepare(Database& database) {
  bench_clean(database);
  database.session().run_script(kPrepare);
}

void bench_clean(Database& database) {
  const std::string queue = std::string{"'"} + kBenchQueue + "'";
  const bool alone = !database.session().run(kBystanders, kBenchQueue)[0][0].as<bool>();
  auto& session = database.session();
  session.run_script("SET statement_timeout = 0; DROP SCHEMA IF EXISTS outbox_bench CASCADE");
  session.run_script(
      "DELETE FROM outbox.job_failures f USING outbox.jobs j WHERE j.id = f.job_id AND j.queue = " +
      queue +
      "; DELETE FROM outbox.job_failures f USING outbox.finished_jobs h WHERE h.id = f.job_id AND "
      "h.queue = " +
      queue);
  session.run_script(alone ? "TRUNCATE outbox.jobs"
                           : "DELETE FROM outbox.jobs WHERE queue = " + queue);
  session.run_script("DELETE FROM outbox.finished_jobs WHERE queue = " + queue +
                     "; DELETE FROM outbox.dead_jobs WHERE queue = " + queue +
                     "; DELETE FROM outbox.queues WHERE name = " + queue);
}

void bench_fill(Database& database, const BenchJobs& jobs) {
  auto& session = database.session();
  session.run_script("SET statement_timeout = 0");
  session.run({"bench_fill", kFill}, kBenchQueue, jobs.kind, jobs.count, jobs.fail_every,
              jobs.delay_seconds);
}

void bench_settle(Database& database) {
  database.session().run_script("SET statement_timeout = 0");
  database.session().run_script("VACUUM (ANALYZE) outbox.jobs");
  database.session().run_script("CHECKPOINT");
}

void bench_trigger(Database& database, bool enabled) {
  database.session().run_script(std::string{"ALTER TABLE outbox.jobs "} +
                                (enabled ? "ENABLE" : "DISABLE") + " TRIGGER jobs_inserted");
}

BenchCounters bench_counters(Database& database) {
  const auto row = database.session().run(kCounters)[0];
  const auto number = [&](int column) { return row[column].as<std::int64_t>(); };
  return {number(0), number(1), number(2), number(3), number(4), number(5)};
}

BenchState bench_state(Database& database) {
  const auto row = database.session().run(kBenchState, kBenchQueue)[0];
  return {row[0].as<std::int64_t>(), row[1].as<std::int64_t>(), row[2].as<std::int64_t>()};
}

PinnedSnapshot::PinnedSnapshot(const core::DatabaseOptions& options)
    : database_{options, "bench pin", Use::people} {
  database_.session().run_script(
      "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM pg_catalog.pg_class");
}

BenchProducer::BenchProducer(const core::DatabaseOptions& options, int commit_delay_us)
    : database_{options, "bench producer", Use::people} {
  if (commit_delay_us > 0) {
    database_.session().run_script("SET commit_delay = " + std::to_string(commit_delay_us) +
                                   "; SET commit_siblings = 0");
  }
}

void BenchProducer::insert(const std::string& kind) {
  database_.session().run(kInsert, kBenchQueue, kind);
}

void BenchProducer::insert_many(const std::string& kind, std::int64_t count) {
  database_.session().run(kInsertMany, kBenchQueue, kind, count);
}

void BenchProducer::insert_stamped(const std::string& kind) {
  database_.session().run(kInsertStamped, kBenchQueue, kind, now_seconds());
}

std::vector<double> bench_latencies(Database& database) {
  std::vector<double> out;
  for (const auto& row : database.session().run(kLatencies)) out.push_back(row[0].as<double>());
  return out;
}

}  // namespace outbox::store
