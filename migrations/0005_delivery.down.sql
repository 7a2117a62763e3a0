-- outbox migration 0005 DOWN: delivery
-- RELEASE     0.1.0
-- KIND        expand
-- EFFECT      drops what 0005 created (columns detail, table kinds, functions pause_kind, resume_kind, message_id), puts job_states,
--             stuck_jobs and grant_roles back as in 0004, and calls it
-- LOCKS       outbox.finished_jobs ACCESS EXCLUSIVE: all 32 slots: nothing finishes and nobody reads the history for milliseconds
--             outbox.job_failures ACCESS EXCLUSIVE: nothing fails, likewise
--             outbox.kinds ACCESS EXCLUSIVE: likewise
--             outbox.job_states ACCESS EXCLUSIVE: likewise
--             outbox.stuck_jobs ACCESS EXCLUSIVE: likewise
--             outbox.audit SHARE UPDATE EXCLUSIVE: blocks nobody who works
--             outbox.schema_migrations EXCLUSIVE: keeps other migrators out, reads go on
-- REWRITE     none
-- SCAN        outbox.finished_jobs, outbox.job_failures: to count what would be lost, before anything is locked; under the locks only
--             what came since
-- DURATION    at most 120 s; 50 ms measured with small tables, and the time to read both; locked for milliseconds; the wait for the
--             first lock is capped at 2 s, for the others at 100 ms each
-- DISK        none; what the details took comes back as their rows go
-- DATA LOST   details of failures and of finished jobs, pauses of kinds.
--             Count: SELECT count(*) FROM outbox.job_failures WHERE detail IS NOT NULL;
--             Save: \copy (SELECT job_id, failed_at, detail FROM outbox.job_failures WHERE detail IS NOT NULL) TO 'details.csv' CSV HEADER
-- PRECHECK    SELECT id, name FROM outbox.processors WHERE dead_at IS NULL AND coalesce(oldest_schema, built_for) > 4;
-- COMPAT      min_reader 4; programs built for 5 refuse to run
-- ORDER       1. stop every processor built for 5, or put the older program in its place  2. run this script
-- RUN         outboxd migrate down --to 4
--             psql -X -v ON_ERROR_STOP=1 --single-transaction -f 0005_delivery.down.sql
-- ON FAILURE  one transaction: nothing is changed. 55P03 = lock busy, run it again; OB001 = data would be lost; 55000 = wrong version;
--             2BP01 = somebody's own view uses these: drop it first
-- VERIFY      SELECT to_regclass('outbox.kinds'), max(version) FROM outbox.schema_migrations;   -- NULL, 4
-- AFTERWARDS  jobs of kinds that were paused run again, if the older program has a handler for them
-- ==== SQL ====
LOCK TABLE outbox.schema_migrations IN EXCLUSIVE MODE NOWAIT;
SET LOCAL lock_timeout = '2s';
-- Reading all of the history takes its time, so it is done while everybody works. What may have come since then is looked at again under
-- the locks, by index. Details are written by single statements, so a margin of some minutes is more than enough.
DO $check$
DECLARE
  finished bigint;
  failed bigint;
  paused bigint;
  since timestamptz := clock_timestamp() - interval '10 minutes';
