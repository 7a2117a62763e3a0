-- outbox migration 0005 UP: delivery
-- RELEASE     0.1.0
-- KIND        expand
-- EFFECT      adds column detail to job_failures and finished_jobs, creates table kinds and functions pause_kind, resume_kind and
--             message_id; views job_states and stuck_jobs tell of paused kinds; replaces grant_roles and calls it
-- LOCKS       outbox.finished_jobs ACCESS EXCLUSIVE: all 32 slots: nothing finishes and nobody reads the history for milliseconds
--             outbox.job_failures ACCESS EXCLUSIVE: nothing fails, likewise
--             outbox.job_states ACCESS EXCLUSIVE: for milliseconds
--             outbox.stuck_jobs ACCESS EXCLUSIVE: likewise
--             outbox.audit SHARE UPDATE EXCLUSIVE: blocks nobody who works
--             outbox.schema_migrations EXCLUSIVE: keeps other migrators out, reads go on, for 0.1 s
-- REWRITE     none
-- SCAN        none
-- DURATION    at most 5 s; 30 ms measured, whatever the tables hold; the wait for the first lock is capped at 2 s, for the others
--             at 100 ms each
-- DISK        some kilobytes; later what the details take, at most 64 KiB of each failure of an external handler
-- DATA LOST   none
-- PRECHECK    none
-- COMPAT      min_reader 4; programs built for 5 need it
-- ORDER       1. run this script  2. start processors of the new program; those built for 4 go on, and do not heed paused kinds
-- RUN         outboxd migrate up --to 5
--             psql -X -v ON_ERROR_STOP=1 --single-transaction -f 0005_delivery.up.sql
-- ON FAILURE  one transaction: nothing is changed. 55P03 = lock busy, run it again; 55000 = wrong version;
--             42501 = somebody else's object is in schema outbox: move it first; 25P01 = run without --single-transaction
-- VERIFY      psql -X -v ON_ERROR_STOP=1 -f verify/0005_delivery.sql
-- AFTERWARDS  SELECT * FROM outbox.kinds; SELECT outbox.message_id(1);
-- ==== SQL ====
LOCK TABLE outbox.schema_migrations IN EXCLUSIVE MODE NOWAIT;
SET LOCAL lock_timeout = '2s';
DO $check$
BEGIN
  IF (SELECT max(version) FROM outbox.schema_migrations) IS DISTINCT FROM 4 THEN
    RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = 'outbox 0005 up: schema is not at version 4',
      HINT = 'Apply the migrations in order: outboxd migrate status';
  END IF;
END
$check$;
LOCK TABLE ONLY outbox.finished_jobs IN ACCESS EXCLUSIVE MODE;  -- every finish goes through it; its slots wait for nobody long
SET LOCAL lock_timeout = '100ms';
LOCK TABLE outbox.finished_jobs, outbox.job_failures IN ACCESS EXCLUSIVE MODE;

-- ---- what an external handler got back ----
-- No CHECK on the length: one would read the whole table here, and run for every job that finishes. The program clips.

ALTER TABLE outbox.finished_jobs ADD COLUMN detail jsonb;
ALTER TABLE outbox.job_failures ADD COLUMN detail jsonb;
COMMENT ON COLUMN outbox.finished_jobs.detail IS 'What its external handler got back, if it is configured to keep that: status, body, exit code, outputs, times; at most 64 KiB.';
COMMENT ON COLUMN outbox.job_failures.detail IS 'What an external handler got back: status, body, exit code, outputs, times, clipped to 64 KiB in all; NULL: none.';

-- ---- kinds that are paused ----

CREATE TABLE outbox.kinds (
  name       text        CONSTRAINT kinds_pkey PRIMARY KEY,
  paused_at  timestamptz,
  paused_why text,
  updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT kind_name_length CHECK (length(name) BETWEEN 1 AND 63 OR outbox.refuse(
    format('the kind has %s characters; 1 to 63 are allowed', length(name)), 'Choose a shorter name.')),
  CONSTRAINT kind_paused_why CHECK (paused_at IS NOT NULL OR paused_why IS NULL)
);
COMMENT ON TABLE outbox.kinds IS 'Kinds that somebody paused, or that a processor paused because their endpoint said that it is gone. A job may have a kind that is not here.';
COMMENT ON COLUMN outbox.kinds.name IS 'Name, as in jobs.kind.';
COMMENT ON COLUMN outbox.kinds.paused_at IS 'Since when nothing of this kind is claimed, in any queue; NULL: not paused.';
COMMENT ON COLUMN outbox.kinds.paused_why IS 'Why, as was said; NULL: nothing was said.';
COMMENT ON COLUMN outbox.kinds.updated_at IS 'Last change of this row.';
COMMENT ON INDEX outbox.kinds_pkey IS 'People and views go by name.';
COMMENT ON COLUMN outbox.audit.queue IS 'Which queue, or the queue of the job; * for a kind, which is paused in every queue.';
COMMENT ON COLUMN outbox.audit.job_id IS 'Which job; NULL for a queue or a kind.';
COMMENT ON COLUMN outbox.audit.kind IS 'Kind of the job, or which kind.';

