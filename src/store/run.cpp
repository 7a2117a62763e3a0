// The transaction around a handler. The finish is the last statement before COMMIT: when the
// handler swallowed an SQL error the finish fails with 25P02, so that libpqxx 6.4 cannot report a
// commit that stored nothing.
#include "store/run.hpp"

#include <charconv>
#include <exception>

#include "core/limits.hpp"
#include "observe/fault_point.hpp"
#include "pg/session.hpp"
#include "store/statements.hpp"

namespace outbox::store {

namespace {

using core::DbError;
using core::Fault;

// Whether the job expired while it waited for its turn here. The clock of the database decides.
constexpr pg::Statement kExpired{"expired", R"(/* outbox:expired */
SELECT $1::bigint <= date_part('epoch', clock_timestamp()) * 1000000)"};

constexpr pg::Statement kGuard{"guard", R"(/* outbox:guard */
SELECT outbox.guard($1, nullif($2, ''), $3::jsonb, $4::bigint, $5::int, $6::jsonb, 0))"};

// Index, locks and reasons: in the functions (migration 0003). Raises when it hits no row, so that
// the COMMIT that travels with it cannot happen; with 25P02 after an error that the handler
// swallowed.
constexpr pg::Statement kFinishJob{"finish_job", R"(/* outbox:finish_job */
SELECT outbox.finish_job($1::tid, $2::bigint, $3::int, $4::int, $5::boolean, current_setting('outbox.claim', true)))"};

// Expiry, guard() and finish_job() in one round trip and one transaction.
constexpr pg::Statement kRunJob{"run_job", R"(/* outbox:run_job */
SELECT outbox.run_job($1, nullif($2, ''), $3::jsonb, $4::bigint, $5::int, $6::jsonb, $7::bigint, $8::tid, $9::int, $10::int, $11::boolean, $12, $13::int))"};

constexpr std::string_view kExpiredState{"OB013"};
constexpr std::string_view kStaleState{"OB020"};
constexpr std::string_view kEndedState{"OB021"};
constexpr std::string_view kLimitState{"OB022"};

enum class Stage { enter, handler, finish };

/// Thrown inside the transaction to undo it; carries the answer out.
struct Undo {
  Ran ran;
};

/// How much longer than its timeout a handler may keep its transaction without a statement: then
/// the server ends it, lest a process that stands still keeps its locks for ever.
constexpr std::chrono::milliseconds kIdleMargin{10'000};

/// For the transaction of one job: its time limits, and a mark that vanishes if the handler ends
/// the transaction behind our back; the finish then refuses. The same text for every job of a kind:
/// pg_stat_statements keeps an entry for each.
std::string settings_of(const RunRequest& request) {
  return "SET LOCAL outbox.claim = 'held'; SET LOCAL statement_timeout = " +
         std::to_string(request.timeout.count()) +
         "; SET LOCAL idle_in_transaction_session_timeout = " +
         std::to_string((request.timeout + kIdleMargin).count());
}

RanUndone ended_by_handler() {
  return {Retry{"the handler ended the transaction it was given: what it wrote is committed, the "
                "job is not finished; hint: leave COMMIT and ROLLBACK to outboxd"},
          "error", "2D000"};
}

/// The finish as text, for one round trip with COMMIT; all of it are values of our own.
std::string finish_text(pg::Session& session, const RunRequest& request, const Claimed& claimed) {
  const auto row = "'" + claimed.ctid + "', " + std::to_string(claimed.job.id) + ", " +
                   std::to_string(claimed.claim_token) + ", " + std::to_string(request.processor) +
                   (request.history ? ", true" : ", false");
  if (session.pooled())
    return "SELECT outbox.finish_job(" + row + ", current_setting('outbox.claim', true))";
  session.prepare(kFinishJob);
  return std::string{"EXECUTE "} + kFinishJob.name + "(" + row + ")";
}

/// What an exception means that reached us from `stage`; `open`: the connection still stands. Call
/// inside a catch block. An error without SQLSTATE is the client library's own word: no reply came,
/// as when it could not even send on a connection that is gone.
Ran explain(Stage stage, bool open) {
  try {
    pg::rethrow_classified();
  } catch (const Undo& undo) {
    return undo.ran;
  } catch (const DbError& e) {
    const bool no_reply = e.fault() == Fault::rejected && e.sqlstate().empty();
    if (stage == Stage::finish && (e.connection_lost() || no_reply))
      throw DbError{Fault::in_doubt, e.sqlstate(), e.what()};
    if (no_reply && !open) throw DbError{Fault::outage, "08006", e.what()};
    if (e.session_lost() || e.fault() == Fault::conflict || stage == Stage::enter) throw;
    if (stage == Stage::finish) {
      if (e.sqlstate() == kStaleState) return RanStale{};
      // libpqxx refuses to go on with a transaction that was ended through it.
      if (e.sqlstate() == kEndedState || e.fault() == Fault::bug) return ended_by_handler();
    }
    if (e.fault() == Fault::canceled) return RanUndone{Retry{e.what()}, "timeout", e.sqlstate()};
    if (e.sqlstate() == "25P02") {
      return RanUndone{Retry{"the handler went on after an SQL error that it caught: its "
                             "transaction cannot commit; "
                             "hint: let the exception pass, or use a savepoint"},
                       "error", "25P02"};
    }
    return RanUndone{Retry{e.what()}, "error", e.sqlstate()};
  } catch (...) {
    return undone_by_exception();
  }
}

/// Two round trips and those of the handler: BEGIN with the settings, and the finish with COMMIT.
template <class Inside>
Ran in_transaction(Database& database, const RunRequest& request, const Claimed& claimed,
                   Inside&& inside) {
  auto& session = database.session();
  auto stage = Stage::enter;
  try {
    pg::HandlerTransaction tx{session.raw(), settings_of(request)};
    if (claimed.expires_at_us &&
        session.call(tx, kExpired, *claimed.expires_at_us)[0][0].template as<bool>())
      return RanExpired{};
    const auto finish = finish_text(session, request, claimed);
    stage = Stage::handler;
    observe::fault_point("handler.before", database.socket());
    inside(session, tx);
    observe::fault_point("handler.after", database.socket());
    if (session.raw().is_open()) stage = Stage::finish;  // else nothing is in doubt
    tx.finish(finish);
    observe::fault_point("commit.after", database.socket());
    return RanDone{};
  } catch (...) {
    return explain(stage, session.raw().is_open());
  }
}

/// What guard() reports. Throws core::DbError for what is not the job's fault.
Ran read_guard(const pqxx::result& result) {
  if (result[0][0].is_null()) return RanDone{};
  const auto error = pg::text(result[0][0]);
  if (error == kExpiredState) return RanExpired{};
  auto undone = from_guard(error);
  const auto fault = undone.sqlstate.empty()
                         ? Fault::rejected
                         : pg::classify(undone.sqlstate, std::get<Retry>(undone.outcome).why);
  if (fault == Fault::conflict || fault == Fault::outage)
    throw DbError{fault, undone.sqlstate, std::get<Retry>(undone.outcome).why};
  return undone;
}

/// Where a pooler stands between nothing of a session lasts: the time limit must be the
/// transaction's.
Ran run_pooled(Database& database, const RunRequest& request, const Claimed& claimed,
               const SqlBody& body) {
  return in_transaction(
      database, request, claimed, [&](pg::Session& session, pqxx::transaction_base& tx) {
        const Job& job = claimed.job;
        auto ran = read_guard(session.call(tx, kGuard, body.statement, body.role, job.payload,
                                           job.id, job.attempt, job.headers));
        if (!std::holds_alternative<RanDone>(ran)) throw Undo{std::move(ran)};
      });
}

}  // namespace

RanUndone undone(Outcome outcome) {
  const char* reason = std::holds_alternative<Discard>(outcome) ? "discarded" : "error";
  return {std::move(outcome), reason, {}};
}

RanUndone undone_by_exception() {
  try {
    throw;
  } catch (const std::exception& e) {
    return undone(Retry{e.what()});
  } catch (...) {
    return undone(Retry{"the handler threw something that is not a std::exception"});
  }
}

RanUndone from_guard(std::string_view error) {
  const std::string state{error.substr(0, 5)};
  const std::string_view rest = error.size() > 5 ? error.substr(5) : std::string_view{};
  const auto leading_ms = [&] {
    std::int64_t ms{0};
    std::from_chars(rest.data(), rest.data() + rest.size(), ms);
    return std::chrono::milliseconds{ms};
  };
  if (state == "OB010") return undone(Snooze{leading_ms()});
  if (state == "OB011") return undone(Discard{std::string{rest}});
  if (state == "OB012") {
    const auto space = rest.find(' ');
    return undone(
        Retry{std::string{space == std::string_view::npos ? rest : rest.substr(space + 1)},
              leading_ms()});
  }
  return {Retry{std::string{rest}}, "error", state};
}

Ran run(Database& database, const RunRequest& request, const Claimed& claimed, const Body& body) {
  return in_transaction(database, request, claimed, [&](pg::Session&, pqxx::dbtransaction& tx) {
    Outcome outcome = body(tx);
    if (std::holds_alternative<Done>(outcome)) return;
    throw Undo{undone(std::move(outcome))};
  });
}

Ran run(Database& database, const RunRequest& request, const Claimed& claimed,
        const SqlBody& body) {
  if (database.pooled()) return run_pooled(database, request, claimed, body);
  auto& session = database.session();
  const int number = number_for(database, body);
  const Job& job = claimed.job;
  for (bool again = false;; again = true) {
    const auto& limit = session.limit_statements(request.timeout);
    pqxx::result result;
    try {
      observe::fault_point("job.before", database.socket());
      result = session.run(kRunJob, body.statement, body.role, job.payload, job.id, job.attempt,
                           job.headers, claimed.expires_at_us, claimed.ctid, claimed.claim_token,
                           request.processor, request.history, limit, number);
      observe::fault_point("job.after", database.socket());
    } catch (...) {
      return explain(Stage::finish, session.raw().is_open());
    }
    // A handler of this session may have set the time limit: then nothing was done.
    if (again || pg::text(result[0][0]) != kLimitState) return read_guard(result);
    session.forget_limit();
  }
}

std::vector<pg::Statement> run_statements() { return {kExpired, kGuard, kFinishJob, kRunJob}; }

}  // namespace outbox::store
