// Who may what: the catalogue says it of every object of the schema, and the real statements run
// with each role.
#include <future>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>
#include <pqxx/pqxx>

#include "core/error.hpp"
#include "pg/session.hpp"
#include "store/jobs_discard.hpp"
#include "store/jobs_list.hpp"
#include "store/jobs_retry.hpp"
#include "store/jobs_show.hpp"
#include "store/kinds.hpp"
#include "store/migrate.hpp"
#include "store/migrate_state.hpp"
#include "store/queues.hpp"
#include "store/retention.hpp"
#include "store/schema_version.hpp"
#include "store/statements.hpp"
#include "store/stats.hpp"
#include "support/database.hpp"
#include "support/roles.hpp"

namespace roles_pgtest {

using namespace outbox;
using namespace std::chrono_literals;
using test::as_role;
using test::make_roles;
using test::Schema;
using test::TestDatabase;

/// A line for each object: which role has which privilege, for a part of the columns with their
/// names. outbox_operator is a member of outbox_inspector: only what it has besides is shown.
constexpr const char* kGranted = R"(
WITH roles (n, role) AS (VALUES (1, 'public'), (2, 'outbox_runtime'), (3, 'outbox_producer'), (4, 'outbox_inspector'), (5, 'outbox_operator')),
relations AS (
  SELECT c.oid, CASE c.relkind WHEN 'v' THEN 'view' WHEN 'S' THEN 'sequence' ELSE 'table' END AS type, c.relkind,
         regexp_replace(c.relname, '^finished_jobs_\d\d$', 'finished_jobs_NN') AS name
    FROM pg_class c WHERE c.relnamespace = 'outbox'::regnamespace AND c.relkind NOT IN ('i', 'I', 'c')),
held AS (
  SELECT o.oid, o.type, o.name, r.n, r.role, p.n AS pn,
         CASE WHEN has_table_privilege(r.role, o.oid, p.privilege) THEN p.privilege
              WHEN p.privilege IN ('SELECT', 'INSERT', 'UPDATE', 'REFERENCES') AND has_any_column_privilege(r.role, o.oid, p.privilege) THEN
                p.privilege || '(' || (SELECT string_agg(a.attname, ' ' ORDER BY a.attnum) FROM pg_attribute a
                                        WHERE a.attrelid = o.oid AND NOT a.attisdropped AND has_column_privilege(r.role, o.oid, a.attnum, p.privilege)) || ')'
              END AS what
    FROM relations o, roles r, unnest('{SELECT,INSERT,UPDATE,DELETE,TRUNCATE,REFERENCES,TRIGGER}'::text[]) WITH ORDINALITY AS p (privilege, n)
   WHERE o.relkind <> 'S'
  UNION ALL
  SELECT o.oid, o.type, o.name, r.n, r.role, p.n, CASE WHEN has_sequence_privilege(r.role, o.oid, p.privilege) THEN p.privilege END
    FROM relations o, roles r, unnest('{SELECT,USAGE,UPDATE}'::text[]) WITH ORDINALITY AS p (privilege, n) WHERE o.relkind = 'S'
  UNION ALL
  SELECT f.oid, 'function', CASE WHEN f.proname = 'discard' AND f.pronargs = 1 THEN 'discard(text)' ELSE f.proname END, r.n, r.role, 1,
         CASE WHEN has_function_privilege(r.role, f.oid, 'EXECUTE') THEN 'EXECUTE' END
    FROM pg_proc f, roles r WHERE f.pronamespace = 'outbox'::regnamespace
  UNION ALL
  SELECT 0, 'schema', 'outbox', r.n, r.role, p.n, CASE WHEN has_schema_privilege(r.role, 'outbox', p.privilege) THEN p.privilege END
    FROM roles r, unnest('{USAGE,CREATE}'::text[]) WITH ORDINALITY AS p (privilege, n)),
lines AS (SELECT h.oid, h.type, h.name, h.n, h.role, string_agg(h.what, ' ' ORDER BY h.pn) AS what FROM held h GROUP BY 1, 2, 3, 4, 5),
differing AS (
  SELECT DISTINCT l.type, l.name, l.n, l.role, CASE WHEN l.n = 5 AND l.what = i.what THEN NULL ELSE l.what END AS what
    FROM lines l JOIN lines i ON i.oid = l.oid AND i.n = 4),
objects AS (
  SELECT d.type || ' ' || d.name || ': ' || coalesce(string_agg(replace(d.role, 'outbox_', '') || ' ' || d.what, '; ' ORDER BY d.n), 'nobody') AS line
    FROM differing d GROUP BY d.type, d.name)
SELECT string_agg(o.line, E'\n' ORDER BY o.line COLLATE "C") FROM objects o)";

