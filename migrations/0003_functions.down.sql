-- outbox migration 0003 DOWN: functions
-- RELEASE     0.1.0
-- KIND        expand
-- EFFECT      drops what 0003 created: the functions for producers and handlers, and the wake-up trigger
-- LOCKS       outbox.jobs ACCESS EXCLUSIVE: blocks producers and claims for milliseconds (DROP TRIGGER)
--             outbox.schema_migrations EXCLUSIVE: keeps other migrators out, reads go on
-- REWRITE     none
-- SCAN        none
-- DURATION    at most 5 s; 7 ms measured, whatever the tables hold; the wait for the lock is capped at 2 s
-- DISK        none
-- DATA LOST   none
-- PRECHECK    SELECT id, name FROM outbox.processors WHERE dead_at IS NULL;
-- COMPAT      min_reader 2; no program runs after it
-- ORDER       1. stop every processor, and producers that call outbox.enqueue  2. run this script
-- RUN         outboxd migrate down --to 2
--             psql -X -v ON_ERROR_STOP=1 --single-transaction -f 0003_functions.down.sql
-- ON FAILURE  one transaction: nothing is changed. 55P03 = lock busy, run it again; 55000 = wrong version;
--             2BP01 = somebody's own function or view uses these: drop it first
-- VERIFY      SELECT to_regproc('outbox.enqueue'), max(version) FROM outbox.schema_migrations;   -- NULL, 2
-- AFTERWARDS  jobs stay; producers that call outbox.enqueue get 42883, plain INSERTs go on
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
DROP TRIGGER jobs_inserted ON outbox.jobs;
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
DROP FUNCTION outbox.jobs_inserted();
DROP FUNCTION outbox.wake();
DELETE FROM outbox.schema_migrations WHERE version = 3;