-- Index: kinds_pkey; `known` reads the few rows of processors. Locks: the row. An existing pause keeps its moment and its reason. The
-- notification is sent whether or not anybody sleeps: who is awake must hear of it, too.
CREATE FUNCTION outbox.pause_kind(kind text, why text DEFAULT NULL, actor text DEFAULT NULL)
  RETURNS TABLE (result text, message text, paused_at timestamptz, known boolean)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, outbox, pg_temp SET lock_timeout = '2s' AS $$
#variable_conflict use_column
DECLARE
  since timestamptz;
BEGIN
  known := EXISTS (SELECT FROM outbox.kinds k WHERE k.name = pause_kind.kind)
    OR EXISTS (SELECT FROM outbox.processors p WHERE pause_kind.kind = ANY (p.kinds));
  INSERT INTO outbox.kinds AS k (name, paused_at, paused_why) VALUES (pause_kind.kind, clock_timestamp(), left(nullif(why, ''), 1000))
  ON CONFLICT (name) DO UPDATE SET paused_at = excluded.paused_at, paused_why = excluded.paused_why, updated_at = clock_timestamp()
    WHERE k.paused_at IS NULL
  RETURNING k.paused_at INTO since;
  result := CASE WHEN FOUND THEN 'paused' ELSE 'was_paused' END;
  IF FOUND THEN
    PERFORM outbox.note('pause', why, actor, '*', NULL, pause_kind.kind, NULL, jsonb_build_object('paused_at', since));
    PERFORM pg_notify('outbox', 'kinds');
  ELSE
    SELECT k.paused_at INTO since FROM outbox.kinds k WHERE k.name = pause_kind.kind;
  END IF;
  paused_at := since;
  message := CASE result WHEN 'paused' THEN 'is paused: nothing more of it is claimed, what runs, ends' ELSE 'was paused already' END
    || CASE WHEN known THEN '' ELSE '; no processor of the last day can run it: is the name right?' END;
  RETURN NEXT;
END $$;
REVOKE ALL ON FUNCTION outbox.pause_kind(text, text, text) FROM PUBLIC;
COMMENT ON FUNCTION outbox.pause_kind(text, text, text) IS
  'For operators, and for processors whose endpoint is gone: stops claims of a kind in every queue; running jobs go on.';

-- Index: kinds_pkey; for a kind without a row the few rows of processors. Locks: the row. The notification wakes who sleeps, too.
CREATE FUNCTION outbox.resume_kind(kind text, why text DEFAULT NULL, actor text DEFAULT NULL) RETURNS TABLE (result text, message text)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, outbox, pg_temp SET lock_timeout = '2s' AS $$
#variable_conflict use_column
DECLARE
  old record;
BEGIN
  SELECT k.paused_at, k.paused_why INTO old FROM outbox.kinds k WHERE k.name = resume_kind.kind FOR UPDATE;
  IF old.paused_at IS NOT NULL THEN
    UPDATE outbox.kinds k SET paused_at = NULL, paused_why = NULL, updated_at = clock_timestamp() WHERE k.name = resume_kind.kind;
    PERFORM outbox.note('resume', why, actor, '*', NULL, resume_kind.kind,
                        jsonb_build_object('paused_at', old.paused_at, 'paused_why', old.paused_why), NULL);
    PERFORM pg_notify('outbox', 'kinds');
    result := 'resumed';
    message := 'goes on';
  ELSIF FOUND OR EXISTS (SELECT FROM outbox.processors p WHERE resume_kind.kind = ANY (p.kinds)) THEN
    result := 'not_paused';
    message := 'was not paused; nothing to do';
  ELSE
    result := 'not_found';
    message := 'nobody has paused it, and no processor of the last day can run it';
  END IF;
  RETURN NEXT;