/// What kGranted must say; a line that begins with blanks goes on with the one above.
constexpr const char* kExpected = R"(function backoff: runtime EXECUTE
function check_filter: nobody
function day_slot: runtime EXECUTE; inspector EXECUTE
function discard(text): runtime EXECUTE; producer EXECUTE
function discard: operator EXECUTE
function discard_job: nobody
function discard_matching: operator EXECUTE
function due_jobs: inspector EXECUTE
function enqueue: runtime EXECUTE; producer EXECUTE
function enqueue_many: runtime EXECUTE; producer EXECUTE
function finish_job: runtime EXECUTE
function future_jobs: inspector EXECUTE
function grant_roles: nobody
function guard: runtime EXECUTE
function jobs_inserted: nobody
function message_id: runtime EXECUTE; producer EXECUTE; inspector EXECUTE
function note: nobody
function pause: operator EXECUTE
function pause_kind: runtime EXECUTE; operator EXECUTE
function payload_fits: nobody
function prune_audit: runtime EXECUTE
function recent_failures: inspector EXECUTE
function recent_finishes: inspector EXECUTE
function refuse: runtime EXECUTE; producer EXECUTE
function resume: operator EXECUTE
function resume_kind: operator EXECUTE
function retry: operator EXECUTE
function retry_after: runtime EXECUTE; producer EXECUTE
function retry_job: nobody
function retry_matching: operator EXECUTE
function row_width: inspector EXECUTE
function run_group: runtime EXECUTE
function run_job: runtime EXECUTE
function schema_changed: nobody
function snooze: runtime EXECUTE; producer EXECUTE
function undo: runtime EXECUTE
function wake: nobody
schema outbox: runtime USAGE; producer USAGE; inspector USAGE
sequence audit_id_seq: inspector SELECT
sequence jobs_id_seq: inspector SELECT
sequence processors_id_seq: runtime USAGE; inspector SELECT
sequence schema_changes_id_seq: inspector SELECT
table audit: inspector SELECT
table dead_jobs: runtime SELECT(ctid id died_at reason last_error) INSERT UPDATE(died_at reason last_error) DELETE;
  inspector SELECT(id created_at run_at expires_at died_at processor_id priority attempt max_attempts crashes claim_token reason queue kind
  unique_key last_error)
table finished_jobs: runtime SELECT(ctid slot finished_at queue) INSERT DELETE;
  inspector SELECT(ctid slot priority attempt crashes processor_id id created_at run_at started_at finished_at queue kind unique_key detail)
table finished_jobs_NN: runtime TRUNCATE
table job_failures: runtime SELECT(ctid job_id failed_at) INSERT DELETE; inspector SELECT
table jobs: runtime SELECT INSERT(run_at expires_at priority max_attempts queue kind unique_key payload headers)
  UPDATE(run_at claimed_at claimed_by claim_token attempt crashes suspect last_error) DELETE;
  producer SELECT(id kind unique_key) INSERT(run_at expires_at priority max_attempts queue kind unique_key payload headers);
  inspector SELECT(id run_at created_at claimed_at expires_at claimed_by claim_token priority attempt max_attempts crashes suspect queue kind
  unique_key last_error)
