// SQL of what is looked at before a migration.
#include "store/migrate_plan.hpp"

#include <algorithm>
#include <array>

#include "core/error.hpp"
#include "core/fault.hpp"
#include "pg/session.hpp"
#include "store/ledger.hpp"
#include "store/live_processors.hpp"
#include "store/migrate_state.hpp"

namespace outbox::store {

namespace {

using core::Error;
using core::ExitCode;

struct Question {
  const char* what;
  pg::Statement statement;
};

// Indexes: those of the catalogs. No locks but those of reading them. Each gives a row in words for
// what is not well, at most ten.
constexpr std::array kQuestions{
    Question{"transactions open for more than 30 s in this database",
             {"plan_long_transactions", R"(/* outbox:plan_long_transactions */
SELECT format('pid %s (%s) since %s s', a.pid, coalesce(nullif(a.application_name, ''), a.usename, 'unknown'),
              round(extract(epoch FROM clock_timestamp() - a.xact_start)))
  FROM pg_catalog.pg_stat_activity a
 WHERE a.datname = current_database() AND a.pid <> pg_backend_pid() AND a.backend_type = 'client backend'
   AND a.xact_start < clock_timestamp() - interval '30 seconds'
 ORDER BY a.xact_start LIMIT 10)"}},
    Question{"autovacuum against wraparound on a table of outbox",
             {"plan_wraparound", R"(/* outbox:plan_wraparound */
SELECT format('pid %s: %s', a.pid, a.query) FROM pg_catalog.pg_stat_activity a
 WHERE a.datname = current_database() AND a.query LIKE 'autovacuum:%outbox.%to prevent wraparound%' LIMIT 10)"}},
    Question{"invalid indexes in outbox",
             {"plan_invalid_indexes", R"(/* outbox:plan_invalid_indexes */
SELECT format('%s on %s: DROP INDEX CONCURRENTLY %s', i.indexrelid::regclass, i.indrelid::regclass, i.indexrelid::regclass)
  FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indrelid
 WHERE c.relnamespace = pg_catalog.to_regnamespace('outbox') AND NOT i.indisvalid LIMIT 10)"}},
    Question{"views and functions of others that use tables of outbox",
             {"plan_dependents", R"(/* outbox:plan_dependents */
SELECT DISTINCT format('%s %I.%I uses %s', CASE c.relkind WHEN 'm' THEN 'materialized view' ELSE 'view' END, n.nspname, c.relname,
                       d.refobjid::regclass)
  FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
  JOIN pg_catalog.pg_class c ON c.oid = r.ev_class JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_class t ON d.refclassid = 'pg_class'::regclass AND t.oid = d.refobjid
 WHERE t.relnamespace = pg_catalog.to_regnamespace('outbox') AND n.nspname <> 'outbox' LIMIT 10)"}},
};

std::vector<std::string> lines_of(const pqxx::result& rows) {
  std::vector<std::string> lines;
  for (const auto& row : rows) {
    std::string line;
    for (const auto& field : row) line += (line.empty() ? "" : ", ") + pg::text(field);
    lines.push_back(std::move(line));
  }
  return lines;
}

std::vector<Precheck> ask_always(pg::Session& session) {
  std::vector<Precheck> out;
  for (const auto& question : kQuestions)
    out.push_back({question.what, lines_of(session.run(question.statement))});
  return out;
}

// A header's query speaks of the schema before its own step: while an earlier step is pending it
// may not even run, and that is said.
Precheck ask(pg::Session& session, const std::string& sql) {
  Precheck check{.what = sql, .findings = {}};
  try {
    session.transact([&](auto& tx) {
      tx.exec("SET TRANSACTION READ ONLY");
      check.findings = lines_of(tx.exec(sql));
    });
  } catch (const core::DbError& e) {
    if (e.session_lost()) throw;
    check.findings.push_back("cannot be run yet: " + server_message(e.what()));
  }
  return check;
}

PlannedStep step(pg::Session& session, int version, const std::string& name, bool up,
                 const std::string& sql) {
  PlannedStep out{.version = version,
                  .name = name,
                  .up = up,
                  .header = header_of(sql),
                  .sql = sql,
                  .prechecks = {}};
  for (const auto& precheck : out.header.prechecks) out.prechecks.push_back(ask(session, precheck));
  return out;
}

SchemaVersion result_of(const MigrationPlan& plan, const std::vector<LedgerRow>& ledger) {
  SchemaVersion numbers{.version = plan.to, .min_reader = 0};
  for (const auto& row : ledger) {
    if (row.version <= plan.to) numbers.min_reader = std::max(numbers.min_reader, row.min_reader);
  }
  for (const auto& planned : plan.steps) {
    if (planned.up) numbers.min_reader = std::max(numbers.min_reader, planned.header.min_reader);
  }
  return numbers;
}

void look_at_processors(pg::Session& session, MigrationPlan& plan,
                        const std::vector<LedgerRow>& ledger) {
  const auto result = result_of(plan, ledger);
  const auto live =
      session.transact([&](pqxx::transaction_base& tx) { return live_processors(session, tx); });
  for (const auto& processor : live) {
    plan.processors.push_back({.id = processor.id,
                               .name = processor.name,
                               .program = processor.program,
                               .could_live = processor.could_live_with(result)});
  }
}

}  // namespace

bool MigrationPlan::clear() const {
  const auto well = [](const Precheck& check) { return check.findings.empty(); };
  return std::all_of(prechecks.begin(), prechecks.end(), well) &&
         std::all_of(steps.begin(), steps.end(),
                     [&](const PlannedStep& planned) {
                       return std::all_of(planned.prechecks.begin(), planned.prechecks.end(), well);
                     }) &&
         std::all_of(processors.begin(), processors.end(),
                     [](const PlannedProcessor& processor) { return processor.could_live; });
}

MigrationPlan migration_plan(Database& database, int to) {
  auto& session = database.session();
  const auto ledger = read_ledger(session);
  MigrationPlan plan{.from = ledger.empty() ? 0 : ledger.back().version,
                     .to = to,
                     .steps = {},
                     .prechecks = {},
                     .processors = {}};
  const int newest = std::max(plan.from, known_migrations().back().version);
  if (to < 0 || to > newest) {
    throw Error{ExitCode::usage, "there is no schema version " + std::to_string(to) +
                                     ": expected 0 to " + std::to_string(newest)};
  }
  for (const auto& migration : known_migrations()) {
    if (migration.version > plan.from && migration.version <= to)
      plan.steps.push_back(
          step(session, migration.version, migration.name, true, std::string{migration.up}));
  }
  for (auto row = ledger.rbegin(); row != ledger.rend() && row->version > to; ++row)
    plan.steps.push_back(step(session, row->version, row->name, false, way_back(*row)));
  plan.prechecks = ask_always(session);
  look_at_processors(session, plan, ledger);
  return plan;
}

}  // namespace outbox::store