BEGIN
  IF (SELECT max(version) FROM outbox.schema_migrations) IS DISTINCT FROM 5 THEN
    RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = 'outbox 0005 down: schema is not at version 5',
      HINT = 'Roll back the newer migrations first: outboxd migrate status';
  END IF;
  SELECT count(*) INTO finished FROM (SELECT 1 FROM outbox.finished_jobs f WHERE f.detail IS NOT NULL LIMIT 1000) q;
  SELECT count(*) INTO failed FROM (SELECT 1 FROM outbox.job_failures f WHERE f.detail IS NOT NULL LIMIT 1000) q;
  IF finished + failed = 0 THEN
    LOCK TABLE ONLY outbox.finished_jobs IN ACCESS EXCLUSIVE MODE;
    SET LOCAL lock_timeout = '100ms';
    LOCK TABLE outbox.finished_jobs, outbox.job_failures, outbox.kinds IN ACCESS EXCLUSIVE MODE;
    SELECT count(*) INTO finished FROM (SELECT 1 FROM outbox.finished_jobs f
      WHERE f.detail IS NOT NULL AND f.finished_at > since
        AND f.slot IN (outbox.day_slot(since), outbox.day_slot(clock_timestamp())) LIMIT 1000) q;
    SELECT count(*) INTO failed FROM (SELECT 1 FROM outbox.job_failures f WHERE f.detail IS NOT NULL AND f.failed_at > since LIMIT 1000) q;
  END IF;
  SELECT count(*) INTO paused FROM outbox.kinds k WHERE k.paused_at IS NOT NULL;
  IF finished + failed + paused > 0 AND coalesce(nullif(current_setting('outbox.allow_data_loss', true), ''), 'off')::boolean IS NOT TRUE THEN
    RAISE EXCEPTION USING ERRCODE = 'OB001',
      MESSAGE = format('outbox 0005 down: would discard details of %s failures and %s finished jobs (counted up to 1000 each), and pauses of %s kinds',
                       failed, finished, paused),
      HINT = 'Read DATA LOST in the header; to go on: SET outbox.allow_data_loss = on (outboxd migrate down ... --allow-data-loss)';
  END IF;
END
$check$;
SET LOCAL lock_timeout = '2s';
LOCK TABLE ONLY outbox.finished_jobs IN ACCESS EXCLUSIVE MODE;
SET LOCAL lock_timeout = '100ms';
LOCK TABLE outbox.finished_jobs, outbox.job_failures, outbox.kinds IN ACCESS EXCLUSIVE MODE;
CREATE OR REPLACE FUNCTION outbox.grant_roles() RETURNS void
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  producer text := 'kind, payload, queue, priority, run_at, max_attempts, unique_key, expires_at, headers';
  shared text := 'id, run_at, created_at, expires_at, claim_token, priority, attempt, max_attempts, crashes, queue, kind, unique_key, last_error';
  finished text := 'slot, priority, attempt, crashes, processor_id, id, created_at, run_at, started_at, finished_at, queue, kind, unique_key';
  handler text := 'outbox.enqueue(text, jsonb, text, integer, timestamptz, interval, integer, text, timestamptz, jsonb), '
    'outbox.enqueue_many(jsonb), outbox.refuse(text, text), outbox.snooze(interval), outbox.discard(text), outbox.retry_after(interval, text)';
  slots text := (SELECT string_agg(c.oid::regclass::text, ', ') FROM pg_class c JOIN pg_inherits i ON i.inhrelid = c.oid
                  WHERE i.inhparent = 'outbox.finished_jobs'::regclass);
  processor text := (SELECT string_agg(p.oid::regprocedure::text, ', ') FROM pg_proc p
                      WHERE p.pronamespace = 'outbox'::regnamespace AND p.proname IN ('run_group', 'run_job', 'finish_job', 'guard'));
  operator text := (SELECT string_agg(p.oid::regprocedure::text, ', ') FROM pg_proc p
                     WHERE p.pronamespace = 'outbox'::regnamespace AND p.prosecdef
                       AND p.proname IN ('retry', 'discard', 'retry_matching', 'discard_matching', 'pause', 'resume'));
  receiver text;
  g record;