table kinds: runtime SELECT; inspector SELECT
table processors: runtime SELECT INSERT UPDATE(heartbeat_at dead_at dead_reason) DELETE; inspector SELECT
table queues: runtime SELECT INSERT(name history retention_days) UPDATE(history retention_days updated_at); inspector SELECT
table schema_changes: inspector SELECT
table schema_migrations: runtime SELECT; producer SELECT(version min_reader); inspector SELECT
view dead_letters: inspector SELECT
view failures_last_hour: inspector SELECT
view job_states: inspector SELECT
view migrations: inspector SELECT
view processor_states: inspector SELECT
view queue_health: inspector SELECT
view running_jobs: inspector SELECT
view storage_health: inspector SELECT
view stuck_jobs: inspector SELECT
view xmin_holders: inspector SELECT)";

std::string expected() {
  std::string text{kExpected};
  for (auto at = text.find("\n  "); at != std::string::npos; at = text.find("\n  "))
    text.replace(at, 3, " ");
  return text;
}

constexpr const char* kDenied = "42501";

struct Fixture {
  TestDatabase db;
  Fixture() { make_roles(db); }

  [[nodiscard]] store::Database open(const std::string& role,
                                     store::Use use = store::Use::people) const {
    return {as_role(db.options(test::Login::superuser), role), "test", use};
  }
  /// SQLSTATE of what the role gets for it; "00000" when it works.
  [[nodiscard]] std::string state_of(const std::string& role, const std::string& sql) const {
    pqxx::connection connection{as_role(db.options(test::Login::superuser), role).url};
    try {
      pqxx::work tx{connection};
      tx.exec(sql);
      tx.commit();
    } catch (const pqxx::insufficient_privilege&) {  // libpqxx 6.4 gives it no SQLSTATE
      return kDenied;
    } catch (const pqxx::sql_error& e) {
      return e.sqlstate();
    }
    return "00000";
  }
};

}  // namespace roles_pgtest

BOOST_FIXTURE_TEST_SUITE(roles_pgtest, Fixture)

BOOST_AUTO_TEST_CASE(every_object_is_granted_to_whom_it_is_for_and_to_nobody_else) {
  BOOST_TEST(db.value(kGranted) == expected());
  BOOST_TEST(db.value("SELECT pg_has_role('outbox_operator', 'outbox_inspector', 'USAGE')") == "t");
  BOOST_TEST(
      db.value("SELECT string_agg(rolname, ' ') FROM pg_roles WHERE rolname LIKE 'outbox\\_%' "
               "AND rolname !~ '_test_' AND (rolcanlogin OR rolsuper OR rolcreaterole OR "
               "rolcreatedb)") == "");
  make_roles(db);  // again does no harm
  BOOST_TEST(db.value(kGranted) == expected());
}

BOOST_AUTO_TEST_CASE(down_takes_the_grants_away_and_up_gives_them_again) {
  store::Database database{db.options(test::Login::superuser), "test", store::Use::people};
  store::migrate_up(database, std::nullopt, {});
  const auto to = store::schema_built_for();
  store::migrate_down(database, {.to = 3, .allow_data_loss = false}, {});
  BOOST_TEST(db.value("SELECT has_schema_privilege('outbox_runtime', 'outbox', 'USAGE') OR "
                      "has_any_column_privilege('outbox_producer', 'outbox.jobs', 'INSERT')") ==
             "f");
  BOOST_TEST(store::migrate_up(database, std::nullopt, {}) == to);
  BOOST_TEST(db.value(kGranted) == expected());
}

