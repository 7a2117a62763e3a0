// SQL of the job list: windows of ids over the view job_states, so that no call reads a whole
// table.
#include "store/jobs_list.hpp"

#include <algorithm>
#include <optional>
#include <string>

#include "pg/session.hpp"
#include "store/job_row.hpp"

namespace outbox::store {

namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr std::int64_t kFirstWindow = 10'000;
constexpr std::int64_t kLargestWindow = std::int64_t{1} << 40;
constexpr milliseconds kQuickWindow{150};
constexpr milliseconds kWindowPatience{1'000};
constexpr milliseconds kPagePatience{2'000};

// The highest id there may be. Index: the two primary keys, backwards, one row each. The sequence,
// because history has no ordered index on id; the tables, because a row may have been put there by
// hand with an id of its own. No locks.
constexpr pg::Statement kTop{"jobs_list_top", R"(/* outbox:jobs_list_top */
SELECT greatest((SELECT last_value FROM outbox.jobs_id_seq), (SELECT max(id) FROM outbox.jobs),
                (SELECT max(id) FROM outbox.dead_jobs)),
       (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)"};

// Index: jobs_pkey, dead_jobs_pkey and the BRIN index on finished_jobs.id; the window of ids
// reaches all three through the view's UNION ALL. An id is in one table, so a window has at most as
// many rows as ids; sorting those is the price. No locks. The condition on ended_at, which is NULL
// in the branch of the live jobs, spares that branch when only ended ones are wanted.
constexpr pg::Statement kWindow{
    "jobs_list_window",
    "/* outbox:jobs_list_window */ SELECT " OUTBOX_SUMMARY_COLUMNS
    " FROM outbox.job_states s WHERE s.id > $1::bigint AND s.id <= $2::bigint"
    " AND ($3::text = '' OR s.queue = $3::text) AND ($4::text = '' OR s.kind = $4::text)"
    " AND ($5::text = '' OR s.state = $5::text)"
    " AND ($5::text NOT IN ('dead', 'finished') OR s.ended_at IS NOT NULL)"
    " ORDER BY s.id DESC LIMIT $6::int"};

// Only for the transaction of one wide window.
constexpr pg::Statement kHurry{"jobs_list_hurry", R"(/* outbox:jobs_list_hurry */
SELECT set_config('statement_timeout', $1, true))"};

struct Window {
  std::int64_t low{};
  std::int64_t high{};
  int limit{};
};

/// Nothing when it took too long. The narrowest window has the time of any other statement.
std::optional<pqxx::result> look(pg::Session& session, const JobFilter& filter,
                                 const Window& window) {
  const bool narrow = window.high - window.low <= kFirstWindow;
  try {
    return session.transact([&](pqxx::transaction_base& tx) {
      if (!narrow) session.call(tx, kHurry, std::to_string(kWindowPatience.count()));
      return session.call(tx, kWindow, window.low, window.high, filter.queue, filter.kind,
                          filter.state, window.limit);
    });
  } catch (const core::DbError& e) {
    if (narrow || e.fault() != core::Fault::canceled) throw;
    return std::nullopt;
  }
}

}  // namespace

JobPage jobs_list(Database& database, const JobFilter& filter) {
  pg::Session& session = database.session();
  JobPage page;
  const auto top = session.run(kTop);
  page.now = Moment{std::chrono::microseconds{top[0][1].as<std::int64_t>()}};
  std::int64_t high = top[0][0].as<std::int64_t>();
  if (filter.after > 0) high = std::min(high, filter.after - 1);

  const auto limit = static_cast<std::size_t>(filter.limit);
  const auto give_up = Clock::now() + kPagePatience;
  std::int64_t width = kFirstWindow;
  std::int64_t widest = kLargestWindow;
  Clock::duration before{};
  while (high > 0 && page.jobs.size() < limit && Clock::now() < give_up) {
    const Window window{std::max<std::int64_t>(0, high - width), high,
                        static_cast<int>(limit - page.jobs.size())};
    const auto start = Clock::now();
    const auto rows = look(session, filter, window);
    const auto took = Clock::now() - start;
    if (!rows) {  // it grew over a stretch without jobs, and then there were too many
      widest = width = std::max(width / 4, kFirstWindow);
      continue;
    }
    for (const auto& row : *rows) page.jobs.push_back(read_summary(row));
    // A window that was wider but took no longer pays a fixed price (history that VACUUM has not
    // summarised yet), so the next one may as well be wider still.
    if (took < kQuickWindow || took < 2 * before) width = std::min(width * 4, widest);
    before = took;
    high = page.jobs.size() == limit ? page.jobs.back().id - 1 : window.low;
  }
  page.next = high > 0 ? high + 1 : 0;
  return page;
}

}  // namespace outbox::store
