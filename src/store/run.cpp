// SQL of the finish, and the transaction around a handler. The finish is the last statement before
// COMMIT: when the handler swallowed an SQL error the finish fails with 25P02, so that libpqxx 6.4
// cannot report a commit that stored nothing.
#include "store/run.hpp"

#include <charconv>
#include <exception>

#include "core/limits.hpp"
#include "pg/session.hpp"
#include "store/statements.hpp"

namespace outbox::store {

namespace {

using core::DbError;
using core::Fault;

// Settings for this transaction only: the server's own planner settings for the handler, and
// outbox.claim, which vanishes if the handler ends the transaction behind our back; the finish then
// hits no row. Tells whether the job expired while it waited for its turn here. The clock of the
// database decides.
constexpr pg::Statement kEnter{"enter", R"(/* outbox:enter */
SELECT coalesce($5::bigint <= date_part('epoch', clock_timestamp()) * 1000000, false), set_config('statement_timeout', $1, true),
       set_config('outbox.claim', $2, true),
       (SELECT count(set_config(u.name, u.value, true)) FROM unnest($3::text[], $4::text[]) AS u (name, value)))"};

// A plan made with the handler's settings would be kept for all later jobs.
constexpr pg::Statement kFixPlans{"fix_plans", R"(/* outbox:fix_plans */
SELECT set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true),
       set_config('plan_cache_mode', 'force_generic_plan', true))"};

constexpr pg::Statement kGuard{"guard", R"(/* outbox:guard */
SELECT outbox.guard($1, nullif($2, ''), $3::jsonb, $4::bigint, $5::int, $6::jsonb))"};

// TID scan: nothing to flip. The claim left the row at this ctid; id and token make sure that it is
// still that row and claim.
constexpr pg::Statement kFinish{"finish", R"(/* outbox:finish */
WITH d AS (
  DELETE FROM outbox.jobs j
   WHERE j.ctid = $1::tid AND j.id = $2::bigint AND j.claim_token = $3::int AND j.claimed_by = $4::int
     AND current_setting('outbox.claim', true) = $5
  RETURNING j.*),
h AS (
  INSERT INTO outbox.finished_jobs (slot, priority, attempt, crashes, processor_id, id, created_at, run_at, started_at, finished_at,
                                    queue, kind, unique_key, payload, headers)
  SELECT outbox.day_slot(clock_timestamp()), d.priority, d.attempt, d.crashes, $4::int, d.id, d.created_at, d.run_at, d.claimed_at,
         clock_timestamp(), d.queue, d.kind, d.unique_key, d.payload, d.headers
    FROM d WHERE $6::boolean)
SELECT FROM d)"};

// The same by id (jobs_pkey), for the few rows that something else has updated since the claim.
constexpr pg::Statement kFinishMoved{"finish_moved", R"(/* outbox:finish_moved */
WITH d AS (
  DELETE FROM outbox.jobs j
   WHERE j.id = $1::bigint AND j.claim_token = $2::int AND j.claimed_by = $3::int AND current_setting('outbox.claim', true) = $4
  RETURNING j.*),
h AS (
  INSERT INTO outbox.finished_jobs (slot, priority, attempt, crashes, processor_id, id, created_at, run_at, started_at, finished_at,
                                    queue, kind, unique_key, payload, headers)
  SELECT outbox.day_slot(clock_timestamp()), d.priority, d.attempt, d.crashes, $3::int, d.id, d.created_at, d.run_at, d.claimed_at,
         clock_timestamp(), d.queue, d.kind, d.unique_key, d.payload, d.headers
    FROM d WHERE $5::boolean)
SELECT FROM d)"};

constexpr pg::Statement kOwnTransaction{"own_transaction", R"(/* outbox:own_transaction */
SELECT coalesce(current_setting('outbox.claim', true), '') = $1)"};

enum class Stage { enter, handler, finish, commit };

/// Thrown inside the transaction to undo it; carries the answer out.
struct Undo {
  Ran ran;
};

std::string claim_mark(const Claimed& claimed) {
  return std::to_string(claimed.job.id) + ":" + std::to_string(claimed.claim_token);
}

RanUndone ended_by_handler() {
  return {Retry{"the handler ended the transaction it was given: what it wrote is committed, the "
                "job is not finished; hint: leave COMMIT and ROLLBACK to outboxd"},
          "error", "2D000"};
}

void finish(pg::Session& session, pqxx::transaction_base& tx, const RunRequest& request,
            const Claimed& claimed) {
  const auto id = claimed.job.id;
  const auto mark = claim_mark(claimed);
  if (pg::count(session.call(tx, kFinish, claimed.ctid, id, claimed.claim_token, request.processor,
                             mark, request.history)) > 0)
    return;
  session.call(tx, kFixPlans);
  if (pg::count(session.call(tx, kFinishMoved, id, claimed.claim_token, request.processor, mark,
                             request.history)) > 0)
    return;
  if (!session.call(tx, kOwnTransaction, mark)[0][0].as<bool>()) throw Undo{ended_by_handler()};
  throw Undo{RanStale{}};
}

/// What an exception means that reached us from `stage`. Call inside a catch block.
Ran explain(Stage stage) {
  try {
    pg::rethrow_classified();
  } catch (const Undo& undo) {
    return undo.ran;
  } catch (const DbError& e) {
    const bool ours = stage == Stage::enter;
    if (e.session_lost() || e.fault() == Fault::conflict || ours) throw;
    // libpqxx refuses to go on with a transaction that was ended through it.
    if (e.fault() == Fault::bug && stage != Stage::handler) return ended_by_handler();
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

template <class Inside>
Ran in_transaction(Database& database, const RunRequest& request, const Claimed& claimed,
                   Inside&& inside) {
  auto& session = database.session();
  auto stage = Stage::enter;
  try {
    pg::HandlerTransaction tx{session.raw()};
    const auto& own = session.own_settings();
    const auto entered =
        session.call(tx, kEnter, std::to_string(request.timeout.count()), claim_mark(claimed),
                     own.names, own.values, claimed.expires_at_us);
    if (entered[0][0].as<bool>()) return RanExpired{};
    stage = Stage::handler;
    inside(session, tx);
    stage = Stage::finish;
    finish(session, tx, request, claimed);
    stage = Stage::commit;
    tx.commit();
    return RanDone{};
  } catch (...) {
    return explain(stage);
  }
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
  return in_transaction(
      database, request, claimed, [&](pg::Session& session, pqxx::transaction_base& tx) {
        const Job& job = claimed.job;
        const auto result = session.call(tx, kGuard, body.statement, body.role, job.payload, job.id,
                                         job.attempt, job.headers);
        if (result[0][0].is_null()) return;
        auto undone = from_guard(pg::text(result[0][0]));
        const auto fault = undone.sqlstate.empty()
                               ? Fault::rejected
                               : pg::classify(undone.sqlstate, std::get<Retry>(undone.outcome).why);
        if (fault == Fault::conflict || fault == Fault::outage)
          throw DbError{fault, undone.sqlstate, std::get<Retry>(undone.outcome).why};
        throw Undo{std::move(undone)};
      });
}

std::vector<pg::Statement> run_statements() {
  return {kEnter, kGuard, kFinish, kFixPlans, kFinishMoved, kOwnTransaction};
}

}  // namespace outbox::store