BOOST_AUTO_TEST_CASE(a_producer_enqueues_and_sees_no_payload) {
  const std::string who = "outbox_producer";
  BOOST_TEST(state_of(who,
                      "INSERT INTO outbox.jobs (kind, payload) VALUES ('k', '{\"secret\": 1}') "
                      "RETURNING id") == "00000");
  BOOST_TEST(
      state_of(who, "SELECT * FROM outbox.enqueue('k', unique_key => 'u', headers => '{}')") ==
      "00000");
  BOOST_TEST(state_of(who, "SELECT * FROM outbox.enqueue('k', unique_key => 'u')") == "00000");
  BOOST_TEST(state_of(who,
                      "SELECT * FROM outbox.enqueue_many('[{\"kind\": \"k\"}, {\"kind\": "
                      "\"k\", \"unique_key\": \"u\"}]')") == "00000");
  BOOST_TEST(db.number("SELECT count(*) FROM outbox.jobs") == 3);
  BOOST_TEST(state_of(who, "SELECT * FROM outbox.enqueue('k', priority => 9)") == "23514");
  BOOST_TEST(state_of(who, "SELECT outbox.message_id(1)") == "00000");
  for (const char* const sql :
       {"SELECT payload FROM outbox.jobs", "SELECT headers FROM outbox.jobs",
        "SELECT last_error FROM outbox.jobs", "SELECT * FROM outbox.job_states",
        "UPDATE outbox.jobs SET priority = 0", "DELETE FROM outbox.jobs", "TRUNCATE outbox.jobs",
        "INSERT INTO outbox.jobs (id, kind) OVERRIDING SYSTEM VALUE VALUES (9, 'k')",
        "INSERT INTO outbox.jobs (kind, attempt) VALUES ('k', 3)",
        "INSERT INTO outbox.jobs (kind) VALUES ('k') RETURNING payload",
        "SELECT FROM outbox.jobs FOR UPDATE", "SELECT nextval('outbox.jobs_id_seq')",
        "SELECT * FROM outbox.retry(1)", "SELECT * FROM outbox.discard(1::bigint)",
        "SELECT outbox.wake()", "SELECT * FROM outbox.pause_kind('k')",
        "SELECT * FROM outbox.kinds", "CREATE TABLE outbox.mine ()"}) {
    BOOST_TEST_CONTEXT(sql) BOOST_TEST(state_of(who, sql) == kDenied);
  }
}

BOOST_AUTO_TEST_CASE(an_inspector_sees_everything_but_payloads) {
  db.exec(R"(INSERT INTO outbox.jobs (kind, payload) VALUES ('k', '{"secret": 1}');
             SELECT outbox.discard(id) FROM outbox.enqueue('k', '{"secret": 2}'))");
  auto database = open("outbox_inspector");
  BOOST_TEST(store::jobs_list(database, {}).jobs.size() == 2U);
  const auto detail = store::jobs_show(database, 1);
  BOOST_REQUIRE(detail);
  BOOST_TEST(!detail->readable);
  BOOST_TEST(detail->payload == "");
  BOOST_TEST(store::stats(database).schema == store::schema_built_for());
  BOOST_TEST(store::queue_statuses(database, 10).size() == 1U);
  BOOST_TEST(store::migration_status(database).size() ==
             static_cast<std::size_t>(store::schema_built_for()));
  pqxx::connection plain{db.url()};
  pqxx::work tx{plain};
  for (const auto& row : tx.exec("SELECT viewname FROM pg_views WHERE schemaname = 'outbox'")) {
    const std::string view = row[0].c_str();
    BOOST_TEST_CONTEXT(view) {
      BOOST_TEST(state_of("outbox_inspector", "SELECT * FROM outbox." + view) == "00000");
    }
  }
  for (const char* const sql :
       {"SELECT payload FROM outbox.jobs", "SELECT headers FROM outbox.dead_jobs",
        "SELECT payload FROM outbox.finished_jobs", "SELECT * FROM outbox.finished_jobs_00",
        "UPDATE outbox.queues SET paused_at = now()", "SELECT * FROM outbox.pause('default')",
        "UPDATE outbox.kinds SET paused_at = NULL", "SELECT * FROM outbox.resume_kind('k')",
        "SELECT * FROM outbox.discard(1::bigint)", "INSERT INTO outbox.jobs (kind) VALUES ('k')",
        "DELETE FROM outbox.audit"}) {
    BOOST_TEST_CONTEXT(sql) BOOST_TEST(state_of("outbox_inspector", sql) == kDenied);
  }
}

