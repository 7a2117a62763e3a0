// SQL of showing one job.
#include "store/jobs_show.hpp"

#include <algorithm>

#include "pg/session.hpp"
#include "store/job_row.hpp"

namespace outbox::store {

namespace {

// No table of ours. An inspector may read every column but these.
constexpr pg::Statement kReadable{"jobs_show_readable", R"(/* outbox:jobs_show_readable */
SELECT bool_and(has_column_privilege('outbox.' || t, c, 'SELECT'))
  FROM unnest('{jobs,dead_jobs,finished_jobs}'::text[]) t, unnest('{payload,headers}'::text[]) c)"};

// Index: jobs_pkey, dead_jobs_pkey, and the BRIN index on finished_jobs.id in each of the 32 slots.
// No locks. Form: the view gives the state in its one word; the tables are asked again for what the
// view leaves out. `content` names payload and headers of a table, or stands for them.
#define OUTBOX_SHOW(content_of) \
  "SELECT " OUTBOX_SUMMARY_COLUMNS                                                                 \
  ", x.payload, x.headers, " OUTBOX_MOMENT(                                                        \
      "x.expires_at") ", x.reason, x.suspect,"                                                     \
                      " (SELECT p.name FROM outbox.processors p WHERE p.id = s.claimed_by),"       \
                      " (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, x.detail"       \
                      " FROM outbox.job_states s CROSS JOIN LATERAL ("                             \
                      "SELECT " content_of(                                                        \
                          "j") ", j.expires_at, NULL::text AS reason, j.suspect, NULL::jsonb AS "  \
                               "detail FROM outbox.jobs j WHERE j.id = $1::bigint"                 \
                               " UNION ALL SELECT " content_of(                                    \
                                   "d") ", d.expires_at, d.reason, false, NULL FROM "              \
                                        "outbox.dead_jobs d WHERE d.id = $1::bigint"               \
                                        " UNION ALL SELECT " content_of(                           \
                                            "f") ", NULL, NULL, false, f.detail FROM "             \
                                                 "outbox.finished_jobs f WHERE f.id = $1::bigint"  \
                                                 ") x WHERE s.id = $1::bigint LIMIT 1"
#define OUTBOX_CONTENT(table) table ".payload, " table ".headers"
#define OUTBOX_NO_CONTENT(table) "NULL::jsonb AS payload, NULL::jsonb AS headers"
constexpr pg::Statement kShow{"jobs_show", "/* outbox:jobs_show */ " OUTBOX_SHOW(OUTBOX_CONTENT)};
constexpr pg::Statement kShowPart{"jobs_show_part",
                                  "/* outbox:jobs_show_part */ " OUTBOX_SHOW(OUTBOX_NO_CONTENT)};
#undef OUTBOX_NO_CONTENT
#undef OUTBOX_CONTENT
#undef OUTBOX_SHOW

// Index: job_failures_job_id_idx, backwards, so that a job with endless failures costs no more than
// what is shown. Its order numbers the rows, too. No locks.
constexpr pg::Statement kFailures{
    "jobs_show_failures",
    "/* outbox:jobs_show_failures */ SELECT " OUTBOX_MOMENT("f.failed_at")
    ", f.processor_id, f.attempt, f.reason, f.sqlstate, f.error,"
    " CASE WHEN row_number() OVER (ORDER BY f.failed_at DESC) <= $3::int THEN f.detail END"
    " FROM outbox.job_failures f WHERE f.job_id = $1::bigint ORDER BY f.failed_at DESC LIMIT $2::int"};

}  // namespace

std::optional<JobDetail> jobs_show(Database& database, std::int64_t id) {
  JobDetail detail;
  detail.readable = database.session().run(kReadable)[0][0].as<bool>();
  const auto rows = database.session().run(detail.readable ? kShow : kShowPart, id);
  if (rows.empty()) return std::nullopt;
  const auto& row = rows[0];
  detail.job = read_summary(row);
  constexpr int kFirst = kSummaryColumns;
  detail.payload = pg::text(row[kFirst]);
  detail.headers = pg::text(row[kFirst + 1]);
  detail.expires_at = to_moment(pg::maybe<std::int64_t>(row[kFirst + 2]));
  detail.dead_reason = pg::text(row[kFirst + 3]);
  detail.suspect = row[kFirst + 4].as<bool>();
  detail.processor_name = pg::text(row[kFirst + 5]);
  detail.now = Moment{std::chrono::microseconds{row[kFirst + 6].as<std::int64_t>()}};
  detail.detail = pg::text(row[kFirst + 7]);
  for (const auto& failed : database.session().run(kFailures, id, kFailuresShown, kDetailsShown)) {
    JobFailure failure;
    failure.failed_at = Moment{std::chrono::microseconds{failed[0].as<std::int64_t>()}};
    failure.processor = failed[1].as<int>();
    failure.attempt = failed[2].as<int>();
    failure.reason = pg::text(failed[3]);
    failure.sqlstate = pg::text(failed[4]);
    failure.error = pg::text(failed[5]);
    failure.detail = pg::text(failed[6]);
    detail.failures.push_back(std::move(failure));
  }
  std::reverse(detail.failures.begin(), detail.failures.end());
  return detail;
}

}  // namespace outbox::store
