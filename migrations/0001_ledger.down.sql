-- outbox migration 0001 DOWN: ledger
-- RELEASE     0.1.0
-- KIND        expand
-- EFFECT      drops the ledger and schema outbox; the schema stays, empty, where this role could not create it again
-- LOCKS       outbox.schema_migrations ACCESS EXCLUSIVE: blocks outboxd migrate and starting processors, for milliseconds
--             outbox.schema_changes ACCESS EXCLUSIVE: for milliseconds
-- REWRITE     none
-- SCAN        none
-- DURATION    at most 5 s; 5 ms measured
-- DISK        gives some kilobytes back
-- DATA LOST   when migrations were applied, by whom and with what. Count: SELECT count(*) FROM outbox.schema_changes;
--             Save: \copy outbox.schema_changes TO 'schema_changes.csv' CSV HEADER
-- PRECHECK    none
-- COMPAT      min_reader 1; no program runs after it
-- ORDER       1. stop every processor  2. roll back everything newer  3. run this script
-- RUN         outboxd migrate down --to 0
--             psql -X -v ON_ERROR_STOP=1 --single-transaction -f 0001_ledger.down.sql
-- ON FAILURE  one transaction: nothing is changed. 55P03 = lock busy, run it again; 55000 = newer migrations are applied;
--             2BP01 = somebody else's objects are in schema outbox: move them first
-- VERIFY      SELECT to_regclass('outbox.schema_migrations');   -- NULL
-- AFTERWARDS  nothing of outboxd is left in the database but, perhaps, the roles of roles.sql
-- ==== SQL ====
LOCK TABLE outbox.schema_migrations IN EXCLUSIVE MODE NOWAIT;
SET LOCAL lock_timeout = '2s';
DO $check$
BEGIN
  IF (SELECT max(version) FROM outbox.schema_migrations) IS DISTINCT FROM 1 THEN
    RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = 'outbox 0001 down: the schema is not at version 1',
      HINT = 'Roll back the newer migrations first: outboxd migrate status';
  END IF;
END
$check$;
DROP TABLE outbox.schema_migrations;
DROP TABLE outbox.schema_changes;
DROP FUNCTION outbox.schema_changed();
DO $schema$
BEGIN
  IF pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE') THEN
    DROP SCHEMA outbox;
  ELSIF pg_catalog.pg_has_role((SELECT n.nspowner FROM pg_catalog.pg_namespace n WHERE n.nspname = 'outbox'), 'USAGE') THEN
    COMMENT ON SCHEMA outbox IS NULL;
  END IF;
END
$schema$;