BOOST_AUTO_TEST_CASE(an_operator_changes_jobs_through_the_functions_only) {
  db.exec("INSERT INTO outbox.jobs (kind) VALUES ('k'), ('k')");
  auto database = open("outbox_operator");
  const store::Stated stated{.why = "they asked", .actor = "anna"};
  BOOST_TEST((store::jobs_discard(database, 1, stated).end == store::DiscardEnd::discarded));
  BOOST_TEST((store::jobs_retry(database, 1, stated).end == store::RetryEnd::requeued));
  BOOST_TEST(store::jobs_retry_dead(database, {.preview = true}).requeued == 0);
  BOOST_TEST(!store::queue_pause(database, "default", stated).was_paused);
  BOOST_TEST((store::queue_resume(database, "default", stated) == store::ResumeEnd::resumed));
  BOOST_TEST(!store::pause_kind(database, "k", stated).was_paused);
  BOOST_TEST((store::resume_kind(database, "k", stated) == store::ResumeEnd::resumed));
  BOOST_TEST(
      db.value("SELECT string_agg(concat_ws(' ', login, actor, action, why, queue, job_id), ', ' "
               "ORDER BY id) "
               "FROM outbox.audit") ==
      "postgres anna discard they asked default 1, postgres anna retry they asked default 1, "
      "postgres anna pause they asked default, postgres anna resume they asked default, "
      "postgres anna pause they asked *, postgres anna resume they asked *");
  for (const char* const sql :
       {"SELECT payload FROM outbox.jobs", "UPDATE outbox.jobs SET priority = 0",
        "UPDATE outbox.audit SET why = 'other'", "DELETE FROM outbox.audit",
        "INSERT INTO outbox.audit (action, queue) VALUES ('pause', 'q')",
        "SELECT outbox.prune_audit()",
        "SELECT outbox.note('pause', '', '', 'q', NULL, NULL, NULL, NULL)",
        "SELECT outbox.retry_job(1, '', '')", "SELECT outbox.grant_roles()"}) {
    BOOST_TEST_CONTEXT(sql) BOOST_TEST(state_of("outbox_operator", sql) == kDenied);
  }
}

/// EXPLAIN EXECUTE checks what the execution would need.
BOOST_AUTO_TEST_CASE(the_runtime_role_may_run_every_statement_of_the_processor) {
  pqxx::connection connection{as_role(db.options(test::Login::superuser), "outbox_runtime").url};
  for (const auto& statement : store::statements()) {
    BOOST_TEST_CONTEXT(statement.name) {
      pqxx::work tx{connection};
      const std::string name{statement.name};
      tx.exec("PREPARE " + name + " AS " + std::string{statement.sql});
      const auto rows =
          tx.exec("SELECT cardinality(parameter_types) FROM pg_prepared_statements WHERE name = '" +
                  name + "'");
      std::string nulls;
      for (int i = 0; i < rows[0][0].as<int>(); ++i) nulls += i == 0 ? "(NULL" : ", NULL";
      BOOST_CHECK_NO_THROW(tx.exec("EXPLAIN EXECUTE " + name + (nulls.empty() ? "" : nulls + ")")));
      tx.abort();
    }
  }
}

BOOST_AUTO_TEST_CASE(the_runtime_role_has_no_ddl_and_no_hand_in_the_audit) {
  for (const char* const sql :
       {"CREATE TABLE outbox.mine ()", "DROP TABLE outbox.finished_jobs_00",
        "ALTER TABLE outbox.jobs ADD COLUMN mine int", "TRUNCATE outbox.jobs",
        "TRUNCATE outbox.finished_jobs", "UPDATE outbox.jobs SET payload = '{}'",
        "UPDATE outbox.queues SET paused_at = NULL", "DELETE FROM outbox.queues",
        "UPDATE outbox.kinds SET paused_at = NULL", "SELECT * FROM outbox.resume_kind('k')",
        "SELECT detail FROM outbox.finished_jobs", "SELECT detail FROM outbox.job_failures",
        "SELECT * FROM outbox.audit", "DELETE FROM outbox.audit",
        "SELECT payload FROM outbox.finished_jobs", "SELECT payload FROM outbox.dead_jobs",
        "DELETE FROM outbox.schema_migrations", "SELECT * FROM outbox.retry(1)"}) {
    BOOST_TEST_CONTEXT(sql) {
      const auto state = state_of("outbox_runtime", sql);
      BOOST_TEST(state == kDenied);
    }
  }
}

