// The finish of a claimed job: every write is fenced by its claim token; a write that hits no row
// is a normal answer.
#pragma once

#include <string>
#include <vector>

#include "core/decide.hpp"
#include "store/claimed.hpp"
#include "store/database.hpp"

namespace outbox::store {

/// Why an attempt did not succeed, for job_failures.
struct Failure {
  const char* reason{"error"};  ///< error, timeout, discarded or expired.
  std::string sqlstate{};       ///< Empty when the database did not raise it.
  std::string detail{};         ///< JSON text, what an external handler got back; empty: none.
};

/// Writes any verdict but WriteDone in a transaction of its own. False: the job is not this claim's
/// any more, nothing was written. Error texts may be any bytes. A detail that is longer than
/// core::kDetailBytesMax or that the server does not take for JSON is left out; a snooze keeps
/// none. Throws core::DbError.
[[nodiscard]] bool settle(Database& database, int processor, const Claimed& claimed,
                          const core::Verdict& verdict, const Failure& failure);

/// Gives claims back that no handler has started or that a stop cut short: nothing is charged.
/// Returns how many were still ours.
int release(Database& database, int processor, const std::vector<Claimed>& claims);

/// Whether this claim is still the job's newest: after a lost reply of COMMIT, true means that it
/// did not commit.
[[nodiscard]] bool still_claimed(Database& database, int processor, const Claimed& claimed);

}  // namespace outbox::store
