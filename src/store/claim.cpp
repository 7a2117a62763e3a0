// SQL of the claim. Autocommit: one round trip, committed before a handler starts, so that a crash
// is visible and counted.
#include "store/claim.hpp"

#include <algorithm>
#include <tuple>

#include "observe/fault_point.hpp"
#include "pg/array.hpp"
#include "pg/session.hpp"
#include "store/statements.hpp"

namespace outbox::store {

namespace {

// Index: jobs_claim_idx, one tight range per priority (LATERAL), so the future and other priorities
// are never walked. Locks: the rows taken, SKIP LOCKED. Form: `ctid = ANY (ARRAY(…))` takes exactly
// n rows; `id IN (SELECT … LIMIT n)` may run its subquery once per outer row. The clock is an
// InitPlan: clock_timestamp() itself could not be an index condition. `id + 0` is how the index
// spells its last column, see the migration. claimed_by, suspect and kind
// are filters, never index columns, so that the claim is HOT. A row that somebody changed after the
// snapshot is locked but missed by its ctid: harmless, the next sweep takes it. A payload comes
// along if it is small and not compressed: up to a thousand claims are held ahead of their
// handlers, and what those take must have a bound; a large one is read when its turn comes
// (content.cpp).
constexpr pg::Statement kClaim{"claim", R"(/* outbox:claim */
UPDATE outbox.jobs j
   SET claimed_by = $2::int, claimed_at = clock_timestamp(), claim_token = j.claim_token + 1,
       attempt = least(j.attempt + 1, j.max_attempts)
 WHERE j.ctid = ANY (ARRAY(
   SELECT x.ctid
     FROM unnest('{0,1,2,3}'::smallint[], $3::bigint[], $4::bigint[]) AS p (priority, run_at_us, id),
          LATERAL (
            SELECT c.ctid FROM outbox.jobs c
             WHERE c.queue = $1 AND c.priority = p.priority AND c.run_at <= (SELECT clock_timestamp())
               AND (c.run_at, c.id + 0) >= (coalesce('epoch'::timestamptz + p.run_at_us * interval '1 microsecond', '-infinity'), p.id)
               AND c.claimed_by IS NULL AND NOT c.suspect AND c.kind = ANY ($5::text[])
               AND NOT EXISTS (SELECT FROM outbox.queues q WHERE q.name = $1 AND q.paused_at IS NOT NULL)
             ORDER BY c.run_at, c.id + 0 LIMIT $6::int FOR UPDATE SKIP LOCKED) x
    LIMIT $6::int))
RETURNING j.ctid, j.id, j.claim_token, j.attempt, j.max_attempts, j.crashes, j.priority, j.kind, j.unique_key,
          CASE WHEN pg_column_size(j.payload) <= 8192 AND pg_column_compression(j.payload) IS NULL THEN j.payload END,
          CASE WHEN pg_column_size(j.headers) <= 8192 AND pg_column_compression(j.headers) IS NULL THEN j.headers END, j.headers IS NULL,
          (date_part('epoch', j.run_at) * 1000000)::bigint, (date_part('epoch', clock_timestamp() - j.run_at) * 1000000)::bigint,
          CASE WHEN isfinite(j.expires_at) THEN (date_part('epoch', j.expires_at) * 1000000)::bigint END)"};

// Index: jobs_suspect_idx (partial, nearly always empty). Locks: the rows taken. The attempt was
// paid by the claim that crashed.
constexpr pg::Statement kClaimSuspects{"claim_suspect", R"(/* outbox:claim_suspect */
UPDATE outbox.jobs j
   SET claimed_by = $2::int, claimed_at = clock_timestamp(), claim_token = j.claim_token + 1, attempt = greatest(j.attempt, 1)
 WHERE j.ctid = ANY (ARRAY(
   SELECT c.ctid FROM outbox.jobs c
    WHERE c.queue = $1 AND c.suspect AND c.run_at <= (SELECT clock_timestamp())
      AND c.claimed_by IS NULL AND c.kind = ANY ($3::text[])
      AND NOT EXISTS (SELECT FROM outbox.queues q WHERE q.name = $1 AND q.paused_at IS NOT NULL)
    ORDER BY c.run_at, c.id LIMIT $4::int FOR UPDATE SKIP LOCKED))
RETURNING j.ctid, j.id, j.claim_token, j.attempt, j.max_attempts, j.crashes, j.priority, j.kind, j.unique_key,
          CASE WHEN pg_column_size(j.payload) <= 8192 AND pg_column_compression(j.payload) IS NULL THEN j.payload END,
          CASE WHEN pg_column_size(j.headers) <= 8192 AND pg_column_compression(j.headers) IS NULL THEN j.headers END, j.headers IS NULL,
          (date_part('epoch', j.run_at) * 1000000)::bigint, (date_part('epoch', clock_timestamp() - j.run_at) * 1000000)::bigint,
          CASE WHEN isfinite(j.expires_at) THEN (date_part('epoch', j.expires_at) * 1000000)::bigint END)"};

constexpr pg::Statement kSuspectWaiting{"suspect_waiting", R"(/* outbox:suspect_waiting */
SELECT FROM outbox.jobs c
 WHERE c.queue = $1 AND c.suspect AND c.run_at <= (SELECT clock_timestamp()) AND c.claimed_by IS NULL AND c.kind = ANY ($2::text[])
   AND NOT EXISTS (SELECT FROM outbox.queues q WHERE q.name = $1 AND q.paused_at IS NOT NULL)
 ORDER BY c.run_at, c.id LIMIT 1)"};

// No table.
constexpr pg::Statement kClock{"clock", R"(/* outbox:clock */
SELECT (date_part('epoch', clock_timestamp()) * 1000000)::bigint)"};

/// Jobs are seen so long after their run_at, which is when their transaction began, in most cases;
/// the looks from the start find the others.
constexpr core::microseconds kCommitTime{1'000'000};

struct Row {
  Claimed claimed;
  std::int64_t run_at_us{};
};

template <class PqxxRow>
Row read(const PqxxRow& row, const std::string& queue) {
  Row out;
  Claimed& c = out.claimed;
  c.ctid = pg::text(row[0]);
  c.job.id = row[1].template as<std::int64_t>();
  c.claim_token = row[2].template as<int>();
  c.job.attempt = row[3].template as<int>();
  c.job.max_attempts = row[4].template as<int>();
  c.crashes = row[5].template as<int>();
  c.job.priority = row[6].template as<int>();
  c.job.queue = queue;
  c.job.kind = pg::text(row[7]);
  c.job.unique_key = pg::text(row[8]);
  const bool has_headers = !row[11].template as<bool>();
  c.content_left = row[9].is_null() || (has_headers && row[10].is_null());
  c.job.payload = pg::text(row[9]);
  c.job.headers = has_headers ? pg::text(row[10]) : "{}";
  out.run_at_us = row[12].template as<std::int64_t>();
  c.waited = core::microseconds{row[13].template as<std::int64_t>()};
  c.claimed_at_us = out.run_at_us + c.waited.count();
  if (!row[14].is_null()) c.expires_at_us = row[14].template as<std::int64_t>();
  return out;
}

}  // namespace

std::string Cursor::run_at_array(From from) const {
  std::string out{"{"};
  for (const auto& place : places_) {
    if (out.size() > 1) out += ',';
    out += place && from == From::cursor ? std::to_string(place->run_at_us) : "NULL";
  }
  return out += '}';
}

std::string Cursor::id_array(From from) const {
  std::string out{"{"};
  for (const auto& place : places_) {
    if (out.size() > 1) out += ',';
    out += std::to_string(place && from == From::cursor ? place->id : 0);
  }
  return out += '}';
}

std::vector<Claimed> claim(Database& database, const ClaimRequest& request, From from,
                           Cursor& cursor) {
  observe::fault_point("claim.before", database.socket());
  const auto result =
      database.session().run(kClaim, request.queue, request.processor, cursor.run_at_array(from),
                             cursor.id_array(from), pg::text_array(request.kinds), request.most);
  observe::fault_point("claim.after", database.socket());
  std::vector<Row> rows;
  rows.reserve(pg::count(result));
  for (const auto& row : result) rows.push_back(read(row, request.queue));
  // RETURNING comes in physical order; handlers start in the order that was asked for.
  std::sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) {
    return std::tie(a.claimed.job.priority, a.run_at_us, a.claimed.job.id) <
           std::tie(b.claimed.job.priority, b.run_at_us, b.claimed.job.id);
  });
  std::vector<Claimed> out;
  std::vector<std::pair<int, Cursor::Place>> places;
  out.reserve(rows.size());
  places.reserve(rows.size());
  for (auto& row : rows) {
    places.push_back({row.claimed.job.priority, {row.run_at_us, row.claimed.job.id}});
    out.push_back(std::move(row.claimed));
  }
  cursor.found(places, from, request.most);
  return out;
}