BOOST_AUTO_TEST_CASE(retention_works_with_the_runtime_role) {
  db.exec(R"(
    INSERT INTO outbox.finished_jobs (slot, priority, attempt, crashes, processor_id, id, created_at, run_at, started_at, finished_at, queue, kind, payload)
      SELECT outbox.day_slot(f), 1, 1, 0, 1, 1, f, f, f, f, 'default', 'k', '{}' FROM (VALUES (now() - interval '20 days'), (now() - interval '3 days')) v (f);
    INSERT INTO outbox.dead_jobs (id, created_at, run_at, died_at, priority, attempt, max_attempts, crashes, reason, queue, kind, payload)
      VALUES (7, now(), now(), now() - interval '99 days', 1, 1, 1, 0, 'attempts', 'q', 'k', '{}');
    INSERT INTO outbox.job_failures (job_id, failed_at, processor_id, attempt, reason, queue, kind, error)
      VALUES (7, now() - interval '99 days', 1, 1, 'error', 'q', 'k', 'e');
    INSERT INTO outbox.audit (at, action, queue) VALUES (now() - interval '400 days', 'pause', 'old'), (now() - interval '300 days', 'pause', 'q'))");
  auto database = open("outbox_runtime", store::Use::chores);
  core::QueueOptions options;
  options.retention_days = 2;
  store::save_queues(database, {{"default", options}});
  const auto slots = store::expired_slots(database);
  BOOST_REQUIRE(slots.size() == 1U);
  BOOST_TEST(store::truncate_slot(database, slots[0]));
  std::int64_t trimmed = 0;
  for (const auto& day : store::expired_days(database))
    trimmed += store::trim_history(database, day, 10);
  BOOST_TEST(trimmed == 1);
  BOOST_TEST(store::prune_dead(database, 90, 10) == 1);
  BOOST_TEST(store::prune_failures(database, 90, 10) == 1);
  BOOST_TEST(store::prune_audit(database, 10) == 1);
  BOOST_TEST(db.value("SELECT string_agg(queue, ' ') FROM outbox.audit") == "q");
}

