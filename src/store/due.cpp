// SQL of the next due time.
#include "store/due.hpp"

#include <algorithm>

#include "pg/session.hpp"
#include "store/statements.hpp"

namespace outbox::store {

namespace {

// Index: jobs_claim_idx, one descent for each priority, just past the clock. Locks: none.
constexpr pg::Statement kNextDue{"next_due", R"(/* outbox:next_due */
SELECT ceil(date_part('epoch', min(x.run_at) - clock_timestamp()) * 1000)::bigint
  FROM unnest('{0,1,2,3}'::smallint[]) AS p (priority),
       LATERAL (SELECT c.run_at FROM outbox.jobs c
                 WHERE c.queue = $1 AND c.priority = p.priority AND c.run_at > (SELECT clock_timestamp())
                 ORDER BY c.run_at LIMIT 1) x)"};

}  // namespace

std::optional<std::chrono::milliseconds> next_due(Database& database, const std::string& queue) {
  const auto ms = pg::maybe<std::int64_t>(database.session().run(kNextDue, queue)[0][0]);
  if (!ms) return std::nullopt;
  return std::chrono::milliseconds{std::max<std::int64_t>(0, *ms)};
}

std::vector<pg::Statement> due_statements() { return {kNextDue}; }

}  // namespace outbox::store