END $$;
REVOKE ALL ON FUNCTION outbox.resume_kind(text, text, text) FROM PUBLIC;
COMMENT ON FUNCTION outbox.resume_kind(text, text, text) IS 'For operators: lets claims of a paused kind go on, and wakes sleeping processors.';

CREATE OR REPLACE VIEW outbox.job_states AS
  SELECT j.id,
         CASE WHEN j.claimed_by IS NOT NULL AND (p.id IS NULL OR p.dead_at IS NOT NULL) THEN 'stranded'
              WHEN j.claimed_by IS NOT NULL THEN 'claimed'
              WHEN j.run_at > clock_timestamp() AND (j.attempt > 0 OR j.last_error IS NOT NULL) THEN 'retrying'
              WHEN j.run_at > clock_timestamp() THEN 'scheduled'
              WHEN q.paused_at IS NOT NULL OR k.paused_at IS NOT NULL THEN 'paused'
              ELSE 'waiting' END AS state,
         j.queue, j.kind, j.priority, j.attempt, j.max_attempts, j.crashes, j.created_at, j.run_at, j.claimed_at, j.claimed_by,
         NULL::timestamptz AS ended_at, j.unique_key, j.last_error
    FROM outbox.jobs j
    LEFT JOIN outbox.processors p ON p.id = j.claimed_by
    LEFT JOIN outbox.queues q ON q.name = j.queue
    LEFT JOIN outbox.kinds k ON k.name = j.kind
  UNION ALL
  SELECT d.id, 'dead', d.queue, d.kind, d.priority, d.attempt, d.max_attempts, d.crashes, d.created_at, d.run_at, NULL, d.processor_id,
         d.died_at, d.unique_key, d.reason || coalesce(': ' || d.last_error, '')
    FROM outbox.dead_jobs d
  UNION ALL
  SELECT f.id, 'finished', f.queue, f.kind, f.priority, f.attempt, NULL, f.crashes, f.created_at, f.run_at, f.started_at, f.processor_id,
         f.finished_at, f.unique_key, NULL
    FROM outbox.finished_jobs f;
COMMENT ON VIEW outbox.job_states IS 'Every job with its state in one word: waiting, scheduled, retrying, paused (its queue or its kind), claimed, stranded (its processor is dead; it will be rescued), finished, dead. Ask by id or by a range of ids: that goes by index.';

CREATE OR REPLACE VIEW outbox.stuck_jobs AS
  SELECT s.id, s.queue, s.kind, s.reason, statement_timestamp() - s.run_at AS due_for, s.claimed_at, s.attempt, s.crashes
    FROM (
      SELECT d.*, CASE
          WHEN d.claimed_by IS NOT NULL AND p.id IS NULL THEN format('its processor %s is gone; any living processor of its queue takes it over', d.claimed_by)
          WHEN p.dead_at IS NOT NULL THEN format('its processor %s (%s) died: %s; any living processor of its queue takes it over', p.id, p.name, p.dead_reason)
          WHEN d.claimed_at < statement_timestamp() - interval '1 hour' THEN format('processor %s (%s) has run it for more than an hour', p.id, p.name)
          WHEN d.claimed_by IS NOT NULL THEN NULL
          WHEN q.paused_at IS NOT NULL THEN 'its queue is paused'
          WHEN k.paused_at IS NOT NULL THEN 'its kind is paused' || coalesce(': ' || k.paused_why, '')
          WHEN served.queue IS NULL THEN 'no living processor serves its queue'
          WHEN able.kind IS NULL THEN 'no living processor of its queue can run its kind'
          WHEN d.run_at >= statement_timestamp() - interval '1 minute' THEN NULL
          WHEN d.suspect THEN 'due for more than a minute: it runs alone, because a processor died with it'
          ELSE 'due for more than a minute: its queue is behind' END AS reason
        FROM outbox.due_jobs() d
        LEFT JOIN outbox.processors p ON p.id = d.claimed_by
        LEFT JOIN outbox.queues q ON q.name = d.queue
        LEFT JOIN outbox.kinds k ON k.name = d.kind
        LEFT JOIN (SELECT DISTINCT unnest(a.queues) AS queue FROM outbox.processors a WHERE a.dead_at IS NULL) served ON served.queue = d.queue
        LEFT JOIN (SELECT DISTINCT aq.queue, ak.kind FROM outbox.processors a, unnest(a.queues) aq (queue), unnest(a.kinds) ak (kind)
                    WHERE a.dead_at IS NULL) able ON able.queue = d.queue AND able.kind = d.kind) s
   WHERE s.reason IS NOT NULL
   ORDER BY s.run_at;
