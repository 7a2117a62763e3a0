// SQL of the job list: windows of ids over the view job_states, so that no call reads a whole
// table.
#include "store/jobs_list.hpp"

#include <algorithm>

#include "pg/session.hpp"
#include "store/job_row.hpp"

namespace outbox::store {

namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr std::int64_t kFirstWindow = 10'000;
constexpr std::int64_t kSmallestWindow = 1'000;
constexpr std::int64_t kLargestWindow = std::int64_t{1} << 40;
constexpr milliseconds kQuickWindow{50};
constexpr milliseconds kSlowWindow{250};
constexpr milliseconds kPatience{1'000};

// The highest id there may be. Index: the two primary keys, backwards, one row each. The sequence,
// because history has no ordered index on id; the tables, because a row may have been put there by
// hand with an id of its own. No locks.
constexpr pg::Statement kTop{"jobs_list_top", R"(/* outbox:jobs_list_top */
SELECT greatest((SELECT last_value FROM outbox.jobs_id_seq), (SELECT max(id) FROM outbox.jobs),
                (SELECT max(id) FROM outbox.dead_jobs)),
       (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)"};

// Index: jobs_pkey, dead_jobs_pkey and the BRIN index on finished_jobs.id; the window of ids
// reaches all three through the view's UNION ALL. An id is in one table, so a window has at most as
// many rows as ids; sorting those is the price. No locks.
constexpr pg::Statement kWindow{
    "jobs_list_window",
    "/* outbox:jobs_list_window */ SELECT " OUTBOX_SUMMARY_COLUMNS
    " FROM outbox.job_states s WHERE s.id > $1::bigint AND s.id <= $2::bigint"
    " AND ($3::text = '' OR s.queue = $3::text) AND ($4::text = '' OR s.kind = $4::text)"
    " AND ($5::text = '' OR s.state = $5::text) ORDER BY s.id DESC LIMIT $6::int"};

}  // namespace

JobPage jobs_list(Database& database, const JobFilter& filter) {
  JobPage page;
  const auto top = database.session().run(kTop);
  page.now = Moment{std::chrono::microseconds{top[0][1].as<std::int64_t>()}};
  std::int64_t high = top[0][0].as<std::int64_t>();
  if (filter.after > 0) high = std::min(high, filter.after - 1);

  const auto limit = static_cast<std::size_t>(filter.limit);
  const auto give_up = Clock::now() + kPatience;
  std::int64_t width = kFirstWindow;
  while (high > 0 && page.jobs.size() < limit && Clock::now() < give_up) {
    const std::int64_t low = std::max<std::int64_t>(0, high - width);
    const auto start = Clock::now();
    const auto rows =
        database.session().run(kWindow, low, high, filter.queue, filter.kind, filter.state,
                               static_cast<int>(limit - page.jobs.size()));
    for (const auto& row : rows) page.jobs.push_back(read_summary(row));
    const auto took = Clock::now() - start;
    if (took < kQuickWindow) width = std::min(width * 4, kLargestWindow);
    if (took > kSlowWindow) width = std::max(width / 4, kSmallestWindow);
    high = page.jobs.size() == limit ? page.jobs.back().id - 1 : low;
  }
  page.next = high > 0 ? high + 1 : 0;
  return page;
}

}  // namespace outbox::store
