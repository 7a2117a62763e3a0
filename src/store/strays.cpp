// SQL of the search for lost claims.
#include "store/strays.hpp"

#include "pg/session.hpp"
#include "store/statements.hpp"

namespace outbox::store {

namespace {

// Index: jobs_claim_idx, the queue's due range from the start: a claim changes no index, so there
// is none to find it by. Locks: the rows given back, SKIP LOCKED: the server may still be running
// the statement whose reply was lost. Charges as outbox:release does. Known is a claim, not a job:
// of a job in hand a later claim may have been lost.
constexpr pg::Statement kStrays{"release_strays", R"(/* outbox:release_strays */
UPDATE outbox.jobs j
   SET claimed_by = NULL, claimed_at = NULL, claim_token = j.claim_token + 1,
       attempt = CASE WHEN j.suspect THEN j.attempt ELSE greatest(j.attempt - 1, 0) END
 WHERE j.ctid = ANY (ARRAY(
   SELECT x.ctid
     FROM unnest('{0,1,2,3}'::smallint[]) AS p (priority),
          LATERAL (
            SELECT c.ctid FROM outbox.jobs c
             WHERE c.queue = $2 AND c.priority = p.priority AND c.run_at <= (SELECT clock_timestamp())
               AND c.claimed_by = $1::int
               AND c.claim_token IS DISTINCT FROM ($4::int[])[array_position($3::bigint[], c.id)]
             FOR UPDATE SKIP LOCKED) x)))"};

}  // namespace

int release_strays(Database& database, int processor, const std::string& queue,
                   const LatestClaims& known) {
  return static_cast<int>(
      pg::affected(database.session().run(kStrays, processor, queue, known.ids(), known.tokens())));
}

std::vector<pg::Statement> strays_statements() { return {kStrays}; }

}  // namespace outbox::store
