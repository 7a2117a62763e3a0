// SQL of the second read of large jobs.
#include "store/content.hpp"

#include "pg/session.hpp"
#include "store/statements.hpp"

namespace outbox::store {

namespace {

// Index: jobs_pkey. Locks: none; if the claim is lost meanwhile, its finish will tell.
constexpr pg::Statement kContent{"content", R"(/* outbox:content */
SELECT j.payload, j.headers FROM outbox.jobs j WHERE j.id = $1::bigint AND j.claim_token = $2::int AND j.claimed_by = $3::int)"};

}  // namespace

bool fetch_content(Database& database, int processor, Claimed& claimed) {
  const auto result =
      database.session().run_fixed(kContent, claimed.job.id, claimed.claim_token, processor);
  if (pg::count(result) == 0) return false;
  claimed.job.payload = pg::text(result[0][0]);
  claimed.job.headers = result[0][1].is_null() ? "{}" : pg::text(result[0][1]);
  return true;
}

void drop_content(Claimed& claimed) {
  claimed.job.payload = std::string{};
  claimed.job.headers = std::string{};
}

std::vector<pg::Statement> content_statements() { return {kContent}; }

}  // namespace outbox::store
