-- Logins of tests, each a member of one group role, and their rights to what tests make for handlers and applications to use.
-- Run as superuser in a database, after migrations/roles.sql; again, or in several databases at once, does no harm.
-- The setting outbox.logins is what their names begin with.
DO $logins$
DECLARE
  g record;
BEGIN
  FOR g IN SELECT coalesce(nullif(current_setting('outbox.logins', true), ''), 'outbox_test') || '_' || v.login AS login, 'outbox_' || v.role AS role
             FROM (VALUES ('migrator', 'migrator'), ('worker', 'runtime'), ('app', 'producer'), ('operator', 'operator')) AS v (login, role) LOOP
    CONTINUE WHEN EXISTS (SELECT FROM pg_roles r WHERE r.rolname = g.login);
    BEGIN
      EXECUTE format('CREATE ROLE %I LOGIN IN ROLE %I', g.login, g.role);
    EXCEPTION WHEN duplicate_object OR unique_violation THEN
      NULL;  -- from another database, at the same moment
    END;
  END LOOP;
END
$logins$;
-- Of what the superuser makes. Schema outbox has another owner, so these are no rights there.
ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO outbox_runtime, outbox_producer;
ALTER DEFAULT PRIVILEGES GRANT ALL ON SEQUENCES TO outbox_runtime, outbox_producer;
ALTER DEFAULT PRIVILEGES GRANT USAGE ON SCHEMAS TO outbox_runtime, outbox_producer;
