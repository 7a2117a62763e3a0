-- outbox roles: optional, and no migration: roles belong to the whole server, and only some may create them.
-- WHAT        makes the group roles outbox_owner, outbox_migrator, outbox_runtime, outbox_producer, outbox_inspector and outbox_operator
--             (none can log in), schema outbox owned by outbox_owner if there is none, and the grants of outbox.grant_roles()
-- WHO         a superuser, or a role with CREATEROLE and CREATE on the database
-- RUN         psql -X -v ON_ERROR_STOP=1 --single-transaction -f roles.sql     before the first migration, or any time; again does no harm
-- AFTERWARDS  GRANT outbox_runtime TO the_login_of_outboxd;  GRANT outbox_producer TO the_application;  GRANT outbox_migrator TO the_deployment;
--             GRANT outbox_inspector TO somebody;  GRANT outbox_operator TO somebody;
-- UNDO        REVOKE the memberships, outboxd migrate down, then for each role: DROP OWNED BY outbox_...; DROP ROLE outbox_...;
-- Members of outbox_migrator work as the owner (outboxd migrate does SET ROLE). A role that handlers run as (role: in the configuration)
-- needs outbox_producer to enqueue, snooze, discard or retry.
DO $roles$
DECLARE
  role name;
BEGIN
  FOREACH role IN ARRAY '{outbox_owner,outbox_migrator,outbox_runtime,outbox_producer,outbox_inspector,outbox_operator}'::name[] LOOP
    CONTINUE WHEN EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.rolname = role);
    BEGIN
      EXECUTE pg_catalog.format('CREATE ROLE %I NOLOGIN', role);
    EXCEPTION WHEN duplicate_object OR unique_violation THEN
      NULL;  -- from another database, at the same moment
    END;
  END LOOP;
END
$roles$;

-- A membership is written only where it is missing, so that two runs at once rarely meet; when they do, the loser sees it the next time.
DO $members$
DECLARE
  g record;
BEGIN
  FOR g IN SELECT * FROM (VALUES ('outbox_owner', 'outbox_migrator'), ('outbox_inspector', 'outbox_operator')) AS v (role, member) LOOP
    FOR try IN 1..10 LOOP
      EXIT WHEN EXISTS (SELECT FROM pg_catalog.pg_auth_members m
                         WHERE m.roleid = g.role::pg_catalog.regrole AND m.member = g.member::pg_catalog.regrole);
      BEGIN
        EXECUTE pg_catalog.format('GRANT %I TO %I', g.role, g.member);
      EXCEPTION WHEN unique_violation OR internal_error THEN
        PERFORM pg_catalog.pg_sleep(0.05);
      END;
    END LOOP;
  END LOOP;
  -- Who looks at sessions sees those of other logins: what holds dead rows, and, when a migration waits, who is in the way.
  FOR g IN SELECT r.rolname AS role FROM pg_catalog.pg_roles r WHERE r.rolname IN ('outbox_inspector', 'outbox_owner')
              AND NOT pg_catalog.pg_has_role(r.oid, 'pg_read_all_stats', 'USAGE') ORDER BY 1 LOOP
    BEGIN
      EXECUTE pg_catalog.format('GRANT pg_read_all_stats TO %I', g.role);
    EXCEPTION
      WHEN insufficient_privilege THEN
        RAISE NOTICE 'outbox roles: % does not get pg_read_all_stats, which this role may not grant: it sees the times of own sessions only', g.role;
      WHEN unique_violation OR internal_error THEN
        NULL;
    END;
  END LOOP;
END
$members$;

DO $schema$
DECLARE
  owner name := (SELECT pg_catalog.pg_get_userbyid(n.nspowner) FROM pg_catalog.pg_namespace n WHERE n.nspname = 'outbox');
BEGIN
  IF owner IS NULL THEN
    IF NOT pg_catalog.pg_has_role('outbox_owner', 'MEMBER') THEN
      GRANT outbox_owner TO CURRENT_USER;  -- who created it may; needed to hand the schema over
    END IF;
    CREATE SCHEMA outbox AUTHORIZATION outbox_owner;
  ELSIF owner <> 'outbox_owner' THEN
    RAISE NOTICE 'outbox roles: schema outbox belongs to %, not to outbox_owner; outbox_migrator cannot migrate it', owner;
  END IF;
  EXECUTE pg_catalog.format('GRANT CONNECT ON DATABASE %I TO outbox_migrator, outbox_runtime, outbox_producer, outbox_inspector',
                            pg_catalog.current_database());
  EXECUTE pg_catalog.format('GRANT TEMPORARY ON DATABASE %I TO outbox_runtime', pg_catalog.current_database());  -- calls its handlers faster
  IF pg_catalog.to_regprocedure('outbox.grant_roles()') IS NOT NULL THEN
    PERFORM outbox.grant_roles();
  END IF;
END
$schema$;
