// SQL of the statistics for people.
#include "store/stats.hpp"

#include <nlohmann/json.hpp>

#include "pg/session.hpp"

namespace outbox::store {

namespace {

constexpr pg::Statement kHead{"stats_head", R"(/* outbox:stats_head */
SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, (SELECT max(version) FROM outbox.schema_migrations))"};

// Index: BRIN on finished_at; the two slots that a window of at most an hour can touch are picked
// before the scan starts. Reads at most $2 rows of the window, and besides what VACUUM has not
// summarised yet. No locks.
constexpr pg::Statement kFinished{"stats_finished", R"(/* outbox:stats_finished */
SELECT w.queue, count(*)
  FROM (SELECT f.queue FROM outbox.finished_jobs f
         WHERE f.slot IN (outbox.day_slot(statement_timestamp()), outbox.day_slot(statement_timestamp() - $1::int * interval '1 second'))
           AND f.finished_at > statement_timestamp() - $1::int * interval '1 second'
         LIMIT $2::int) w
 GROUP BY w.queue)"};

// Index: dead_jobs_died_at_idx, backwards, at most $1 rows. No locks.
constexpr pg::Statement kDead{"stats_dead", R"(/* outbox:stats_dead */
SELECT w.queue, count(*) FROM (SELECT d.queue FROM outbox.dead_jobs d ORDER BY d.died_at DESC LIMIT $1::int) w GROUP BY w.queue)"};

// A scan: the table has one row for each processor of late. No locks.
constexpr pg::Statement kProcessors{"stats_processors",
                                    R"(/* outbox:stats_processors */
SELECT p.id, p.name, p.version, p.pid, to_json(p.queues), )" OUTBOX_MOMENT("p.started_at") R"(,
       extract(epoch FROM clock_timestamp() - p.heartbeat_at)::float8, p.dead_at IS NOT NULL,
       p.dead_at IS NULL AND p.heartbeat_at < clock_timestamp() - p.dead_after, p.dead_reason
  FROM outbox.processors p
 ORDER BY p.dead_at DESC NULLS FIRST, p.id LIMIT $1::int)"};

CountByQueue counted(const pqxx::result& rows, int most) {
  CountByQueue out;
  std::int64_t total = 0;
  for (const auto& row : rows) {
    const auto jobs = row[1].as<std::int64_t>();
    out.queues[pg::text(row[0])] = jobs;
    total += jobs;
  }
  out.capped = total >= most;
  return out;
}

std::optional<CountByQueue> finished_within(Database& database, int seconds) {
  try {
    return counted(database.session().run(kFinished, seconds, kFinishedMost), kFinishedMost);
  } catch (const core::DbError& e) {
    if (e.fault() != core::Fault::canceled) throw;
    return std::nullopt;  // a history this busy must not hide the rest
  }
}

std::vector<ProcessorStatus> processors(Database& database) {
  std::vector<ProcessorStatus> out;
  for (const auto& row : database.session().run(kProcessors, kProcessorsMost)) {
    ProcessorStatus processor;
    processor.id = row[0].as<int>();
    processor.name = pg::text(row[1]);
    processor.version = pg::text(row[2]);
    processor.pid = row[3].as<int>();
    processor.queues = nlohmann::json::parse(pg::text(row[4])).get<std::vector<std::string>>();
    processor.started_at = Moment{std::chrono::microseconds{row[5].as<std::int64_t>()}};
    processor.heartbeat_age_seconds = row[6].as<double>();
    processor.dead = row[7].as<bool>();
    processor.late = row[8].as<bool>();
    processor.dead_reason = pg::text(row[9]);
    out.push_back(std::move(processor));
  }
  return out;
}

}  // namespace

Stats stats(Database& database) {
  Stats out;
  const auto head = database.session().run(kHead);
  out.now = Moment{std::chrono::microseconds{head[0][0].as<std::int64_t>()}};
  out.schema = pg::maybe<int>(head[0][1]).value_or(0);
  out.queues = queue_statuses(database, kCapForPeople);
  out.finished_minute = finished_within(database, 60);
  out.finished_hour = finished_within(database, 3'600);
  out.dead = counted(database.session().run(kDead, kDeadMost), kDeadMost);
  out.processors = processors(database);
  return out;
}

}  // namespace outbox::store