BEGIN
  FOR receiver IN
    SELECT 'PUBLIC' UNION ALL SELECT quote_ident(r.rolname) FROM pg_roles r
     WHERE r.rolname IN ('outbox_runtime', 'outbox_producer', 'outbox_inspector', 'outbox_operator')
  LOOP
    EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA outbox FROM %s', receiver);
    EXECUTE format('REVOKE ALL ON ALL SEQUENCES IN SCHEMA outbox FROM %s', receiver);
    EXECUTE format('REVOKE ALL ON ALL FUNCTIONS IN SCHEMA outbox FROM %s', receiver);
    EXECUTE format('REVOKE ALL ON SCHEMA outbox FROM %s', receiver);
    CONTINUE WHEN receiver = 'PUBLIC';
    EXECUTE format('GRANT USAGE ON SCHEMA outbox TO %s', receiver);
    FOR g IN
      SELECT v.* FROM (VALUES
        ('outbox_producer', format('INSERT (%s), SELECT (id, kind, unique_key)', producer), 'outbox.jobs'),
        ('outbox_producer', 'EXECUTE', 'FUNCTION ' || handler),
        ('outbox_producer', 'SELECT (version, min_reader)', 'outbox.schema_migrations'),

        ('outbox_runtime', format('INSERT (%s), SELECT, DELETE', producer), 'outbox.jobs'),
        ('outbox_runtime', 'UPDATE (run_at, claimed_at, claimed_by, claim_token, attempt, crashes, suspect, last_error)', 'outbox.jobs'),
        ('outbox_runtime', 'INSERT, DELETE, SELECT (ctid, slot, queue, finished_at)', 'outbox.finished_jobs'),
        ('outbox_runtime', 'TRUNCATE', slots),
        ('outbox_runtime', 'INSERT, DELETE, UPDATE (died_at, reason, last_error), SELECT (ctid, id, died_at, reason, last_error)',
           'outbox.dead_jobs'),
        ('outbox_runtime', 'INSERT, DELETE, SELECT (ctid, job_id, failed_at)', 'outbox.job_failures'),
        ('outbox_runtime', 'SELECT, INSERT, DELETE, UPDATE (heartbeat_at, dead_at, dead_reason)', 'outbox.processors'),
        ('outbox_runtime', 'USAGE', 'SEQUENCE outbox.processors_id_seq'),
        ('outbox_runtime', 'SELECT, INSERT (name, history, retention_days), UPDATE (history, retention_days, updated_at)', 'outbox.queues'),
        ('outbox_runtime', 'SELECT', 'outbox.schema_migrations'),
        ('outbox_runtime', 'EXECUTE', 'FUNCTION ' || handler),
        ('outbox_runtime', 'EXECUTE', 'FUNCTION ' || processor),
        ('outbox_runtime', 'EXECUTE', 'FUNCTION outbox.day_slot(timestamptz), outbox.undo(text), outbox.prune_audit(integer), '
           'outbox.backoff(integer, bigint, double precision, bigint, double precision)'),

        ('outbox_inspector', format('SELECT (%s, claimed_at, claimed_by, suspect)', shared), 'outbox.jobs'),
        ('outbox_inspector', format('SELECT (%s, died_at, processor_id, reason)', shared), 'outbox.dead_jobs'),
        ('outbox_inspector', format('SELECT (ctid, %s)', finished), 'outbox.finished_jobs'),
        ('outbox_inspector', 'SELECT', 'outbox.job_failures, outbox.processors, outbox.queues, outbox.audit, outbox.schema_migrations, outbox.schema_changes'),
        ('outbox_inspector', 'SELECT', 'SEQUENCE outbox.jobs_id_seq, outbox.processors_id_seq, outbox.audit_id_seq, outbox.schema_changes_id_seq'),
        ('outbox_inspector', 'SELECT', 'outbox.job_states, outbox.queue_health, outbox.failures_last_hour, outbox.running_jobs, '
           'outbox.stuck_jobs, outbox.dead_letters, outbox.processor_states, outbox.xmin_holders, outbox.storage_health, outbox.migrations'),
        ('outbox_inspector', 'EXECUTE', 'FUNCTION outbox.day_slot(timestamptz), outbox.due_jobs(integer), outbox.future_jobs(integer), '
           'outbox.recent_failures(integer), outbox.recent_finishes(), outbox.row_width(regclass)'),

        ('outbox_operator', 'EXECUTE', 'FUNCTION ' || operator)) AS v (role, privileges, objects)
       WHERE v.role = receiver
    LOOP
      EXECUTE format('GRANT %s ON %s TO %s', g.privileges, g.objects, receiver);
    END LOOP;
  END LOOP;
