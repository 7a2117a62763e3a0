// The doctor on rights: roles, PUBLIC, functions that run with their owner's rights, owners,
// logins.
#include "store/doctor_check.hpp"

namespace outbox::store::doctor {

namespace {

constexpr const char* kMakeRoles = "psql -X -v ON_ERROR_STOP=1 -f migrations/roles.sql";
constexpr const char* kGrantRoles = "SELECT outbox.grant_roles();";

// pg_roles can be read by everybody. No locks.
constexpr pg::Statement kRoles{"doctor_roles", R"(/* outbox:doctor_roles */
SELECT n.name, r.oid IS NOT NULL, coalesce(r.rolsuper, false),
       coalesce(n.works AND NOT has_schema_privilege(r.oid, 'outbox', 'USAGE'), false)
  FROM (VALUES ('outbox_owner', false), ('outbox_migrator', false), ('outbox_runtime', true), ('outbox_producer', true),
               ('outbox_inspector', true), ('outbox_operator', true)) AS n (name, works)
  LEFT JOIN pg_roles r ON r.rolname = n.name
 ORDER BY n.name)"};

constexpr pg::Statement kHasGrantRoles{"doctor_has_grant_roles",
                                       R"(/* outbox:doctor_has_grant_roles */
SELECT to_regprocedure('outbox.grant_roles()') IS NOT NULL)"};

// What PUBLIC (grantee 0) holds; where no privilege was ever granted, the server's defaults.
constexpr pg::Statement kPublic{"doctor_public", R"(/* outbox:doctor_public */
SELECT string_agg(DISTINCT g.privilege, ', ') || ' on ' || g.object
  FROM (SELECT 'schema outbox' AS object, a.privilege_type AS privilege, a.grantee
          FROM pg_namespace n, aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) a WHERE n.nspname = 'outbox'
        UNION ALL
        SELECT format('%s outbox.%I', CASE c.relkind WHEN 'S' THEN 'sequence' WHEN 'v' THEN 'view' ELSE 'table' END, c.relname),
               a.privilege_type, a.grantee
          FROM pg_class c, aclexplode(c.relacl) a WHERE c.relnamespace = to_regnamespace('outbox')
        UNION ALL
        SELECT format('column outbox.%I.%I', c.relname, t.attname), a.privilege_type, a.grantee
          FROM pg_class c JOIN pg_attribute t ON t.attrelid = c.oid, aclexplode(t.attacl) a WHERE c.relnamespace = to_regnamespace('outbox')
        UNION ALL
        SELECT 'function ' || p.oid::regprocedure, a.privilege_type, a.grantee
          FROM pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a WHERE p.pronamespace = to_regnamespace('outbox')) g
 WHERE g.grantee = 0
 GROUP BY g.object ORDER BY g.object)"};

// A temporary table or function of the caller must never stand before ours: pg_temp is last.
constexpr pg::Statement kDefiners{"doctor_definers", R"(/* outbox:doctor_definers */
SELECT p.oid::regprocedure, path.setting
  FROM pg_proc p
  LEFT JOIN LATERAL (SELECT substr(c, 13) AS setting FROM unnest(p.proconfig) c WHERE c LIKE 'search\_path=%') path ON true
 WHERE p.pronamespace = to_regnamespace('outbox') AND p.prosecdef AND NOT coalesce(path.setting ~ '(^|,)\s*"?pg_temp"?$', false)
 ORDER BY 1)"};

constexpr pg::Statement kSecure{"doctor_secure", R"(/* outbox:doctor_secure */
SELECT count(*) FROM pg_proc p WHERE p.pronamespace = to_regnamespace('outbox') AND p.prosecdef)"};

// Sequences of identity columns follow their table.
constexpr pg::Statement kOwners{"doctor_owners", R"(/* outbox:doctor_owners */
SELECT o.object, pg_get_userbyid(o.owner), pg_get_userbyid(n.nspowner),
       format('ALTER %s OWNER TO %I;', o.object, pg_get_userbyid(n.nspowner))
  FROM pg_namespace n,
       LATERAL (SELECT format('%s outbox.%I', CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, c.relname) AS object,
                       c.relowner AS owner
                  FROM pg_class c
                 WHERE c.relnamespace = n.oid AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
                   AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'i'
                                      AND c.relkind = 'S')
                UNION ALL
                SELECT format('%s %s', CASE p.prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END, p.oid::regprocedure), p.proowner
                  FROM pg_proc p WHERE p.pronamespace = n.oid) o
 WHERE n.nspname = 'outbox' AND o.owner <> n.nspowner
 ORDER BY o.object)"};

