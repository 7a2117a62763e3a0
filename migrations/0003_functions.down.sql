-- outbox migration 0003 DOWN: functions                              kind: expand
-- EFFECT      drops what 0003 created: the functions for producers and handlers, the wake-up trigger, three views
-- LOCKS       outbox.jobs ACCESS EXCLUSIVE (blocks producers), for milliseconds
-- REWRITE     no      SCAN  no
-- DURATION    below 50 ms; the wait for the lock is capped by lock_timeout = 2s
-- DATA LOST   none
-- COMPAT      programs built for schema 3 refuse to run; producers that call outbox.enqueue get 42883
-- ORDER       1. stop every processor  2. run this script
-- RUN         outboxd migrate down --to 2
--             psql -X -v ON_ERROR_STOP=1 --single-transaction -f 0003_functions.down.sql
-- ON FAILURE  one transaction: nothing is changed. 55P03 = lock busy, run it again; 55000 = wrong version;
--             2BP01 = somebody's own function or view uses these: drop it first
-- VERIFY      SELECT max(version) FROM outbox.schema_migrations;   -- 2
-- ==== SQL ====
LOCK TABLE outbox.schema_migrations IN EXCLUSIVE MODE NOWAIT;
SET LOCAL lock_timeout = '2s';
DO $check$
BEGIN
  IF (SELECT max(version) FROM outbox.schema_migrations) IS DISTINCT FROM 3 THEN
    RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = 'outbox 0003 down: schema is not at version 3',
      HINT = 'Roll back the newer migrations first: outboxd migrate status';
  END IF;
END
$check$;
DROP VIEW outbox.queue_health;
DROP VIEW outbox.running_jobs;
DROP VIEW outbox.job_states;
DROP FUNCTION outbox.run_group(text, integer, bigint[], bigint[], text[], text[], text[], integer[], bigint[], double precision[], bigint[],
  double precision[], integer, boolean, text[], text[]);
DROP FUNCTION outbox.run_job(text, text, jsonb, bigint, integer, jsonb, bigint, tid, integer, integer, boolean, text, integer);
DROP FUNCTION outbox.finish_job(tid, bigint, integer, integer, boolean, text);
DROP FUNCTION outbox.guard(text, text, jsonb, bigint, integer, jsonb, integer);
DROP FUNCTION outbox.retry_after(interval, text);
DROP FUNCTION outbox.discard(text);
DROP FUNCTION outbox.snooze(interval);
DROP FUNCTION outbox.undo(text);
DROP FUNCTION outbox.backoff(integer, bigint, double precision, bigint, double precision);
DROP FUNCTION outbox.enqueue_many(jsonb);
DROP FUNCTION outbox.enqueue(text, jsonb, text, integer, timestamptz, interval, integer, text, timestamptz, jsonb);
DROP TRIGGER jobs_inserted ON outbox.jobs;
DROP FUNCTION outbox.jobs_inserted();
DROP FUNCTION outbox.wake();
DELETE FROM outbox.schema_migrations WHERE version = 3;