END $$;
CREATE OR REPLACE VIEW outbox.job_states AS
  SELECT j.id,
         CASE WHEN j.claimed_by IS NOT NULL AND (p.id IS NULL OR p.dead_at IS NOT NULL) THEN 'stranded'
              WHEN j.claimed_by IS NOT NULL THEN 'claimed'
              WHEN j.run_at > clock_timestamp() AND (j.attempt > 0 OR j.last_error IS NOT NULL) THEN 'retrying'
              WHEN j.run_at > clock_timestamp() THEN 'scheduled'
              WHEN q.paused_at IS NOT NULL THEN 'paused'
              ELSE 'waiting' END AS state,
         j.queue, j.kind, j.priority, j.attempt, j.max_attempts, j.crashes, j.created_at, j.run_at, j.claimed_at, j.claimed_by,
         NULL::timestamptz AS ended_at, j.unique_key, j.last_error
    FROM outbox.jobs j
    LEFT JOIN outbox.processors p ON p.id = j.claimed_by
    LEFT JOIN outbox.queues q ON q.name = j.queue
  UNION ALL
  SELECT d.id, 'dead', d.queue, d.kind, d.priority, d.attempt, d.max_attempts, d.crashes, d.created_at, d.run_at, NULL, d.processor_id,
         d.died_at, d.unique_key, d.reason || coalesce(': ' || d.last_error, '')
    FROM outbox.dead_jobs d
  UNION ALL
  SELECT f.id, 'finished', f.queue, f.kind, f.priority, f.attempt, NULL, f.crashes, f.created_at, f.run_at, f.started_at, f.processor_id,
         f.finished_at, f.unique_key, NULL
    FROM outbox.finished_jobs f;
COMMENT ON VIEW outbox.job_states IS 'Every job with its state in one word: waiting, scheduled, retrying, paused, claimed, stranded (its processor is dead; it will be rescued), finished, dead. Ask by id or by a range of ids: that goes by index.';
CREATE OR REPLACE VIEW outbox.stuck_jobs AS
  SELECT s.id, s.queue, s.kind, s.reason, statement_timestamp() - s.run_at AS due_for, s.claimed_at, s.attempt, s.crashes
    FROM (
      SELECT d.*, CASE
          WHEN d.claimed_by IS NOT NULL AND p.id IS NULL THEN format('its processor %s is gone; any living processor of its queue takes it over', d.claimed_by)
          WHEN p.dead_at IS NOT NULL THEN format('its processor %s (%s) died: %s; any living processor of its queue takes it over', p.id, p.name, p.dead_reason)
          WHEN d.claimed_at < statement_timestamp() - interval '1 hour' THEN format('processor %s (%s) has run it for more than an hour', p.id, p.name)
          WHEN d.claimed_by IS NOT NULL THEN NULL
          WHEN q.paused_at IS NOT NULL THEN 'its queue is paused'
          WHEN served.queue IS NULL THEN 'no living processor serves its queue'
          WHEN able.kind IS NULL THEN 'no living processor of its queue can run its kind'
          WHEN d.run_at >= statement_timestamp() - interval '1 minute' THEN NULL
          WHEN d.suspect THEN 'due for more than a minute: it runs alone, because a processor died with it'
          ELSE 'due for more than a minute: its queue is behind' END AS reason
        FROM outbox.due_jobs() d
        LEFT JOIN outbox.processors p ON p.id = d.claimed_by
        LEFT JOIN outbox.queues q ON q.name = d.queue
        LEFT JOIN (SELECT DISTINCT unnest(a.queues) AS queue FROM outbox.processors a WHERE a.dead_at IS NULL) served ON served.queue = d.queue
        LEFT JOIN (SELECT DISTINCT aq.queue, ak.kind FROM outbox.processors a, unnest(a.queues) aq (queue), unnest(a.kinds) ak (kind)
                    WHERE a.dead_at IS NULL) able ON able.queue = d.queue AND able.kind = d.kind) s
   WHERE s.reason IS NOT NULL
   ORDER BY s.run_at;
COMMENT ON VIEW outbox.stuck_jobs IS
  'Jobs that ought to have ended or started and why they did not, in words, oldest first. Bounded as running_jobs: the head of what is due, 10000 rows in all.';
DROP FUNCTION outbox.message_id(bigint);
DROP FUNCTION outbox.resume_kind(text, text, text);
DROP FUNCTION outbox.pause_kind(text, text, text);
DROP TABLE outbox.kinds;
ALTER TABLE outbox.finished_jobs DROP COLUMN detail;
ALTER TABLE outbox.job_failures DROP COLUMN detail;
COMMENT ON COLUMN outbox.audit.queue IS 'Which queue, or the queue of the job.';
COMMENT ON COLUMN outbox.audit.job_id IS 'Which job; NULL for a queue.';
COMMENT ON COLUMN outbox.audit.kind IS 'Kind of the job.';
DO $grants$ BEGIN PERFORM outbox.grant_roles(); END $grants$;
DELETE FROM outbox.schema_migrations WHERE version = 5;