// The sessions that heartbeat: one for each processor; who runs them is shown to everybody.
constexpr pg::Statement kLogins{"doctor_logins", R"(/* outbox:doctor_logins */
SELECT r.rolname, r.rolsuper, pg_get_userbyid(n.nspowner)
  FROM pg_namespace n, pg_roles r
 WHERE n.nspname = 'outbox' AND (r.rolsuper OR pg_has_role(r.oid, n.nspowner, 'USAGE'))
   AND (r.oid IN (SELECT a.usesysid FROM pg_stat_activity a
                   WHERE a.datname = current_database() AND a.application_name ~ '^outboxd [^ ]+ heartbeat')
        OR $1::boolean AND r.rolname = current_user)
 ORDER BY r.rolname)"};

bool has_grant_roles(Checkup& checkup) {
  return ask(checkup.database, kHasGrantRoles)[0][0].as<bool>();
}

}  // namespace

Findings check_roles(Checkup& checkup) {
  std::vector<std::string> there;
  std::vector<std::string> missing;
  std::vector<std::string> blind;
  Findings out;
  for (const auto& row : ask(checkup.database, kRoles)) {
    const auto name = pg::text(row[0]);
    (row[1].as<bool>() ? there : missing).push_back(name);
    if (row[3].as<bool>()) blind.push_back(name);
    if (!row[2].as<bool>()) continue;
    out.push_back(problem("roles", "role " + name + " is a superuser",
                          "every member may use its rights, so that nothing is protected",
                          "ALTER ROLE " + name + " NOSUPERUSER;"));
  }
  if (there.empty())
    return {ok("roles",
               std::string{"none of outboxd's roles exists; they are optional: "} + kMakeRoles)};
  if (!missing.empty()) {
    out.push_back(warning("roles", "roles are missing: " + enumerated(missing),
                          "the rights of those who should have them were not granted", kMakeRoles));
  }
  if (!blind.empty()) {
    out.push_back(warning("roles", "no rights in schema outbox: " + enumerated(blind),
                          "their members are refused; the roles were made, or their grants lost, "
                          "after the last migration",
                          kGrantRoles));
  }
  return or_ok(std::move(out), "roles", enumerated(there, there.size()));
}

Findings check_grants(Checkup& checkup) {
  if (!has_grant_roles(checkup)) {
    return {skipped("grants", "the schema has no function outbox.grant_roles()",
                    "mend what the checks schema and drift say, then run doctor again")};
  }
  std::vector<std::string> held;
  for (const auto& row : ask(checkup.database, kPublic)) held.push_back(pg::text(row[0]));
  if (held.empty()) return {ok("grants", "PUBLIC may do nothing in schema outbox")};
  return {
      problem("grants", "PUBLIC holds " + enumerated(held),
              "every role of the database may do that: read payloads, or call functions that run "
              "with their owner's rights",
              kGrantRoles)};
}

Findings check_definers(Checkup& checkup) {
  Findings out;
  for (const auto& row : ask(checkup.database, kDefiners)) {
    const auto function = pg::text(row[0]);
    out.push_back(
        problem("definers",
                "SECURITY DEFINER function " + function + " has " +
                    (row[1].is_null() ? "no search_path" : "search_path " + pg::text(row[1])) +
                    "; one that ends in pg_temp is expected",
                "a caller's temporary table of the same name would be used with the owner's rights",
                "ALTER FUNCTION " + function + " SET search_path = pg_catalog, outbox, pg_temp;"));
  }
  if (!out.empty()) return out;
  const auto count = pg::text(ask(checkup.database, kSecure)[0][0]);
  return {ok("definers",
             count + " SECURITY DEFINER functions, each with a search_path that ends in pg_temp")};
}

Findings check_owners(Checkup& checkup) {
  std::vector<std::string> objects;
  std::string owner;
  std::string fix;
  for (const auto& row : ask(checkup.database, kOwners)) {
    objects.push_back(pg::text(row[0]) + " (" + pg::text(row[1]) + ")");
    owner = pg::text(row[2]);
    fix += (fix.empty() ? "" : "\n") + pg::text(row[3]);
  }
  if (objects.empty()) return {ok("owners", "every object belongs to the schema's owner")};
  return {problem("owners",
                  "not owned by " + owner + ", who owns the schema: " + enumerated(objects),
                  "migrations run as the schema's owner and cannot change them; SECURITY DEFINER "
                  "functions run with their owner's rights",
                  fix)};
}

Findings check_login(Checkup& checkup) {
  Findings out;
  for (const auto& row : ask(checkup.database, kLogins, checkup.settings.as_processor)) {
    const auto role = pg::text(row[0]);
    const std::string has = row[1].as<bool>()
                                ? "is a superuser"
                                : "has the rights of " + pg::text(row[2]) + ", the schema's owner";
    out.push_back(
        warning("login", "processors run as " + role + ", which " + has,
                "a handler may then do anything: read, change or drop what is not its own",
                "GRANT outbox_runtime TO a login role of its own that is neither superuser "
                "nor owner, and name that in the processors' URL (roles: " +
                    std::string{kMakeRoles} + ")"));
  }
  return or_ok(std::move(out), "login", "no processor runs as superuser or as the schema's owner");
}

}  // namespace outbox::store::doctor