COMMENT ON VIEW outbox.stuck_jobs IS
  'Jobs that ought to have ended or started and why they did not, in words, oldest first. Bounded as running_jobs: the head of what is due, 10000 rows in all.';

-- ---- the id that receivers see ----
-- From the moment of the first migration: no table of its own, so rolling this back and applying it again changes no id; another
-- database has other ids, a copy of this one has the same. With the owner's rights, because producers may not read that moment.
CREATE FUNCTION outbox.message_id(job bigint) RETURNS text
  LANGUAGE sql STABLE STRICT SECURITY DEFINER SET search_path = pg_catalog, outbox, pg_temp AS $$
  SELECT format('msg_%s_%s', left(md5((extract(epoch FROM m.applied_at) * 1000000)::bigint::text), 16), job)
    FROM outbox.schema_migrations m WHERE m.version = 1 $$;
REVOKE ALL ON FUNCTION outbox.message_id(bigint) FROM PUBLIC;
COMMENT ON FUNCTION outbox.message_id(bigint) IS
  'The id of a job''s message as external receivers see it: the same for every attempt, another one for the same number in another database.';

-- ---- who may what ----
-- As in 0004, with what is new here.
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
                       AND p.proname IN ('retry', 'discard', 'retry_matching', 'discard_matching', 'pause', 'resume', 'pause_kind', 'resume_kind'));
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
        ('outbox_producer', 'EXECUTE', 'FUNCTION outbox.message_id(bigint)'),
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
        ('outbox_runtime', 'SELECT', 'outbox.kinds'),
        ('outbox_runtime', 'SELECT', 'outbox.schema_migrations'),
        ('outbox_runtime', 'EXECUTE', 'FUNCTION ' || handler),
        ('outbox_runtime', 'EXECUTE', 'FUNCTION ' || processor),
        ('outbox_runtime', 'EXECUTE', 'FUNCTION outbox.day_slot(timestamptz), outbox.undo(text), outbox.prune_audit(integer), '
           'outbox.backoff(integer, bigint, double precision, bigint, double precision), outbox.pause_kind(text, text, text), '
           'outbox.message_id(bigint)'),

        ('outbox_inspector', format('SELECT (%s, claimed_at, claimed_by, suspect)', shared), 'outbox.jobs'),
        ('outbox_inspector', format('SELECT (%s, died_at, processor_id, reason)', shared), 'outbox.dead_jobs'),
        ('outbox_inspector', format('SELECT (ctid, %s, detail)', finished), 'outbox.finished_jobs'),
        ('outbox_inspector', 'SELECT', 'outbox.job_failures, outbox.processors, outbox.queues, outbox.kinds, outbox.audit, outbox.schema_migrations, outbox.schema_changes'),
        ('outbox_inspector', 'SELECT', 'SEQUENCE outbox.jobs_id_seq, outbox.processors_id_seq, outbox.audit_id_seq, outbox.schema_changes_id_seq'),
        ('outbox_inspector', 'SELECT', 'outbox.job_states, outbox.queue_health, outbox.failures_last_hour, outbox.running_jobs, '
           'outbox.stuck_jobs, outbox.dead_letters, outbox.processor_states, outbox.xmin_holders, outbox.storage_health, outbox.migrations'),
        ('outbox_inspector', 'EXECUTE', 'FUNCTION outbox.day_slot(timestamptz), outbox.due_jobs(integer), outbox.future_jobs(integer), '
           'outbox.recent_failures(integer), outbox.recent_finishes(), outbox.row_width(regclass), '
           'outbox.message_id(bigint)'),

        ('outbox_operator', 'EXECUTE', 'FUNCTION ' || operator)) AS v (role, privileges, objects)
       WHERE v.role = receiver
    LOOP
      EXECUTE format('GRANT %s ON %s TO %s', g.privileges, g.objects, receiver);
    END LOOP;
  END LOOP;
END $$;
DO $grants$ BEGIN PERFORM outbox.grant_roles(); END $grants$;

INSERT INTO outbox.schema_migrations (version, name, min_reader) VALUES (5, 'delivery', 4);
