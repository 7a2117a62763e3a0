// SQL of looking at a job without claiming it.
#include "store/next_attempt.hpp"

#include "pg/session.hpp"

namespace outbox::store {

namespace {

// Index: jobs_pkey. No locks. Apart from the dead letters, whose payload a processor's role may not
// read.
constexpr pg::Statement kNextOfLive{"next_attempt_live", R"(/* outbox:next_attempt_live */
SELECT j.queue, j.kind, j.payload, j.headers, j.priority, j.attempt + (j.claimed_by IS NULL)::int, j.max_attempts,
       floor(date_part('epoch', clock_timestamp()))::bigint
  FROM outbox.jobs j WHERE j.id = $1::bigint)"};

// Index: dead_jobs_pkey. No locks. A retry starts the attempts anew.
constexpr pg::Statement kNextOfDead{"next_attempt_dead", R"(/* outbox:next_attempt_dead */
SELECT d.queue, d.kind, d.payload, d.headers, d.priority, 1, d.max_attempts,
       floor(date_part('epoch', clock_timestamp()))::bigint
  FROM outbox.dead_jobs d WHERE d.id = $1::bigint)"};

}  // namespace

std::optional<NextAttempt> next_attempt(Database& database, std::int64_t id) {
  for (const auto& statement : {kNextOfLive, kNextOfDead}) {
    const auto rows = database.session().run(statement, id);
    if (rows.empty()) continue;
    const auto& row = rows[0];
    NextAttempt out;
    out.job.id = id;
    out.job.queue = pg::text(row[0]);
    out.job.kind = pg::text(row[1]);
    out.job.payload = pg::text(row[2]);
    out.job.headers = row[3].is_null() ? "{}" : pg::text(row[3]);
    out.job.priority = row[4].as<int>();
    out.job.attempt = row[5].as<int>();
    out.job.max_attempts = row[6].as<int>();
    out.dead = statement.name == kNextOfDead.name;
    out.now = row[7].as<std::int64_t>();
    return out;
  }
  return std::nullopt;
}

}  // namespace outbox::store
