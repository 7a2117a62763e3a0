-- outbox migration 0004 DOWN: operate
-- RELEASE     0.1.0
-- KIND        expand
-- EFFECT      drops what 0004 created (views for people, operator functions, audit, grant_roles), and takes every privilege in the
--             schema from outbox_runtime, outbox_producer, outbox_inspector and outbox_operator
-- LOCKS       outbox.audit ACCESS EXCLUSIVE: blocks operators for milliseconds
--             outbox.migrations ACCESS EXCLUSIVE: for milliseconds, as all of these views
--             outbox.storage_health ACCESS EXCLUSIVE: likewise
--             outbox.xmin_holders ACCESS EXCLUSIVE: likewise
--             outbox.processor_states ACCESS EXCLUSIVE: likewise
--             outbox.dead_letters ACCESS EXCLUSIVE: likewise
--             outbox.stuck_jobs ACCESS EXCLUSIVE: likewise
--             outbox.running_jobs ACCESS EXCLUSIVE: likewise
--             outbox.failures_last_hour ACCESS EXCLUSIVE: likewise
--             outbox.queue_health ACCESS EXCLUSIVE: likewise
--             outbox.job_states ACCESS EXCLUSIVE: likewise
--             outbox.schema_migrations EXCLUSIVE: keeps other migrators out, reads go on
-- REWRITE     none
-- SCAN        none
-- DURATION    at most 5 s; 71 ms measured, whatever the tables hold; the wait for the first lock is capped at 2 s, for the others
--             at 100 ms each
-- DISK        gives the file of the audit back
-- DATA LOST   what people did. Count: SELECT count(*) FROM outbox.audit;
--             Save: \copy outbox.audit TO 'audit.csv' CSV HEADER
-- PRECHECK    SELECT id, name FROM outbox.processors WHERE dead_at IS NULL;
-- COMPAT      min_reader 3; programs built for 4 refuse to run
-- ORDER       1. stop every processor  2. run this script
-- RUN         outboxd migrate down --to 3 --allow-data-loss
--             PGOPTIONS='-c outbox.allow_data_loss=on' psql -X -v ON_ERROR_STOP=1 --single-transaction -f 0004_operate.down.sql
-- ON FAILURE  one transaction: nothing is changed. 55P03 = lock busy, run it again; OB001 = data would be lost; 55000 = wrong version;
--             2BP01 = somebody's own view uses these: drop it first
-- VERIFY      SELECT to_regclass('outbox.audit'), max(version) FROM outbox.schema_migrations;   -- NULL, 3
-- AFTERWARDS  jobs stay and wait; producers without rights of their own get 42501
-- ==== SQL ====
LOCK TABLE outbox.schema_migrations IN EXCLUSIVE MODE NOWAIT;
SET LOCAL lock_timeout = '2s';
LOCK TABLE outbox.audit IN ACCESS EXCLUSIVE MODE;
SET LOCAL lock_timeout = '100ms';
DO $check$
DECLARE noted bigint;
BEGIN
  IF (SELECT max(version) FROM outbox.schema_migrations) IS DISTINCT FROM 4 THEN
    RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = 'outbox 0004 down: schema is not at version 4',
      HINT = 'Roll back the newer migrations first: outboxd migrate status';
  END IF;
  SELECT count(*) INTO noted FROM (SELECT 1 FROM outbox.audit LIMIT 1000) q;
  IF noted > 0 AND coalesce(nullif(current_setting('outbox.allow_data_loss', true), ''), 'off')::boolean IS NOT TRUE THEN
    RAISE EXCEPTION USING ERRCODE = 'OB001', MESSAGE = format('outbox 0004 down: would discard %s audit rows (counted up to 1000)', noted),
      HINT = 'Read DATA LOST in the header; to go on: SET outbox.allow_data_loss = on (outboxd migrate down ... --allow-data-loss)';
  END IF;
END
$check$;
DO $grants$
DECLARE receiver name;
BEGIN
  FOR receiver IN SELECT r.rolname FROM pg_catalog.pg_roles r
                   WHERE r.rolname IN ('outbox_runtime', 'outbox_producer', 'outbox_inspector', 'outbox_operator') LOOP
    EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA outbox FROM %I', receiver);
    EXECUTE format('REVOKE ALL ON ALL SEQUENCES IN SCHEMA outbox FROM %I', receiver);
    EXECUTE format('REVOKE ALL ON ALL FUNCTIONS IN SCHEMA outbox FROM %I', receiver);
    EXECUTE format('REVOKE ALL ON SCHEMA outbox FROM %I', receiver);
  END LOOP;
END
$grants$;
DROP FUNCTION outbox.grant_roles();
DROP VIEW outbox.migrations;
DROP VIEW outbox.storage_health;
DROP VIEW outbox.xmin_holders;
DROP VIEW outbox.processor_states;
DROP VIEW outbox.dead_letters;
DROP VIEW outbox.stuck_jobs;
DROP VIEW outbox.running_jobs;
DROP VIEW outbox.failures_last_hour;
DROP VIEW outbox.queue_health;
DROP VIEW outbox.job_states;
DROP FUNCTION outbox.row_width(regclass);
DROP FUNCTION outbox.recent_finishes();
DROP FUNCTION outbox.recent_failures(integer);
DROP FUNCTION outbox.future_jobs(integer);
DROP FUNCTION outbox.due_jobs(integer);
DROP FUNCTION outbox.resume(text, text, text);
DROP FUNCTION outbox.pause(text, text, text);
DROP FUNCTION outbox.discard_matching(text, text, text, timestamptz, timestamptz, integer, boolean, text, text, bigint);
DROP FUNCTION outbox.retry_matching(text, text, text, timestamptz, timestamptz, integer, boolean, text, text, bigint);
DROP FUNCTION outbox.check_filter(integer, integer);
DROP FUNCTION outbox.discard(bigint, text, text);
DROP FUNCTION outbox.discard(bigint[], text, text);
DROP FUNCTION outbox.discard_job(bigint, text, text);
DROP FUNCTION outbox.retry(bigint, text, text);
DROP FUNCTION outbox.retry(bigint[], text, text);
DROP FUNCTION outbox.retry_job(bigint, text, text);
DROP FUNCTION outbox.prune_audit(integer);
DROP FUNCTION outbox.note(text, text, text, text, bigint, text, jsonb, jsonb);
DROP TABLE outbox.audit;
DELETE FROM outbox.schema_migrations WHERE version = 4;
