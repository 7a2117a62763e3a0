// Runs one claimed job in one transaction: the handler's writes, the job's completion and its
// history row commit together.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <variant>

#include <outbox/outcome.hpp>

#include "store/claimed.hpp"
#include "store/database.hpp"
#include "store/sql_body.hpp"

namespace pqxx {
class dbtransaction;
}

namespace outbox::store {

/// A C++ handler: gets the open transaction; may throw anything.
using Body = std::function<Outcome(pqxx::dbtransaction&)>;

struct RunRequest {
  int processor{};
  bool history{true};
  std::chrono::milliseconds timeout{};  ///< statement_timeout of the transaction.
};

/// The transaction committed: the job is done.
struct RanDone {};
/// Nothing of it is stored; the handler said, or its failure means, `outcome` (never Done).
struct RanUndone {
  Outcome outcome;
  const char* reason{"error"};  ///< error, timeout or discarded; for job_failures.
  std::string sqlstate;
};
/// Nothing of it is stored: the job is not this claim's any more.
struct RanStale {};
/// It expired before its turn came: the handler did not run.
struct RanExpired {};
using Ran = std::variant<RanDone, RanUndone, RanStale, RanExpired>;

/// What anything but Done means.
[[nodiscard]] RanUndone undone(Outcome outcome);
/// What the exception means that a handler let out, if it is not the database's. Call inside a
/// catch block.
[[nodiscard]] RanUndone undone_by_exception();

/// Throws core::DbError only for what is not the job's fault: outage, in_doubt, conflict, bug.
[[nodiscard]] Ran run(Database& database, const RunRequest& request, const Claimed& claimed,
                      const Body& body);
[[nodiscard]] Ran run(Database& database, const RunRequest& request, const Claimed& claimed,
                      const SqlBody& body);

/// What an error from outbox.guard means (SQLSTATE in its first five characters). Pure.
[[nodiscard]] RanUndone from_guard(std::string_view error);

}  // namespace outbox::store
