// SQL of retry, snooze, dead letter and release. The finish of a job that worked stands in run.cpp,
// inside its own transaction.
#include "store/finish.hpp"

#include "core/limits.hpp"
#include "core/text.hpp"
#include "observe/fault_point.hpp"
#include "pg/session.hpp"
#include "store/kept_detail.hpp"
#include "store/statements.hpp"

namespace outbox::store {

namespace {

// Index: jobs_pkey. Locks: the row. By id, not by ctid: a failure is rare, and this form follows
// the row wherever it is. run_at is indexed, so this update is not HOT. An orderly end clears the
// suspicion.
constexpr pg::Statement kRetry{"retry", R"(/* outbox:retry */
WITH u AS (
  UPDATE outbox.jobs j
     SET claimed_by = NULL, claimed_at = NULL, suspect = false, last_error = $5::text,
         run_at = clock_timestamp() + $4::bigint * interval '1 millisecond'
   WHERE j.id = $1::bigint AND j.claim_token = $2::int AND j.claimed_by = $3::int
  RETURNING j.id, j.attempt, j.queue, j.kind)
INSERT INTO outbox.job_failures (job_id, processor_id, attempt, reason, queue, kind, sqlstate, error, detail)
SELECT u.id, $3::int, u.attempt, $6::text, u.queue, u.kind, nullif($7::text, ''), $8::text, nullif($9::text, '')::jsonb FROM u)"};

// As kRetry; the attempt is refunded, and nothing failed.
constexpr pg::Statement kSnooze{"snooze", R"(/* outbox:snooze */
UPDATE outbox.jobs j
   SET claimed_by = NULL, claimed_at = NULL, suspect = false, attempt = greatest(j.attempt - 1, 0),
       run_at = clock_timestamp() + $4::bigint * interval '1 millisecond'
 WHERE j.id = $1::bigint AND j.claim_token = $2::int AND j.claimed_by = $3::int)"};

// Index: jobs_pkey. Locks: the row, which moves. ON CONFLICT: an operator may have put a dead
// letter of this id there by hand.
constexpr pg::Statement kBury{"bury", R"(/* outbox:bury */
WITH d AS (
  DELETE FROM outbox.jobs j
   WHERE j.id = $1::bigint AND j.claim_token = $2::int AND j.claimed_by = $3::int
  RETURNING j.*),
f AS (
  INSERT INTO outbox.job_failures (job_id, processor_id, attempt, reason, queue, kind, sqlstate, error, detail)
  SELECT d.id, $3::int, d.attempt, $6::text, d.queue, d.kind, nullif($7::text, ''), $8::text, nullif($9::text, '')::jsonb FROM d)
INSERT INTO outbox.dead_jobs (id, created_at, run_at, expires_at, processor_id, priority, attempt, max_attempts, crashes,
                              claim_token, reason, queue, kind, unique_key, payload, headers, last_error)
SELECT d.id, d.created_at, d.run_at, d.expires_at, $3::int, d.priority, d.attempt, d.max_attempts, d.crashes,
       d.claim_token, $4::text, d.queue, d.kind, d.unique_key, d.payload, d.headers, $5::text
  FROM d
ON CONFLICT (id) DO UPDATE SET died_at = excluded.died_at, reason = excluded.reason, last_error = excluded.last_error)"};

// Index: jobs_pkey, one descent for each id; a join with the arrays could put the table on the
// outer side. A suspect keeps its attempt, because its claim did not charge one. The token goes up
// so that a handler that still runs can write nothing more.
constexpr pg::Statement kRelease{"release", R"(/* outbox:release */
UPDATE outbox.jobs j
   SET claimed_by = NULL, claimed_at = NULL, claim_token = j.claim_token + 1,
       attempt = CASE WHEN j.suspect THEN j.attempt ELSE greatest(j.attempt - 1, 0) END
 WHERE j.id = ANY ($2::bigint[]) AND j.claim_token = ($3::int[])[array_position($2::bigint[], j.id)] AND j.claimed_by = $1::int)"};

constexpr pg::Statement kStillClaimed{"still_claimed", R"(/* outbox:still_claimed */
SELECT FROM outbox.jobs j WHERE j.id = $1::bigint AND j.claim_token = $2::int AND j.claimed_by = $3::int)"};

/// Whether the job was still this claim's.
bool write_end(Database& database, int processor, const Claimed& claimed,
               const core::Verdict& verdict, const Failure& failure, const std::string& detail) {
  auto& session = database.session();
  const auto id = claimed.job.id;
  const auto token = claimed.claim_token;
  const auto write = [&](const pg::Statement& statement, const auto& what,
                         const std::string& error) {
    return pg::affected(session.run_fixed(statement, id, token, processor, what,
                                          core::storable(error, core::kLastErrorBytesMax),
                                          failure.reason, failure.sqlstate,
                                          core::storable(error, core::kErrorBytesMax), detail)) > 0;
  };
  return std::visit(
      core::overloaded{
          [](const core::WriteDone&) {
            return false;
          },  // only run() may finish a job, inside its transaction
          [&](const core::WriteRetry& retry) {
            return write(kRetry, std::int64_t{retry.delay.count()}, retry.error);
          },
          [&](const core::WriteDead& dead) { return write(kBury, dead.reason, dead.error); },
          [&](const core::WriteSnooze& snooze) {
            return pg::affected(session.run_fixed(kSnooze, id, token, processor,
                                                  std::int64_t{snooze.delay.count()})) > 0;
          },
      },
      verdict);
}

}  // namespace

bool settle(Database& database, int processor, const Claimed& claimed, const core::Verdict& verdict,
            const Failure& failure) {
  observe::fault_point("settle.before", database.socket());
  bool written = false;
  try {
    written =
        write_end(database, processor, claimed, verdict, failure, kept_detail(failure.detail));
  } catch (const core::DbError& e) {
    if (failure.detail.empty() || !refused_value(e)) throw;
    written = write_end(database, processor, claimed, verdict, failure, "");
  }
  observe::fault_point("settle.after", database.socket());
  return written;
}

int release(Database& database, int processor, const std::vector<Claimed>& claims) {
  if (claims.empty()) return 0;
  LatestClaims latest;
  for (const auto& claimed : claims) latest.add(claimed);
  const auto result = database.session().run(kRelease, processor, latest.ids(), latest.tokens());
  return static_cast<int>(pg::affected(result));
}

bool still_claimed(Database& database, int processor, const Claimed& claimed) {
  return pg::count(database.session().run_fixed(kStillClaimed, claimed.job.id, claimed.claim_token,
                                                processor)) > 0;
}

std::vector<pg::Statement> finish_statements() {
  return {kRetry, kSnooze, kBury, kRelease, kStillClaimed};
}

}  // namespace outbox::store
