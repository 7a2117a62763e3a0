// SQL of retrying jobs by hand; the work is done by functions of migration 0004, where indexes,
// locks and reasons are told.
#include "store/jobs_retry.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "pg/session.hpp"

namespace outbox::store {

namespace {

constexpr std::int64_t kBatch = 500;

// A function scan of one row; indexes and locks: in the function.
constexpr pg::Statement kRetryJob{"jobs_retry", R"(/* outbox:jobs_retry */
SELECT r.result, r.message, coalesce(r.other_job, 0), coalesce(r.processor_id, 0), r.processor
  FROM outbox.retry($1::bigint, $2::text, $3::text) AS r)"};

// A function scan; indexes and locks: in the function. `until` is always given: a call without any
// filter is refused.
constexpr pg::Statement kRetryDead{"jobs_retry_dead", R"(/* outbox:jobs_retry_dead */
SELECT r.id, r.result, r.message
  FROM outbox.retry_matching(queue => nullif($1::text, ''), kind => nullif($2::text, ''), error => nullif($3::text, ''),
                             since => nullif($4::text, '')::timestamptz, until => coalesce(nullif($5::text, ''), 'infinity')::timestamptz,
                             most => $6::int, preview => $7::boolean, why => $8::text, actor => $9::text, after => $10::bigint) AS r)"};

constexpr std::array<std::pair<std::string_view, RetryEnd>, 7> kEnds{
    {{"requeued", RetryEnd::requeued},
     {"hastened", RetryEnd::hastened},
     {"waiting", RetryEnd::waiting},
     {"claimed", RetryEnd::claimed},
     {"stranded", RetryEnd::stranded},
     {"finished", RetryEnd::finished},
     {"twin", RetryEnd::twin}}};

RetryEnd end_of(std::string_view result) {
  const auto* const found = std::find_if(kEnds.begin(), kEnds.end(),
                                         [&](const auto& end) { return end.first == result; });
  return found == kEnds.end() ? RetryEnd::not_found : found->second;
}

}  // namespace

Retried jobs_retry(Database& database, std::int64_t id, const Stated& stated) {
  const auto said = stated.storable();
  const auto rows = database.session().run(kRetryJob, id, said.why, said.actor);
  const auto& row = rows[0];
  const auto result = pg::text(row[0]);
  return {.end = end_of(result),
          .result = result,
          .message = pg::text(row[1]),
          .twin = row[2].as<std::int64_t>(),
          .processor = row[3].as<int>(),
          .holder = pg::text(row[4])};
}

RetriedAll jobs_retry_dead(Database& database, const DeadFilter& filter, const Stated& stated) {
  pg::Session& session = database.session();
  const auto said = stated.storable();
  const auto error = core::storable(filter.error, core::kLastErrorBytesMax);
  RetriedAll all;
  std::int64_t cursor = 0;
  std::int64_t left = filter.limit;
  while (left > 0) {
    const auto batch = std::min(left, kBatch);
    const auto rows =
        session.run(kRetryDead, filter.queue, filter.kind, error, filter.since, filter.until, batch,
                    filter.preview, said.why, said.actor, cursor);
    for (const auto& row : rows) {
      const auto end = end_of(pg::text(row[1]));
      cursor = std::max(cursor, row[0].as<std::int64_t>());
      ++(end == RetryEnd::requeued ? all.requeued : all.skipped);
      if (filter.preview) all.would_be.push_back({cursor, pg::text(row[1]), pg::text(row[2])});
    }
    const auto picked = static_cast<std::int64_t>(pg::count(rows));
    left -= picked;
    if (picked < batch) return all;
  }
  all.more = true;
  return all;
}

}  // namespace outbox::store
