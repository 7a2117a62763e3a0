// SQL of discarding a job by hand; the work is done by a function of migration 0004, where indexes,
// locks and reasons are told.
#include "store/jobs_discard.hpp"

#include "pg/session.hpp"

namespace outbox::store {

namespace {

// A function scan of one row; indexes and locks: in the function.
constexpr pg::Statement kDiscard{"jobs_discard", R"(/* outbox:jobs_discard */
SELECT r.result, r.message, coalesce(r.processor_id, 0), r.processor FROM outbox.discard($1::bigint, $2::text, $3::text) AS r)"};

}  // namespace

Discarded jobs_discard(Database& database, std::int64_t id, const Stated& stated) {
  const auto said = stated.storable();
  const auto rows = database.session().run(kDiscard, id, said.why, said.actor);
  const auto& row = rows[0];
  const auto result = pg::text(row[0]);
  const auto end = result == "discarded"  ? DiscardEnd::discarded
                   : result == "claimed"  ? DiscardEnd::claimed
                   : result == "dead"     ? DiscardEnd::already_dead
                   : result == "finished" ? DiscardEnd::finished
                                          : DiscardEnd::not_found;
  return {.end = end,
          .result = result,
          .message = pg::text(row[1]),
          .processor = row[2].as<int>(),
          .holder = pg::text(row[3])};
}

}  // namespace outbox::store
