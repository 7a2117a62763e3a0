// SQL of the look at a role. Catalogs only, which everybody may read: names are looked up in
// pg_class and pg_proc, because to_regclass() raises for who may not use the schema.
#include "store/privileges.hpp"

#include "core/error.hpp"
#include "pg/session.hpp"
#include "store/schema_version.hpp"
#include "store/statements.hpp"

namespace outbox::store {

namespace {

// Index: the unique ones of the catalogs by name. Locks: none. USAGE of a role is what a session
// may do without SET ROLE. The owner of a table in the schema is as good as that of the schema.
constexpr pg::Statement kStanding{"standing", R"(/* outbox:standing */
SELECT current_user, r.rolsuper, o.name, o.what,
       l.oid IS NOT NULL, coalesce(has_schema_privilege(n.oid, 'USAGE') AND has_any_column_privilege(l.oid, 'SELECT'), false),
       EXISTS (SELECT FROM pg_proc p WHERE p.pronamespace = n.oid AND p.proname = 'grant_roles')
  FROM pg_roles r
  LEFT JOIN pg_namespace n ON n.nspname = 'outbox'
  LEFT JOIN pg_class l ON l.relnamespace = n.oid AND l.relname = 'schema_migrations'
  LEFT JOIN LATERAL (
    SELECT pg_get_userbyid(x.owner) AS name, x.what
      FROM (SELECT 1, n.nspowner, 'schema outbox'
            UNION ALL
            SELECT 2, c.relowner, 'table outbox.' || c.relname FROM pg_class c WHERE c.relnamespace = n.oid AND c.relkind IN ('r', 'p')
           ) AS x (rank, owner, what)
     WHERE pg_has_role(x.owner, 'USAGE')
     ORDER BY x.rank, x.what LIMIT 1) o ON true
 WHERE r.rolname = current_user)"};

// Index: as above. Locks: none. One object of each kind of work; what the schema does not have, it
// does not miss: its version tells more. A right to one column is enough here: grant_roles() gives
// no more.
constexpr pg::Statement kMissing{"missing_rights", R"(/* outbox:missing_rights */
SELECT string_agg(m.privilege, ', ' ORDER BY m.privilege) || ' on ' || m.what
  FROM pg_namespace n, LATERAL (
    SELECT 1, 'USAGE', 'schema outbox' WHERE NOT has_schema_privilege(n.oid, 'USAGE')
    UNION ALL
    SELECT 2, v.privilege, 'outbox.' || c.relname
      FROM (VALUES ('dead_jobs', 'INSERT'), ('dead_jobs', 'DELETE'), ('finished_jobs', 'INSERT'), ('finished_jobs_00', 'TRUNCATE'),
                   ('job_failures', 'INSERT'), ('kinds', 'SELECT'), ('jobs', 'SELECT'), ('jobs', 'UPDATE'), ('jobs', 'DELETE'), ('processors', 'SELECT'),
                   ('processors', 'INSERT'), ('processors', 'UPDATE'), ('processors', 'DELETE'), ('queues', 'SELECT'), ('queues', 'INSERT'),
                   ('queues', 'UPDATE'), ('schema_migrations', 'SELECT')) AS v (name, privilege)
      JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = v.name
     WHERE NOT CASE WHEN v.privilege IN ('DELETE', 'TRUNCATE') THEN has_table_privilege(c.oid, v.privilege)
                    ELSE has_any_column_privilege(c.oid, v.privilege) END
    UNION ALL
    SELECT 3, 'USAGE', 'sequence outbox.processors_id_seq'
      FROM pg_class c WHERE c.relnamespace = n.oid AND c.relname = 'processors_id_seq' AND NOT has_sequence_privilege(c.oid, 'USAGE')
    UNION ALL
    SELECT 4, 'EXECUTE', 'function outbox.' || p.proname
      FROM pg_proc p WHERE p.pronamespace = n.oid AND p.proname IN ('backoff', 'finish_job', 'message_id', 'pause_kind', 'run_group', 'run_job')
                       AND NOT has_function_privilege(p.oid, 'EXECUTE')) AS m (rank, privilege, what)
 WHERE n.nspname = 'outbox'
 GROUP BY m.rank, m.what ORDER BY m.rank, m.what)"};

struct Look {
  Standing standing;
  bool has_ledger{};
  bool reads_ledger{};
  bool has_grants{};    ///< outbox.grant_roles() exists.
  std::string missing;  ///< "INSERT, UPDATE on outbox.processors; …"
};

Look look_at_role(Database& database) {
  auto& session = database.session();
  const auto row = session.run(kStanding)[0];
  Look out;
  out.standing.role = pg::text(row[0]);
  const std::string owner = pg::text(row[2]);
  if (row[1].as<bool>()) {
    out.standing.excess = "a superuser";
  } else if (!owner.empty()) {
    const bool itself = owner == out.standing.role;
    out.standing.excess =
        (itself ? "the owner of " : "a member of " + owner + ", the owner of ") + pg::text(row[3]);
  }
  out.has_ledger = row[4].as<bool>();
  out.reads_ledger = row[5].as<bool>();
  out.has_grants = row[6].as<bool>();
  for (const auto& missing : session.run(kMissing))
    out.missing += (out.missing.empty() ? "" : "; ") + pg::text(missing[0]);
  return out;
}

core::Error too_privileged(const Standing& standing) {
  return {core::ExitCode::configuration,
          "the processor would work as role '" + standing.role + "', " + standing.excess +
              ", and so would every handler; expected a login role that is a member of "
              "outbox_runtime and owns nothing in schema outbox",
          "psql -f migrations/roles.sql, then CREATE ROLE app_worker LOGIN PASSWORD '...'; "
          "GRANT outbox_runtime TO app_worker; and name app_worker in database.url. Or allow it: "
          "database.allow_privileged_role: true. Retrying unchanged does not help"};
}

core::Error lacks_rights(const Look& found) {
  return {core::ExitCode::configuration,
          "role '" + found.standing.role + "' lacks rights that a processor needs: " +
              found.missing + "; expected a login role that is a member of outbox_runtime",
          "as superuser: psql -f migrations/roles.sql (or, when its roles are there, SELECT "
          "outbox.grant_roles()), then GRANT outbox_runtime TO \"" +
              found.standing.role + "\". Retrying unchanged does not help"};
}

}  // namespace

Standing admit(Database& database, const core::DatabaseOptions& options) {
  const Look found = look_at_role(database);
  if (!found.has_ledger) throw *compatible(std::nullopt, schema_built_for(), kSchemaOldest);
  if (!found.standing.excess.empty() && !options.allow_privileged_role)
    throw too_privileged(found.standing);
  if (!found.reads_ledger && !found.has_grants) {
    throw core::Error{core::ExitCode::pending,
                      "the schema is older than version " + std::to_string(kSchemaOldest) +
                          ", which this program needs: it has no outbox.grant_roles()",
                      "run outboxd migrate up with this program, then start again"};
  }
  if (!found.reads_ledger) throw lacks_rights(found);
  if (auto problem = compatible(schema_version(database), schema_built_for(), kSchemaOldest))
    throw *problem;
  if (!found.missing.empty()) throw lacks_rights(found);
  return found.standing;
}

std::vector<pg::Statement> privileges_statements() { return {kStanding, kMissing}; }

}  // namespace outbox::store
