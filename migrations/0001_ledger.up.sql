-- outbox migration 0001 UP: ledger
-- RELEASE     0.1.0
-- KIND        expand
-- EFFECT      creates schema outbox (unless it is there and empty) with the ledger: table schema_migrations says what is applied and
--             keeps the texts of each migration, so that an older program or psql alone can undo it; table schema_changes says what
--             was applied and rolled back when, by whom and with what, and is written by a trigger
-- LOCKS       none
-- REWRITE     none
-- SCAN        none
-- DURATION    at most 5 s; 6 ms measured
-- DISK        some kilobytes
-- DATA LOST   none
-- PRECHECK    none
-- COMPAT      min_reader 1; nothing runs before it
-- ORDER       first, with the role that is to own the schema; optional before it: roles.sql
-- RUN         outboxd migrate up --to 1
--             psql -X -v ON_ERROR_STOP=1 --single-transaction -f 0001_ledger.up.sql
-- ON FAILURE  one transaction: nothing is changed. 55P03 = another migration runs, run it again; 55000 = applied already;
--             42P06 = schema outbox holds objects that are not ours; 42501 = the role may not create a schema in this database;
--             25P01 = run without --single-transaction
-- VERIFY      psql -X -v ON_ERROR_STOP=1 -f verify/0001_ledger.sql
-- AFTERWARDS  SELECT version, name, applied_at, applied_by FROM outbox.schema_migrations;
-- ==== SQL ====
LOCK TABLE pg_catalog.pg_namespace IN ACCESS SHARE MODE NOWAIT;  -- conflicts with nothing, but fails outside a transaction
SET LOCAL lock_timeout = '2s';
DO $check$
BEGIN
  -- There is no ledger to lock yet: this keeps a second migrator out.
  IF NOT pg_catalog.pg_try_advisory_xact_lock(7306803, 1) THEN
    RAISE EXCEPTION USING ERRCODE = '55P03', MESSAGE = 'outbox 0001 up: another migration is running', HINT = 'Run it again when that has ended.';
  END IF;
  IF pg_catalog.to_regclass('outbox.schema_migrations') IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = 'outbox 0001 up: the schema is not at version 0',
      HINT = 'It is applied already: outboxd migrate status';
  END IF;
  IF pg_catalog.to_regnamespace('outbox') IS NULL THEN
    CREATE SCHEMA outbox;
  ELSIF EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.relnamespace = pg_catalog.to_regnamespace('outbox'))
     OR EXISTS (SELECT FROM pg_catalog.pg_proc p WHERE p.pronamespace = pg_catalog.to_regnamespace('outbox')) THEN
    RAISE EXCEPTION USING ERRCODE = '42P06', MESSAGE = 'outbox 0001 up: schema outbox exists and holds objects that are not ours',
      HINT = 'Move them, or use another database: the name of the schema is fixed.';
  END IF;
END
$check$;
DO $comment$
BEGIN
  IF pg_catalog.pg_has_role((SELECT n.nspowner FROM pg_catalog.pg_namespace n WHERE n.nspname = 'outbox'), 'USAGE') THEN
    COMMENT ON SCHEMA outbox IS 'outboxd: jobs that applications insert in their own transactions, and what became of them.';
  END IF;
END
$comment$;