void pass_empty(Database& database, core::microseconds took, Cursor& cursor) {
  const auto now = database.session().run(kClock)[0][0].as<std::int64_t>();
  cursor.skip_to(now - took.count() - kCommitTime.count());
}

bool suspect_waiting(Database& database, const ClaimRequest& request) {
  return pg::count(database.session().run(kSuspectWaiting, request.queue,
                                          pg::text_array(request.kinds))) > 0;
}

std::vector<Claimed> claim_suspects(Database& database, const ClaimRequest& request) {
  observe::fault_point("suspect.before", database.socket());
  const auto result = database.session().run(kClaimSuspects, request.queue, request.processor,
                                             pg::text_array(request.kinds), request.most);
  observe::fault_point("suspect.after", database.socket());
  std::vector<Claimed> out;
  for (const auto& row : result) {
    out.push_back(read(row, request.queue).claimed);
    out.back().suspect = true;
  }
  return out;
}

std::optional<Claimed> claim_suspect(Database& database, ClaimRequest request) {
  request.most = 1;
  auto claimed = claim_suspects(database, request);
  if (claimed.empty()) return std::nullopt;
  return std::move(claimed.front());
}

std::vector<pg::Statement> claim_statements() {
  return {kClaim, kClaimSuspects, kSuspectWaiting, kClock};
}

}  // namespace outbox::store