/// Temporary tables, views and functions with our names stand before the real ones in an
/// unprepared search path.
BOOST_AUTO_TEST_CASE(no_temporary_object_gets_into_a_function_with_the_owners_rights) {
  BOOST_TEST(db.value(R"(SELECT string_agg(p.oid::regprocedure::text, ', ') FROM pg_proc p
    WHERE p.pronamespace = 'outbox'::regnamespace AND p.prosecdef
      AND NOT EXISTS (SELECT FROM unnest(p.proconfig) s WHERE s ~ '^search_path=pg_catalog, (outbox, )?pg_temp$'))") ==
             "");
  db.exec("INSERT INTO outbox.jobs (kind) VALUES ('k'), ('k')");
  pqxx::connection connection{db.url()};
  pqxx::work tx{connection};
  tx.exec(R"(
    GRANT outbox_producer, outbox_runtime TO outbox_operator;
    SET LOCAL ROLE outbox_operator;
    CREATE TEMP TABLE jobs (hijacked int); CREATE TEMP TABLE dead_jobs (hijacked int);
    CREATE TEMP TABLE queues (hijacked int); CREATE TEMP TABLE processors (hijacked int);
    CREATE TEMP TABLE kinds (hijacked int); CREATE TEMP TABLE schema_migrations (hijacked int);
    CREATE TEMP TABLE audit (hijacked int); CREATE TEMP VIEW job_states AS SELECT 'hijacked' AS state;
    CREATE TEMP TABLE pg_class (hijacked int); CREATE TEMP TABLE pg_stats (hijacked int);
    CREATE FUNCTION pg_temp.evil() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE 'hijacked by %', current_user; END $$;
    CREATE FUNCTION pg_temp.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS $$ SELECT pg_temp.evil()::timestamptz $$;
    CREATE FUNCTION pg_temp.now() RETURNS timestamptz LANGUAGE sql AS $$ SELECT pg_temp.evil()::timestamptz $$;
    CREATE FUNCTION pg_temp.format(text, text) RETURNS text LANGUAGE sql AS $$ SELECT pg_temp.evil() $$;
    CREATE FUNCTION pg_temp.left(text, int) RETURNS text LANGUAGE sql AS $$ SELECT pg_temp.evil() $$;
    SET LOCAL search_path = pg_temp, outbox, pg_catalog;
    SELECT * FROM outbox.enqueue_many('[{"kind": "k"}]');
    SELECT * FROM outbox.discard(1::bigint, 'why'); SELECT * FROM outbox.discard('{2}'::bigint[]);
    SELECT * FROM outbox.retry(1); SELECT * FROM outbox.retry('{99}'::bigint[]);
    SELECT * FROM outbox.retry_matching(kind => 'k'); SELECT * FROM outbox.discard_matching(kind => 'k');
    SELECT * FROM outbox.pause('default'); SELECT * FROM outbox.resume('default');
    SELECT * FROM outbox.pause_kind('k'); SELECT * FROM outbox.resume_kind('k'); SELECT outbox.message_id(1);
    SELECT outbox.prune_audit(); SELECT outbox.row_width('outbox.jobs'::regclass))");
  BOOST_TEST(tx.exec("SELECT (SELECT count(*) FROM pg_temp.jobs) + (SELECT count(*) FROM "
                     "pg_temp.dead_jobs) + (SELECT count(*) FROM pg_temp.audit) + (SELECT "
                     "count(*) FROM pg_temp.queues)")[0][0]
                 .as<int>() == 0);
  tx.exec("RESET ROLE");
  BOOST_TEST(tx.exec("SELECT count(*) FROM outbox.audit")[0][0].as<int>() == 7);
  BOOST_TEST(tx.exec("SELECT count(*) FROM outbox.jobs")[0][0].as<int>() == 2);
}

BOOST_AUTO_TEST_CASE(two_databases_may_make_the_roles_at_the_same_moment) {
  TestDatabase other;
  auto one = std::async(std::launch::async, [&] {
    for (int i = 0; i < 5; ++i) make_roles(db);
  });
  for (int i = 0; i < 5; ++i) make_roles(other);
  BOOST_CHECK_NO_THROW(one.get());
  BOOST_TEST(other.value(kGranted) == expected());
}

BOOST_AUTO_TEST_CASE(a_migrator_that_is_no_superuser_makes_and_undoes_all_of_it) {
  TestDatabase empty{Schema::empty};
  make_roles(empty);
  store::Database database{as_role(empty.options(test::Login::superuser), "outbox_migrator"),
                           "test", store::Use::people};
  BOOST_TEST(store::migrate_up(database, std::nullopt, {}) == store::schema_built_for());
  BOOST_TEST(empty.value(kGranted) == expected());
  BOOST_TEST(empty.value("SELECT string_agg(DISTINCT pg_get_userbyid(relowner), ' ') FROM pg_class "
                         "WHERE relnamespace = 'outbox'::regnamespace") == "outbox_owner");
  BOOST_TEST(empty.value("SELECT string_agg(DISTINCT pg_get_userbyid(proowner), ' ') FROM pg_proc "
                         "WHERE pronamespace = 'outbox'::regnamespace") == "outbox_owner");
  empty.exec("INSERT INTO outbox.jobs (kind) VALUES ('k')");
  store::Database operate{as_role(empty.options(test::Login::superuser), "outbox_operator"), "test",
                          store::Use::people};
  BOOST_TEST((store::jobs_discard(operate, 1).end == store::DiscardEnd::discarded));
  BOOST_TEST((store::jobs_retry(operate, 1).end == store::RetryEnd::requeued));
  BOOST_TEST(store::migrate_down(database, {.to = 0, .allow_data_loss = true}, {}) == 0);
  BOOST_TEST(store::migrate_up(database, std::nullopt, {}) == store::schema_built_for());
}

BOOST_AUTO_TEST_SUITE_END()
