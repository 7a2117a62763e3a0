-- outbox migration 0002 DOWN: jobs
-- RELEASE     0.1.0
-- KIND        expand
-- EFFECT      drops tables job_failures, dead_jobs, finished_jobs, jobs, processors, queues and functions day_slot, payload_fits, refuse
-- LOCKS       outbox.jobs ACCESS EXCLUSIVE: blocks producers and claims until the commit, 0.4 s with 1M live jobs and 10M of history
--             outbox.finished_jobs ACCESS EXCLUSIVE: all 32 slots, likewise
--             outbox.dead_jobs ACCESS EXCLUSIVE: likewise
--             outbox.job_failures ACCESS EXCLUSIVE: likewise
--             outbox.processors ACCESS EXCLUSIVE: blocks heartbeats, likewise
--             outbox.queues ACCESS EXCLUSIVE: likewise
--             outbox.schema_migrations EXCLUSIVE: keeps other migrators out, reads go on
-- REWRITE     none
-- SCAN        none
-- DURATION    at most 10 s; 41 ms measured with empty tables, 380 ms with 1M live jobs and 10M of history; the wait for the first lock
--             is capped at 2 s, for the others at 100 ms each
-- DISK        gives the files of the tables back
-- DATA LOST   every job, the history, the dead letters and their failures, pauses and history settings of queues.
--             Count: SELECT (SELECT count(*) FROM outbox.jobs) + (SELECT count(*) FROM outbox.dead_jobs);
--             Save: pg_dump --data-only --schema=outbox > outbox.sql
-- PRECHECK    SELECT id, name FROM outbox.processors WHERE dead_at IS NULL;
-- COMPAT      min_reader 1; no processor and no producer runs after it
-- ORDER       1. stop every processor and producer  2. run this script
-- RUN         outboxd migrate down --to 1 --allow-data-loss
--             PGOPTIONS='-c outbox.allow_data_loss=on' psql -X -v ON_ERROR_STOP=1 --single-transaction -f 0002_jobs.down.sql
-- ON FAILURE  one transaction: nothing is changed. 55P03 = lock busy, run it again; OB001 = data would be lost; 55000 = wrong version;
--             2BP01 = somebody's own view or foreign key uses the tables: drop it first
-- VERIFY      SELECT to_regclass('outbox.jobs'), max(version) FROM outbox.schema_migrations;   -- NULL, 1
-- AFTERWARDS  producers get 42P01 (no table outbox.jobs)
-- ==== SQL ====
LOCK TABLE outbox.schema_migrations IN EXCLUSIVE MODE NOWAIT;
SET LOCAL lock_timeout = '2s';
LOCK TABLE outbox.jobs IN ACCESS EXCLUSIVE MODE;
SET LOCAL lock_timeout = '100ms';  -- nobody is to wait for jobs longer while the others are collected
LOCK TABLE outbox.processors, outbox.queues, outbox.dead_jobs, outbox.job_failures, outbox.finished_jobs IN ACCESS EXCLUSIVE MODE;
DO $check$
DECLARE live bigint; dead bigint; finished bigint;
BEGIN
  IF (SELECT max(version) FROM outbox.schema_migrations) IS DISTINCT FROM 2 THEN
    RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = 'outbox 0002 down: schema is not at version 2',
      HINT = 'Roll back the newer migrations first: outboxd migrate status';
  END IF;
  SELECT count(*) INTO live FROM (SELECT 1 FROM outbox.jobs LIMIT 1000) q;
  SELECT count(*) INTO dead FROM (SELECT 1 FROM outbox.dead_jobs LIMIT 1000) q;
  SELECT count(*) INTO finished FROM (SELECT 1 FROM outbox.finished_jobs LIMIT 1000) q;
  IF live + dead + finished > 0 AND coalesce(nullif(current_setting('outbox.allow_data_loss', true), ''), 'off')::boolean IS NOT TRUE THEN
    RAISE EXCEPTION USING ERRCODE = 'OB001',
      MESSAGE = format('outbox 0002 down: would discard %s live, %s dead and %s finished jobs (counted up to 1000 each)', live, dead, finished),
      HINT = 'Read DATA LOST in the header; to go on: SET outbox.allow_data_loss = on (outboxd migrate down ... --allow-data-loss)';
  END IF;
END
$check$;
DROP TABLE outbox.job_failures;
DROP TABLE outbox.dead_jobs;
DROP TABLE outbox.finished_jobs;
DROP TABLE outbox.jobs;
DROP TABLE outbox.processors;
DROP TABLE outbox.queues;
DROP FUNCTION outbox.day_slot(timestamptz);
DROP FUNCTION outbox.payload_fits();
DROP FUNCTION outbox.refuse(text, text);
DELETE FROM outbox.schema_migrations WHERE version = 2;