CREATE TABLE outbox.schema_migrations (
  version     integer     CONSTRAINT schema_migrations_pkey PRIMARY KEY,
  name        text        NOT NULL,
  min_reader  integer     NOT NULL,
  applied_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
  applied_by  text        NOT NULL DEFAULT session_user,
  applied_via text        NOT NULL DEFAULT coalesce(nullif(current_setting('application_name', true), ''), 'unknown'),
  up_sha256   text,
  up_sql      text,
  down_sql    text,
  verify_sql  text,
  catalog     text
);
COMMENT ON TABLE outbox.schema_migrations IS 'The ledger: one row for each applied migration, written by the migration itself.';
COMMENT ON COLUMN outbox.schema_migrations.version IS 'Number of the migration file.';
COMMENT ON COLUMN outbox.schema_migrations.name IS 'Name of the migration file, without number and ending.';
COMMENT ON COLUMN outbox.schema_migrations.min_reader IS 'Oldest schema version that a program may have been built for and still run on this one.';
COMMENT ON COLUMN outbox.schema_migrations.applied_at IS 'When it was applied, by the database clock.';
COMMENT ON COLUMN outbox.schema_migrations.applied_by IS 'Session user that applied it.';
COMMENT ON COLUMN outbox.schema_migrations.applied_via IS 'application_name of that session.';
COMMENT ON COLUMN outbox.schema_migrations.up_sha256 IS 'SHA-256 of the SQL below the header of the file that was applied; NULL when applied by hand and not adopted yet (outboxd migrate adopt).';
COMMENT ON COLUMN outbox.schema_migrations.up_sql IS 'The file that was applied, with its header. NULL as up_sha256.';
COMMENT ON COLUMN outbox.schema_migrations.down_sql IS 'The way back, with its header, so that an older program or psql alone can undo it. NULL as up_sha256.';
COMMENT ON COLUMN outbox.schema_migrations.verify_sql IS 'Read-only SQL that fails when the result of the migration is not there. NULL as up_sha256.';
COMMENT ON COLUMN outbox.schema_migrations.catalog IS 'The objects that it added (+) and removed (-), a line each. NULL as up_sha256.';
COMMENT ON INDEX outbox.schema_migrations_pkey IS 'One row a version.';

CREATE TABLE outbox.schema_changes (
  id          bigint      GENERATED ALWAYS AS IDENTITY CONSTRAINT schema_changes_pkey PRIMARY KEY,
  version     integer     NOT NULL,
  name        text        NOT NULL,
  direction   text        NOT NULL CONSTRAINT schema_change_direction CHECK (direction IN ('up', 'down')),
  changed_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
  changed_by  text        NOT NULL DEFAULT session_user,
  changed_via text        NOT NULL DEFAULT coalesce(nullif(current_setting('application_name', true), ''), 'unknown')
);
COMMENT ON TABLE outbox.schema_changes IS 'What was applied and rolled back, in order; rolled back migrations stay listed. Written by a trigger on the ledger.';
COMMENT ON COLUMN outbox.schema_changes.id IS 'Counts up.';
COMMENT ON COLUMN outbox.schema_changes.version IS 'Number of the migration.';
COMMENT ON COLUMN outbox.schema_changes.name IS 'Its name.';
COMMENT ON COLUMN outbox.schema_changes.direction IS 'up: applied; down: rolled back.';
COMMENT ON COLUMN outbox.schema_changes.changed_at IS 'When, by the database clock.';
COMMENT ON COLUMN outbox.schema_changes.changed_by IS 'Session user.';
COMMENT ON COLUMN outbox.schema_changes.changed_via IS 'application_name of that session.';
COMMENT ON INDEX outbox.schema_changes_pkey IS 'The order of the changes.';

CREATE FUNCTION outbox.schema_changed() RETURNS trigger
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO outbox.schema_changes (version, name, direction) VALUES (NEW.version, NEW.name, 'up');
  ELSE
    INSERT INTO outbox.schema_changes (version, name, direction) VALUES (OLD.version, OLD.name, 'down');
  END IF;
  PERFORM pg_notify('outbox', 'schema');  -- processors look whether they can live with the result
  RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION outbox.schema_changed() FROM PUBLIC;
COMMENT ON FUNCTION outbox.schema_changed() IS 'Trigger: notes a change of the ledger and tells the processors.';
CREATE TRIGGER schema_migrations_changed AFTER INSERT OR DELETE ON outbox.schema_migrations
  FOR EACH ROW EXECUTE FUNCTION outbox.schema_changed();
COMMENT ON TRIGGER schema_migrations_changed ON outbox.schema_migrations IS 'Writes outbox.schema_changes.';

INSERT INTO outbox.schema_migrations (version, name, min_reader) VALUES (1, 'ledger', 1);
