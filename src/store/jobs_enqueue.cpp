// SQL of enqueueing by hand.
#include "store/jobs_enqueue.hpp"

#include "pg/session.hpp"

namespace outbox::store {

namespace {

// One INSERT inside the function; the trigger wakes the processors. NULL parameters take the
// function's own defaults.
constexpr pg::Statement kEnqueue{"jobs_enqueue", R"(/* outbox:jobs_enqueue */
SELECT e.id, e.created
  FROM outbox.enqueue(kind => $1::text, payload => nullif($2::text, '')::jsonb, queue => nullif($3::text, ''),
         priority => $4::int, run_at => nullif($5::text, '')::timestamptz, delay => $6::bigint * interval '1 millisecond',
         max_attempts => $7::int, unique_key => nullif($8::text, ''), expires_at => nullif($9::text, '')::timestamptz,
         headers => nullif($10::text, '')::jsonb) e)"};

}  // namespace

Enqueued jobs_enqueue(Database& database, const NewJob& job) {
  std::optional<std::int64_t> delay_ms;
  if (job.delay) delay_ms = job.delay->count();
  const auto rows = database.session().run(kEnqueue, job.kind, job.payload, job.queue, job.priority,
                                           job.run_at, delay_ms, job.max_attempts, job.unique_key,
                                           job.expires_at, job.headers);
  return {.id = rows[0][0].as<std::int64_t>(), .created = rows[0][1].as<bool>()};
}

}  // namespace outbox::store
