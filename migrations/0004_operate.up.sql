-- outbox migration 0004 UP: operate
-- RELEASE     0.1.0
-- KIND        expand
-- EFFECT      creates what people work with: views job_states, queue_health, failures_last_hour, running_jobs, stuck_jobs, dead_letters,
--             processor_states, xmin_holders, storage_health, migrations (and the functions that they read: due_jobs,
--             future_jobs, recent_failures, recent_finishes, row_width); functions retry, discard, retry_matching,
--             discard_matching, pause, resume, and table audit, which they write (with note, retry_job, discard_job, check_filter,
--             prune_audit); function grant_roles, which it calls
-- LOCKS       outbox.schema_migrations EXCLUSIVE: keeps other migrators out, reads go on, for 0.1 s
-- REWRITE     none
-- SCAN        none
-- DURATION    at most 5 s; 90 ms measured, whatever the tables hold
-- DISK        some kilobytes; later about 400 bytes for each row of audit, kept for a year
-- DATA LOST   none
-- PRECHECK    none
-- COMPAT      min_reader 4; programs built for 4 need it
-- ORDER       1. run this script  2. start processors
-- RUN         outboxd migrate up --to 4
--             psql -X -v ON_ERROR_STOP=1 --single-transaction -f 0004_operate.up.sql
-- ON FAILURE  one transaction: nothing is changed. 55P03 = another migration runs, run it again; 55000 = wrong version;
--             42501 = somebody else's object is in schema outbox: move it first; 25P01 = run without --single-transaction
-- VERIFY      psql -X -v ON_ERROR_STOP=1 -f verify/0004_operate.sql
-- AFTERWARDS  SELECT * FROM outbox.queue_health; PUBLIC may use nothing in the schema; the roles of roles.sql may, once they exist
--             (SELECT outbox.grant_roles() after making them)
-- ==== SQL ====
LOCK TABLE outbox.schema_migrations IN EXCLUSIVE MODE NOWAIT;
SET LOCAL lock_timeout = '2s';
DO $check$
BEGIN
  IF (SELECT max(version) FROM outbox.schema_migrations) IS DISTINCT FROM 3 THEN
    RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = 'outbox 0004 up: schema is not at version 3',
      HINT = 'Apply the migrations in order: outboxd migrate status';
  END IF;
END
$check$;

-- ---- who did what ----

CREATE TABLE outbox.audit (
  id      bigint      GENERATED ALWAYS AS IDENTITY CONSTRAINT audit_pkey PRIMARY KEY,
  at      timestamptz NOT NULL DEFAULT clock_timestamp(),
  login   text        NOT NULL DEFAULT session_user,
  actor   text,
  action  text        NOT NULL CONSTRAINT audit_action CHECK (action IN ('retry', 'discard', 'pause', 'resume')),
  why     text,
  queue   text        NOT NULL,
  job_id  bigint,
  kind    text,
  before  jsonb,
  after   jsonb
);
CREATE INDEX audit_job_id_idx ON outbox.audit (job_id) WHERE job_id IS NOT NULL;
COMMENT ON TABLE outbox.audit IS 'What people changed through outbox.retry, discard, pause and resume; kept for a year. Only the owner of the schema can change it.';
COMMENT ON COLUMN outbox.audit.id IS 'Counts up.';
COMMENT ON COLUMN outbox.audit.at IS 'When, by the database clock.';
COMMENT ON COLUMN outbox.audit.login IS 'session_user: the role that logged in.';
COMMENT ON COLUMN outbox.audit.actor IS 'Who that was, as they said (parameter actor, or the setting outbox.actor).';
COMMENT ON COLUMN outbox.audit.action IS 'retry, discard, pause or resume.';
COMMENT ON COLUMN outbox.audit.why IS 'Why, as they said.';
COMMENT ON COLUMN outbox.audit.queue IS 'Which queue, or the queue of the job.';
COMMENT ON COLUMN outbox.audit.job_id IS 'Which job; NULL for a queue.';
COMMENT ON COLUMN outbox.audit.kind IS 'Kind of the job.';
COMMENT ON COLUMN outbox.audit.before IS 'State before, never with the payload.';
COMMENT ON COLUMN outbox.audit.after IS 'State after, never with the payload.';
COMMENT ON INDEX outbox.audit_pkey IS 'In order of time, nearly.';
COMMENT ON INDEX outbox.audit_job_id_idx IS 'What people did to one job.';

CREATE FUNCTION outbox.note(action text, why text, actor text, queue text, job_id bigint, kind text, before jsonb, after jsonb) RETURNS void
  LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
  INSERT INTO outbox.audit (actor, action, why, queue, job_id, kind, before, after)
  VALUES (left(coalesce(nullif(actor, ''), nullif(current_setting('outbox.actor', true), '')), 200), action, left(nullif(why, ''), 1000),
          queue, job_id, kind, jsonb_strip_nulls(before), jsonb_strip_nulls(after)) $$;
REVOKE ALL ON FUNCTION outbox.note(text, text, text, text, bigint, text, jsonb, jsonb) FROM PUBLIC;
COMMENT ON FUNCTION outbox.note(text, text, text, text, bigint, text, jsonb, jsonb) IS 'For the operator functions: writes a row of outbox.audit.';

-- Index: audit_pkey from its start, which is the oldest row. Locks: the rows deleted, SKIP LOCKED: another processor deletes those.
CREATE FUNCTION outbox.prune_audit(most integer DEFAULT 1000) RETURNS integer
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, outbox, pg_temp AS $$
DECLARE
  deleted integer;
BEGIN
  DELETE FROM outbox.audit a
   WHERE a.id = ANY (ARRAY(SELECT x.id FROM (SELECT y.id, y.at FROM outbox.audit y ORDER BY y.id LIMIT most FOR UPDATE SKIP LOCKED) x
                            WHERE x.at < clock_timestamp() - interval '1 year'));
  GET DIAGNOSTICS deleted = ROW_COUNT;
  RETURN deleted;
END $$;
REVOKE ALL ON FUNCTION outbox.prune_audit(integer) FROM PUBLIC;
COMMENT ON FUNCTION outbox.prune_audit(integer) IS 'For the processor: deletes audit rows older than a year, of the first (most) only, and says how many.';

-- ---- what operators do ----
-- Each works with the rights of the owner, waits at most 2 s for a row, and writes an audit row for everything that it changed.

-- Index: dead_jobs_pkey, then jobs_pkey; job_states only for what is in neither. Locks: the dead row, which moves, or the live row. The
-- look at a live row is a statement of its own, because only one that starts after the lock is had sees the processor that may have
-- claimed the job while we waited. The token goes on above all old claims, so that a zombie's late result finds nothing to overwrite,
-- and in the next ten thousand, because snoozes end at every multiple of that.
CREATE FUNCTION outbox.retry_job(job bigint, why text, actor text, OUT result text, OUT other bigint, OUT claimer integer, OUT claimer_name text)
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  old record;
  state jsonb;
BEGIN
  FOR try IN 1..3 LOOP  -- it may move from one table to the other between two looks
    SELECT d.queue, d.kind, d.unique_key, jsonb_build_object('state', 'dead', 'reason', d.reason, 'died_at', d.died_at, 'attempt', d.attempt,
             'crashes', d.crashes, 'claim_token', d.claim_token, 'expires_at', d.expires_at) AS state
      INTO old FROM outbox.dead_jobs d WHERE d.id = job FOR UPDATE;
    IF FOUND THEN
      INSERT INTO outbox.jobs AS j (id, created_at, expires_at, claim_token, priority, max_attempts, queue, kind, unique_key, payload, headers,
                                    last_error)
      OVERRIDING SYSTEM VALUE
      SELECT d.id, d.created_at, CASE WHEN d.expires_at > clock_timestamp() THEN d.expires_at END, (d.claim_token / 10000 + 1) * 10000 + 1,
             d.priority, d.max_attempts, d.queue, d.kind, d.unique_key, d.payload, d.headers, d.last_error
        FROM outbox.dead_jobs d WHERE d.id = job
      ON CONFLICT DO NOTHING
      RETURNING jsonb_build_object('state', 'waiting', 'run_at', j.run_at, 'attempt', j.attempt, 'crashes', j.crashes,
                                   'claim_token', j.claim_token, 'expires_at', j.expires_at) INTO state;
      IF FOUND THEN
        DELETE FROM outbox.dead_jobs d WHERE d.id = job;
        PERFORM outbox.note('retry', why, actor, old.queue, job, old.kind, old.state, state);
        result := 'requeued';
        RETURN;
      END IF;
      SELECT j.id INTO other FROM outbox.jobs j WHERE j.kind = old.kind AND j.unique_key = old.unique_key;
      IF FOUND THEN
        result := 'twin';
        RETURN;
      END IF;
      CONTINUE;
    END IF;
    PERFORM FROM outbox.jobs j WHERE j.id = job FOR UPDATE;
    IF FOUND THEN
      SELECT j.queue, j.kind, j.run_at, j.attempt, j.claimed_by, p.name, p.id IS NULL OR p.dead_at IS NOT NULL AS alone,
             j.run_at <= clock_timestamp() AS due
        INTO old FROM outbox.jobs j LEFT JOIN outbox.processors p ON p.id = j.claimed_by WHERE j.id = job;
      claimer := old.claimed_by;
      claimer_name := old.name;
      result := CASE WHEN old.claimed_by IS NULL THEN CASE WHEN old.due THEN 'waiting' ELSE 'hastened' END
                     WHEN old.alone THEN 'stranded' ELSE 'claimed' END;
      IF result = 'hastened' THEN
        UPDATE outbox.jobs j SET run_at = clock_timestamp() WHERE j.id = job
        RETURNING jsonb_build_object('state', 'waiting', 'run_at', j.run_at, 'attempt', j.attempt) INTO state;
        PERFORM outbox.note('retry', why, actor, old.queue, job, old.kind,
          jsonb_build_object('state', CASE WHEN old.attempt > 0 THEN 'retrying' ELSE 'scheduled' END, 'run_at', old.run_at, 'attempt', old.attempt), state);
      END IF;
      RETURN;
    END IF;
    SELECT s.state INTO result FROM outbox.job_states s WHERE s.id = job LIMIT 1;
    IF NOT FOUND THEN
      result := 'not_found';
      RETURN;
    ELSIF result = 'finished' THEN
      RETURN;
    END IF;
  END LOOP;
  RAISE EXCEPTION USING ERRCODE = '40001', MESSAGE = format('outbox: job %s kept changing, or is both live and dead', job), HINT = 'Run it again.';
END $$;
REVOKE ALL ON FUNCTION outbox.retry_job(bigint, text, text) FROM PUBLIC;
COMMENT ON FUNCTION outbox.retry_job(bigint, text, text) IS 'The work of outbox.retry for one job.';

CREATE FUNCTION outbox.retry(ids bigint[], why text DEFAULT NULL, actor text DEFAULT NULL)
  RETURNS TABLE (id bigint, result text, message text, other_job bigint, processor_id integer, processor text)
  LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = pg_catalog, outbox, pg_temp SET lock_timeout = '2s' SET enable_seqscan = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
  changed boolean := false;
BEGIN
  FOR id IN SELECT DISTINCT i FROM unnest(ids) i WHERE i IS NOT NULL ORDER BY i LOOP  -- in order, so that two calls do not deadlock
    SELECT r.result, r.other, r.claimer, coalesce(r.claimer_name, '') INTO result, other_job, processor_id, processor
      FROM outbox.retry_job(id, why, actor) r;
    message := CASE result
      WHEN 'requeued' THEN 'was dead, is waiting again with a fresh budget'
      WHEN 'hastened' THEN 'is due now'
      WHEN 'waiting' THEN 'is due already; nothing to do'
      WHEN 'claimed' THEN format('refused: processor %s%s runs it; look again when it has ended', processor_id, ' (' || nullif(processor, '') || ')')
      WHEN 'stranded' THEN format('refused: processor %s%s died while it ran it; any living processor of its queue will take it over',
                                  processor_id, ' (' || nullif(processor, '') || ')')
      WHEN 'finished' THEN 'refused: it has finished; enqueue a new one instead'
      WHEN 'twin' THEN format('refused: the live job %s has the same kind and unique_key; wait for it or discard it', other_job)
      ELSE 'no such job: neither live, nor dead, nor in the history' END;
    changed := changed OR result IN ('requeued', 'hastened');
    RETURN NEXT;
  END LOOP;
  IF changed THEN
    PERFORM outbox.wake();
  END IF;
END $$;
REVOKE ALL ON FUNCTION outbox.retry(bigint[], text, text) FROM PUBLIC;
COMMENT ON FUNCTION outbox.retry(bigint[], text, text) IS
  'For operators: runs dead jobs again (same id, fresh budget) and scheduled or retrying ones now; one row for each, which says what became of it.';

CREATE FUNCTION outbox.retry(job bigint, why text DEFAULT NULL, actor text DEFAULT NULL)
  RETURNS TABLE (id bigint, result text, message text, other_job bigint, processor_id integer, processor text)
  LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, outbox, pg_temp AS $$ SELECT * FROM outbox.retry(ARRAY[job], why, actor) $$;
REVOKE ALL ON FUNCTION outbox.retry(bigint, text, text) FROM PUBLIC;
COMMENT ON FUNCTION outbox.retry(bigint, text, text) IS 'For operators: outbox.retry for one job.';

-- Index: jobs_pkey; job_states only for what is not live. Locks: the row, which moves. ON CONFLICT: as when a processor buries it.
-- job_failures gets no row: no attempt failed, and no processor took part.
CREATE FUNCTION outbox.discard_job(job bigint, why text, actor text, OUT result text, OUT claimer integer, OUT claimer_name text)
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  old record;
BEGIN
  PERFORM FROM outbox.jobs j WHERE j.id = job FOR UPDATE;
  IF NOT FOUND THEN
    SELECT s.state INTO result FROM outbox.job_states s WHERE s.id = job LIMIT 1;
    result := coalesce(result, 'not_found');
    RETURN;
  END IF;
  SELECT j.queue, j.kind, p.id IS NOT NULL AND p.dead_at IS NULL AS runs, p.id, p.name,
         jsonb_build_object('state', CASE WHEN j.claimed_by IS NOT NULL THEN 'stranded' WHEN j.run_at <= clock_timestamp() THEN 'waiting'
                                          WHEN j.attempt > 0 OR j.last_error IS NOT NULL THEN 'retrying' ELSE 'scheduled' END,
                            'run_at', j.run_at, 'attempt', j.attempt, 'crashes', j.crashes, 'claim_token', j.claim_token) AS state
    INTO old FROM outbox.jobs j LEFT JOIN outbox.processors p ON p.id = j.claimed_by WHERE j.id = job;
  IF old.runs THEN
    claimer := old.id;
    claimer_name := old.name;
    result := 'claimed';
    RETURN;
  END IF;
  WITH j AS (DELETE FROM outbox.jobs j WHERE j.id = job RETURNING j.*)
  INSERT INTO outbox.dead_jobs (id, created_at, run_at, expires_at, processor_id, priority, attempt, max_attempts, crashes,
                                claim_token, reason, queue, kind, unique_key, payload, headers, last_error)
  SELECT j.id, j.created_at, j.run_at, j.expires_at, NULL, j.priority, j.attempt, j.max_attempts, j.crashes,
         j.claim_token, 'discarded', j.queue, j.kind, j.unique_key, j.payload, j.headers,
         left('discarded by ' || session_user || coalesce(' (' || nullif(left(actor, 200), '') || ')', '')
           || coalesce(': ' || nullif(left(why, 1000), ''), '') || coalesce('; last error: ' || j.last_error, ''), 2000)
    FROM j
  ON CONFLICT (id) DO UPDATE SET died_at = excluded.died_at, reason = excluded.reason, last_error = excluded.last_error;
  PERFORM outbox.note('discard', why, actor, old.queue, job, old.kind, old.state, '{"state": "dead", "reason": "discarded"}');
  result := 'discarded';
END $$;
REVOKE ALL ON FUNCTION outbox.discard_job(bigint, text, text) FROM PUBLIC;
COMMENT ON FUNCTION outbox.discard_job(bigint, text, text) IS 'The work of outbox.discard for one job.';

CREATE FUNCTION outbox.discard(ids bigint[], why text DEFAULT NULL, actor text DEFAULT NULL)
  RETURNS TABLE (id bigint, result text, message text, processor_id integer, processor text)
  LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = pg_catalog, outbox, pg_temp SET lock_timeout = '2s' SET enable_seqscan = off SET jit = off AS $$
#variable_conflict use_column
BEGIN
  FOR id IN SELECT DISTINCT i FROM unnest(ids) i WHERE i IS NOT NULL ORDER BY i LOOP  -- in order, so that two calls do not deadlock
    SELECT r.result, r.claimer, coalesce(r.claimer_name, '') INTO result, processor_id, processor FROM outbox.discard_job(id, why, actor) r;
    message := CASE result
      WHEN 'discarded' THEN 'is a dead letter now; outboxd jobs retry brings it back'
      WHEN 'claimed' THEN format('refused: processor %s%s runs it; look again when it has ended', processor_id, ' (' || nullif(processor, '') || ')')
      WHEN 'dead' THEN 'refused: it is a dead letter already'
      WHEN 'finished' THEN 'refused: it has finished'
      ELSE 'no such job: neither live, nor dead, nor in the history' END;
    RETURN NEXT;
  END LOOP;
END $$;
REVOKE ALL ON FUNCTION outbox.discard(bigint[], text, text) FROM PUBLIC;
COMMENT ON FUNCTION outbox.discard(bigint[], text, text) IS
  'For operators: makes dead letters of live jobs that no living processor runs; one row for each, which says what became of it.';

CREATE FUNCTION outbox.discard(job bigint, why text DEFAULT NULL, actor text DEFAULT NULL)
  RETURNS TABLE (id bigint, result text, message text, processor_id integer, processor text)
  LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, outbox, pg_temp AS $$ SELECT * FROM outbox.discard(ARRAY[job], why, actor) $$;
REVOKE ALL ON FUNCTION outbox.discard(bigint, text, text) FROM PUBLIC;
COMMENT ON FUNCTION outbox.discard(bigint, text, text) IS 'For operators: outbox.discard for one job.';

CREATE FUNCTION outbox.check_filter(filters integer, most integer) RETURNS void
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF filters = 0 THEN
    RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'outbox: no filter is given',
      HINT = 'Give at least one of kind, queue, error, since and until; until => now() means everything.';
  ELSIF most IS NULL OR most NOT BETWEEN 1 AND 10000 THEN
    RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = format('outbox: most is %s; 1 to 10000 are allowed', most),
      HINT = 'Go on with after => the last id of the answer.';
  END IF;
END $$;
REVOKE ALL ON FUNCTION outbox.check_filter(integer, integer) FROM PUBLIC;
COMMENT ON FUNCTION outbox.check_filter(integer, integer) IS 'For the operator functions: refuses a call without filter or with a bad limit.';

-- Index: dead_jobs_pkey from `after` on; a rare queue or kind makes it walk the dead letters, which retention bounds. Locks: the dead rows
-- picked; SKIP LOCKED, because somebody else retries those.
CREATE FUNCTION outbox.retry_matching(
    kind text DEFAULT NULL, queue text DEFAULT NULL, error text DEFAULT NULL, since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL,
    most integer DEFAULT 100, preview boolean DEFAULT true, why text DEFAULT NULL, actor text DEFAULT NULL, after bigint DEFAULT 0)
  RETURNS TABLE (id bigint, result text, message text, other_job bigint)
  LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = pg_catalog, outbox, pg_temp SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
  picked bigint[];
BEGIN
  PERFORM outbox.check_filter(num_nonnulls(retry_matching.kind, retry_matching.queue, retry_matching.error, since, until), most);
  IF preview THEN
    RETURN QUERY
    SELECT d.id, CASE WHEN t.id IS NULL THEN 'requeued' ELSE 'twin' END,
           CASE WHEN t.id IS NULL THEN format('preview: %s of queue %s would be waiting again; died %s: %s', d.kind, d.queue,
                                              date_trunc('second', d.died_at), left(coalesce(d.last_error, d.reason), 200))
                ELSE format('preview: would be refused: the live job %s has the same kind and unique_key', t.id) END, t.id
      FROM (SELECT d.id, d.kind, d.queue, d.unique_key, d.died_at, d.last_error, d.reason FROM outbox.dead_jobs d
             WHERE d.id > after AND (retry_matching.kind IS NULL OR d.kind = retry_matching.kind)
               AND (retry_matching.queue IS NULL OR d.queue = retry_matching.queue)
               AND (retry_matching.error IS NULL OR d.last_error ILIKE retry_matching.error)
               AND (since IS NULL OR d.died_at >= since) AND (until IS NULL OR d.died_at < until)
             ORDER BY d.id LIMIT most) d
      LEFT JOIN LATERAL (SELECT j.id FROM outbox.jobs j WHERE j.kind = d.kind AND j.unique_key = d.unique_key OFFSET 0) t ON true;
    RETURN;
  END IF;
  picked := ARRAY(
    SELECT d.id FROM outbox.dead_jobs d
     WHERE d.id > after AND (retry_matching.kind IS NULL OR d.kind = retry_matching.kind)
       AND (retry_matching.queue IS NULL OR d.queue = retry_matching.queue)
       AND (retry_matching.error IS NULL OR d.last_error ILIKE retry_matching.error)
       AND (since IS NULL OR d.died_at >= since) AND (until IS NULL OR d.died_at < until)
     ORDER BY d.id LIMIT most FOR UPDATE SKIP LOCKED);
  RETURN QUERY SELECT r.id, r.result, r.message, r.other_job FROM outbox.retry(picked, why, actor) r;
END $$;
REVOKE ALL ON FUNCTION outbox.retry_matching(text, text, text, timestamptz, timestamptz, integer, boolean, text, text, bigint) FROM PUBLIC;
COMMENT ON FUNCTION outbox.retry_matching(text, text, text, timestamptz, timestamptz, integer, boolean, text, text, bigint) IS
  'For operators: outbox.retry for dead jobs by kind, queue, error (ILIKE pattern on last_error) and died_at; lowest ids first, at most (most, up to 10000). Shows only what would happen unless preview => false.';

-- Index: jobs_pkey from `after` on; a rare queue or kind makes it walk the live jobs. Locks: the rows picked, SKIP LOCKED: a processor is
-- just claiming those.
CREATE FUNCTION outbox.discard_matching(
    kind text DEFAULT NULL, queue text DEFAULT NULL, error text DEFAULT NULL, since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL,
    most integer DEFAULT 100, preview boolean DEFAULT true, why text DEFAULT NULL, actor text DEFAULT NULL, after bigint DEFAULT 0)
  RETURNS TABLE (id bigint, result text, message text)
  LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = pg_catalog, outbox, pg_temp SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
  alive integer[] := ARRAY(SELECT p.id FROM outbox.processors p WHERE p.dead_at IS NULL);
  picked bigint[];
BEGIN
  PERFORM outbox.check_filter(num_nonnulls(discard_matching.kind, discard_matching.queue, discard_matching.error, since, until), most);
  IF preview THEN
    RETURN QUERY
    SELECT j.id, 'discarded', format('preview: %s of queue %s, attempt %s of %s, would become a dead letter%s', j.kind, j.queue, j.attempt,
                                     j.max_attempts, '; last error: ' || left(j.last_error, 200))
      FROM outbox.jobs j
     WHERE j.id > after AND (discard_matching.kind IS NULL OR j.kind = discard_matching.kind)
       AND (discard_matching.queue IS NULL OR j.queue = discard_matching.queue)
       AND (discard_matching.error IS NULL OR j.last_error ILIKE discard_matching.error)
       AND (since IS NULL OR j.created_at >= since) AND (until IS NULL OR j.created_at < until)
       AND (j.claimed_by IS NULL OR j.claimed_by <> ALL (alive))
     ORDER BY j.id LIMIT most;
    RETURN;
  END IF;
  picked := ARRAY(
    SELECT j.id FROM outbox.jobs j
     WHERE j.id > after AND (discard_matching.kind IS NULL OR j.kind = discard_matching.kind)
       AND (discard_matching.queue IS NULL OR j.queue = discard_matching.queue)
       AND (discard_matching.error IS NULL OR j.last_error ILIKE discard_matching.error)
       AND (since IS NULL OR j.created_at >= since) AND (until IS NULL OR j.created_at < until)
       AND (j.claimed_by IS NULL OR j.claimed_by <> ALL (alive))
     ORDER BY j.id LIMIT most FOR UPDATE SKIP LOCKED);
  RETURN QUERY SELECT r.id, r.result, r.message FROM outbox.discard(picked, why, actor) r;
END $$;
REVOKE ALL ON FUNCTION outbox.discard_matching(text, text, text, timestamptz, timestamptz, integer, boolean, text, text, bigint) FROM PUBLIC;
COMMENT ON FUNCTION outbox.discard_matching(text, text, text, timestamptz, timestamptz, integer, boolean, text, text, bigint) IS
  'For operators: outbox.discard for live jobs by kind, queue, error (ILIKE pattern on last_error) and created_at; lowest ids first, at most (most, up to 10000). Shows only what would happen unless preview => false.';

-- Index: queues_pkey and, for `known`, jobs_claim_idx. Locks: the row. An existing pause keeps its moment.
CREATE FUNCTION outbox.pause(queue text, why text DEFAULT NULL, actor text DEFAULT NULL)
  RETURNS TABLE (result text, message text, paused_at timestamptz, known boolean)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, outbox, pg_temp SET lock_timeout = '2s' SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
  since timestamptz;
BEGIN
  known := EXISTS (SELECT FROM outbox.queues q WHERE q.name = pause.queue) OR EXISTS (SELECT FROM outbox.jobs j WHERE j.queue = pause.queue);
  INSERT INTO outbox.queues AS q (name, paused_at) VALUES (pause.queue, clock_timestamp())
  ON CONFLICT (name) DO UPDATE SET paused_at = excluded.paused_at, updated_at = clock_timestamp() WHERE q.paused_at IS NULL
  RETURNING q.paused_at INTO since;
  result := CASE WHEN FOUND THEN 'paused' ELSE 'was_paused' END;
  IF FOUND THEN
    PERFORM outbox.note('pause', why, actor, pause.queue, NULL, NULL, NULL, jsonb_build_object('paused_at', since));
  ELSE
    SELECT q.paused_at INTO since FROM outbox.queues q WHERE q.name = pause.queue;
  END IF;
  paused_at := since;
  message := CASE result WHEN 'paused' THEN 'is paused: nothing more is claimed, what runs, ends' ELSE 'was paused already' END
    || CASE WHEN known THEN '' ELSE '; no job and no processor has named it so far: is the name right?' END;
  RETURN NEXT;
END $$;
REVOKE ALL ON FUNCTION outbox.pause(text, text, text) FROM PUBLIC;
COMMENT ON FUNCTION outbox.pause(text, text, text) IS 'For operators: stops claims from a queue; running jobs go on.';

-- Index: queues_pkey and, for a queue without a row, jobs_claim_idx. Locks: the row.
CREATE FUNCTION outbox.resume(queue text, why text DEFAULT NULL, actor text DEFAULT NULL) RETURNS TABLE (result text, message text)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, outbox, pg_temp SET lock_timeout = '2s' SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
  since timestamptz;
BEGIN
  SELECT q.paused_at INTO since FROM outbox.queues q WHERE q.name = resume.queue FOR UPDATE;
  IF since IS NOT NULL THEN
    UPDATE outbox.queues q SET paused_at = NULL, updated_at = clock_timestamp() WHERE q.name = resume.queue;
    PERFORM outbox.note('resume', why, actor, resume.queue, NULL, NULL, jsonb_build_object('paused_at', since), NULL);
    PERFORM outbox.wake();
    result := 'resumed';
    message := 'goes on';
  ELSIF FOUND OR EXISTS (SELECT FROM outbox.jobs j WHERE j.queue = resume.queue) THEN
    result := 'not_paused';
    message := 'was not paused; nothing to do';
  ELSE
    result := 'not_found';
    message := 'no job and no processor has named it';
  END IF;
  RETURN NEXT;
END $$;
REVOKE ALL ON FUNCTION outbox.resume(text, text, text) FROM PUBLIC;
COMMENT ON FUNCTION outbox.resume(text, text, text) IS 'For operators: lets claims from a paused queue go on, and wakes sleeping processors.';

-- ---- bounded looks ----
-- Views cannot set planner settings, and without them a table that was never analysed after it grew looks as if reading and sorting
-- all of it were cheaper than the index with its LIMIT. So these functions hold the settings, and the views below read them.

-- Index: jobs_claim_idx: a loose scan over its (queue, priority) pairs, then one tight range for each. A claim changes no index, so this
-- is how claimed jobs are found, too: they stand at the head of what is due.
CREATE FUNCTION outbox.due_jobs(most integer DEFAULT 10000)
  RETURNS TABLE (queue text, priority smallint, id bigint, kind text, run_at timestamptz, attempt smallint, max_attempts smallint, crashes smallint,
                 suspect boolean, claimed_at timestamptz, claimed_by integer, share integer)
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET jit = off AS $$
  WITH RECURSIVE walk AS (
    (SELECT j.queue, j.priority FROM outbox.jobs j ORDER BY j.queue, j.priority LIMIT 1)
    UNION ALL
    SELECT n.queue, n.priority
      FROM walk w, LATERAL (SELECT j.queue, j.priority FROM outbox.jobs j WHERE (j.queue, j.priority) > (w.queue, w.priority)
                             ORDER BY j.queue, j.priority LIMIT 1) n),
  heads AS MATERIALIZED (SELECT walk.queue, walk.priority FROM walk LIMIT 1000),
  shares AS MATERIALIZED (SELECT greatest(250, most / greatest(1, count(*)))::integer AS share FROM heads)
  SELECT h.queue, h.priority, x.*, s.share
    FROM shares s, heads h, LATERAL (
      SELECT j.id, j.kind, j.run_at, j.attempt, j.max_attempts, j.crashes, j.suspect, j.claimed_at, j.claimed_by FROM outbox.jobs j
       WHERE j.queue = h.queue AND j.priority = h.priority AND j.run_at <= statement_timestamp()
       ORDER BY j.run_at LIMIT s.share) x $$;
REVOKE ALL ON FUNCTION outbox.due_jobs(integer) FROM PUBLIC;
COMMENT ON FUNCTION outbox.due_jobs(integer) IS
  'The jobs that are due or claimed, first ones first, at most (most) in all: each queue and priority has an equal share, at least 250, of up to 1000 such pairs.';

-- As due_jobs, from the first job that is not due yet.
CREATE FUNCTION outbox.future_jobs(most integer DEFAULT 10000)
  RETURNS TABLE (queue text, priority smallint, id bigint, kind text, run_at timestamptz, attempt smallint, tried boolean, share integer)
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET jit = off AS $$
  WITH RECURSIVE walk AS (
    (SELECT j.queue, j.priority FROM outbox.jobs j ORDER BY j.queue, j.priority LIMIT 1)
    UNION ALL
    SELECT n.queue, n.priority
      FROM walk w, LATERAL (SELECT j.queue, j.priority FROM outbox.jobs j WHERE (j.queue, j.priority) > (w.queue, w.priority)
                             ORDER BY j.queue, j.priority LIMIT 1) n),
  heads AS MATERIALIZED (SELECT walk.queue, walk.priority FROM walk LIMIT 1000),
  shares AS MATERIALIZED (SELECT greatest(250, most / greatest(1, count(*)))::integer AS share FROM heads)
  SELECT h.queue, h.priority, x.*, s.share
    FROM shares s, heads h, LATERAL (
      SELECT j.id, j.kind, j.run_at, j.attempt, j.attempt > 0 OR j.last_error IS NOT NULL FROM outbox.jobs j
       WHERE j.queue = h.queue AND j.priority = h.priority AND j.run_at > statement_timestamp()
       ORDER BY j.run_at LIMIT s.share) x $$;
REVOKE ALL ON FUNCTION outbox.future_jobs(integer) FROM PUBLIC;
COMMENT ON FUNCTION outbox.future_jobs(integer) IS 'The jobs that are not due yet, bounded as due_jobs; tried: after a failure.';

-- Index: job_failures_failed_at_idx, backwards.
CREATE FUNCTION outbox.recent_failures(most integer DEFAULT 10000) RETURNS SETOF outbox.job_failures
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET jit = off AS $$
  SELECT * FROM outbox.job_failures f WHERE f.failed_at > statement_timestamp() - interval '1 hour' ORDER BY f.failed_at DESC LIMIT most $$;
REVOKE ALL ON FUNCTION outbox.recent_failures(integer) FROM PUBLIC;
COMMENT ON FUNCTION outbox.recent_failures(integer) IS 'The failures of the last hour, newest first, at most (most).';

-- History is written at the end of the slot of the day, so its last pages hold the last seconds. They are read by page (a TID range), at most
-- 2000 of each slot: BRIN has no entry yet for what VACUUM has not summarised. pg_relation_size is volatile, so the first page is
-- computed apart, or it could not limit the scan; "+ interval" keeps the BRIN index out of the choice.
CREATE FUNCTION outbox.recent_finishes() RETURNS TABLE (queue text, jobs bigint)
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET jit = off AS $$
  WITH slots AS MATERIALIZED (
    SELECT d.slot, format('(%s,0)', greatest(0, pg_relation_size(to_regclass(format('outbox.finished_jobs_%s', to_char(d.slot, 'FM00'))))
                                                / current_setting('block_size')::integer - 2000))::tid AS first
      FROM (SELECT DISTINCT outbox.day_slot(statement_timestamp() - a * interval '10 seconds') AS slot FROM generate_series(0, 1) a) d)
  SELECT h.queue, count(*)
    FROM slots s CROSS JOIN LATERAL (
      SELECT f.queue FROM outbox.finished_jobs f
       WHERE f.slot = s.slot AND f.ctid >= s.first AND f.finished_at + interval '0' > statement_timestamp() - interval '10 seconds' OFFSET 0) h
   GROUP BY h.queue $$;
REVOKE ALL ON FUNCTION outbox.recent_finishes() FROM PUBLIC;
COMMENT ON FUNCTION outbox.recent_finishes() IS 'Jobs that finished in the last 10 s, by queue, as far as the last 2000 pages of history show them.';

-- pg_stats shows everybody only the columns that they may read, and the payload is most of a row.
CREATE FUNCTION outbox.row_width(relation regclass) RETURNS integer
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, outbox, pg_temp AS $$
  SELECT sum(s.avg_width)::integer FROM pg_stats s
   WHERE s.schemaname = 'outbox' AND s.tablename = (SELECT c.relname FROM pg_class c WHERE c.oid = relation AND c.relnamespace = 'outbox'::regnamespace) $$;
REVOKE ALL ON FUNCTION outbox.row_width(regclass) FROM PUBLIC;
COMMENT ON FUNCTION outbox.row_width(regclass) IS 'Bytes of an average row of one of our tables, as ANALYZE found it; NULL before that.';

-- ---- views ----

CREATE VIEW outbox.job_states AS
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

CREATE VIEW outbox.queue_health AS
  WITH due AS MATERIALIZED (
    SELECT d.queue, sum(d.waiting) AS waiting, sum(d.claimed) AS claimed, sum(d.stranded) AS stranded, min(d.oldest) AS oldest, bool_or(d.capped) AS capped
      FROM (SELECT d.queue, count(*) FILTER (WHERE d.claimed_by IS NULL) AS waiting,
                   count(*) FILTER (WHERE p.id IS NOT NULL AND p.dead_at IS NULL) AS claimed,
                   count(*) FILTER (WHERE d.claimed_by IS NOT NULL AND (p.id IS NULL OR p.dead_at IS NOT NULL)) AS stranded,
                   min(d.run_at) FILTER (WHERE d.claimed_by IS NULL) AS oldest, count(*) >= max(d.share) AS capped
              FROM outbox.due_jobs() d LEFT JOIN outbox.processors p ON p.id = d.claimed_by GROUP BY d.queue, d.priority) d
     GROUP BY d.queue),
  future AS MATERIALIZED (
    SELECT f.queue, sum(f.scheduled) AS scheduled, sum(f.retrying) AS retrying, bool_or(f.capped) AS capped
      FROM (SELECT f.queue, count(*) FILTER (WHERE NOT f.tried) AS scheduled, count(*) FILTER (WHERE f.tried) AS retrying,
                   count(*) >= max(f.share) AS capped
              FROM outbox.future_jobs() f GROUP BY f.queue, f.priority) f
     GROUP BY f.queue),
  failed AS MATERIALIZED (SELECT f.queue, count(*) AS failures FROM outbox.recent_failures() f GROUP BY f.queue)
  SELECT n.queue, q.paused_at, coalesce(d.waiting, 0)::bigint AS waiting, statement_timestamp() - d.oldest AS oldest_wait,
         coalesce(u.scheduled, 0)::bigint AS scheduled, coalesce(u.retrying, 0)::bigint AS retrying, coalesce(d.claimed, 0)::bigint AS claimed,
         coalesce(d.stranded, 0)::bigint AS stranded, coalesce(d.capped, false) OR coalesce(u.capped, false) AS capped,
         round(coalesce(h.jobs, 0) / 10.0, 1) AS finished_per_second, coalesce(f.failures, 0) AS failures_last_hour
    FROM (SELECT name AS queue FROM outbox.queues UNION SELECT due.queue FROM due UNION SELECT future.queue FROM future) n
    LEFT JOIN outbox.queues q ON q.name = n.queue
    LEFT JOIN due d ON d.queue = n.queue
    LEFT JOIN future u ON u.queue = n.queue
    LEFT JOIN outbox.recent_finishes() h ON h.queue = n.queue
    LEFT JOIN failed f ON f.queue = n.queue
   ORDER BY n.queue;
COMMENT ON VIEW outbox.queue_health IS
  'One row for each queue: how much waits and since when, what is claimed (stranded: by a dead processor), the rate of the last 10 s (from the last 2000 pages of history), failures of the last hour (of the last 10000). Depths stop at a share of 10000 rows for each priority; capped says that one did.';

CREATE VIEW outbox.failures_last_hour AS
  SELECT f.queue, f.kind, f.reason, f.sqlstate, count(*) AS failures, count(DISTINCT f.job_id) AS jobs, min(f.failed_at) AS first_at,
         max(f.failed_at) AS last_at, left((array_agg(f.error ORDER BY f.failed_at DESC))[1], 200) AS last_error,
         (sum(count(*)) OVER ()) >= 10000 AS capped
    FROM outbox.recent_failures() f
   GROUP BY f.queue, f.kind, f.reason, f.sqlstate
   ORDER BY failures DESC;
COMMENT ON VIEW outbox.failures_last_hour IS
  'What failed in the last hour, by queue, kind, reason and SQLSTATE, most frequent first; of the last 10000 failures (capped: there were more).';

CREATE VIEW outbox.running_jobs AS
  SELECT d.id, d.queue, d.kind, d.attempt, d.claimed_at, statement_timestamp() - d.claimed_at AS claimed_for, d.claimed_by AS processor_id,
         p.name AS processor, p.pid, p.id IS NULL OR p.dead_at IS NOT NULL AS stranded
    FROM outbox.due_jobs() d
    LEFT JOIN outbox.processors p ON p.id = d.claimed_by
   WHERE d.claimed_by IS NOT NULL
   ORDER BY d.claimed_at;
COMMENT ON VIEW outbox.running_jobs IS
  'Claimed jobs, longest first: which processor has them (its name is host and pid unless configured) and since when. No index knows what is claimed, so that claims stay cheap: this walks the head of what is due, 10000 rows in all, and a job claimed behind that is not seen. Jobs of the direct lane are claimed and finished in one transaction: look at pg_stat_activity.';

CREATE VIEW outbox.stuck_jobs AS
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

CREATE VIEW outbox.dead_letters AS
  SELECT d.id, d.queue, d.kind, d.reason, d.died_at, d.last_error, d.attempt, d.max_attempts, d.crashes, d.priority, d.created_at, d.run_at,
         d.expires_at, d.unique_key, d.processor_id,
         ARRAY(SELECT format('%s attempt %s, %s%s: %s', to_char(f.failed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), f.attempt, f.reason,
                             ' ' || f.sqlstate, left(f.error, 500))
                 FROM outbox.job_failures f WHERE f.job_id = d.id ORDER BY f.failed_at DESC LIMIT 5) AS failures
    FROM outbox.dead_jobs d
   ORDER BY d.died_at DESC;
COMMENT ON VIEW outbox.dead_letters IS
  'Dead jobs, newest first, each with its last five failures. Say LIMIT, or ask by id or died_at: that goes by index. SELECT * FROM outbox.retry(id) brings one back.';

CREATE VIEW outbox.processor_states AS
  SELECT p.id, p.name,
         CASE WHEN p.dead_at IS NOT NULL THEN 'dead: ' || p.dead_reason
              WHEN p.heartbeat_at < clock_timestamp() - p.dead_after THEN 'late: others will mark it dead'
              ELSE 'alive' END AS state,
         clock_timestamp() - p.heartbeat_at AS heartbeat_age, p.version, p.built_for, coalesce(p.oldest_schema, p.built_for) AS oldest_schema, p.queues, p.kinds, p.pid, p.started_at, p.dead_at,
         p.dead_after, p.session_lock
    FROM outbox.processors p
   ORDER BY p.dead_at DESC NULLS FIRST, p.id;
COMMENT ON VIEW outbox.processor_states IS 'Every processor of the last day, living ones first: alive, late or dead, with its last sign of life, its version and what it serves.';

-- No query texts: they may hold payloads. A backend that runs VACUUM holds nothing, whatever pg_stat_activity says.
CREATE VIEW outbox.xmin_holders AS
  SELECT h.* FROM (
    SELECT 'transaction' AS what, a.pid, a.usename::text AS role, a.application_name AS name,
           greatest(age(a.backend_xmin), age(a.backend_xid)) AS xids, a.xact_start AS since, clock_timestamp() - a.xact_start AS held_for,
           concat_ws(', ', a.state, 'database ' || a.datname, 'from ' || host(a.client_addr), nullif(a.backend_type, 'client backend')) AS detail
      FROM pg_catalog.pg_stat_activity a
     WHERE (a.backend_xmin IS NOT NULL OR a.backend_xid IS NOT NULL) AND a.pid <> pg_backend_pid() AND a.backend_type <> 'walsender'
       AND (a.datname = current_database() OR a.datname IS NULL)
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_progress_vacuum v WHERE v.pid = a.pid)
    UNION ALL
    SELECT 'prepared transaction', NULL, x.owner::text, x.gid, age(x.transaction), x.prepared, clock_timestamp() - x.prepared,
           'COMMIT PREPARED or ROLLBACK PREPARED ends it'
      FROM pg_catalog.pg_prepared_xacts x WHERE x.database = current_database()
    UNION ALL
    SELECT 'replication slot', s.active_pid, NULL, s.slot_name::text, greatest(age(s.xmin), age(s.catalog_xmin)), NULL, NULL,
           concat_ws(', ', s.slot_type, CASE WHEN s.active THEN 'active' ELSE 'nobody reads it' END,
                     CASE WHEN s.xmin IS NULL THEN 'holds system catalogs only' END)
      FROM pg_catalog.pg_replication_slots s WHERE s.xmin IS NOT NULL OR s.catalog_xmin IS NOT NULL
    UNION ALL
    SELECT 'standby', r.pid, r.usename::text, r.application_name, age(r.backend_xmin), r.backend_start, clock_timestamp() - r.backend_start,
           'hot_standby_feedback: a query on the standby'
      FROM pg_catalog.pg_stat_replication r WHERE r.backend_xmin IS NOT NULL) h
   ORDER BY h.xids DESC;
COMMENT ON VIEW outbox.xmin_holders IS
  'What keeps VACUUM from removing dead rows, oldest first: transactions, prepared ones, replication slots, standbys; xids: how many transactions old. Others'' sessions are seen only with pg_read_all_stats.';

CREATE VIEW outbox.storage_health AS
  WITH tables AS (
    SELECT c.oid, CASE WHEN c.relispartition THEN 'finished_jobs (32 slots)' ELSE c.relname::text END AS name,
           greatest(t.n_live_tup, 0) AS live, t.n_dead_tup AS dead, t.n_tup_upd AS updates, t.n_tup_hot_upd AS hot,
           greatest(t.last_vacuum, t.last_autovacuum) AS vacuumed, greatest(t.last_analyze, t.last_autoanalyze) AS analyzed,
           pg_relation_size(c.oid) AS heap, pg_indexes_size(c.oid) AS indexes, pg_table_size(c.oid) AS with_toast,
           coalesce((SELECT substr(o, 12)::integer FROM unnest(c.reloptions) o WHERE o LIKE 'fillfactor=%'), 100) AS fill
      FROM pg_catalog.pg_class c JOIN pg_catalog.pg_stat_user_tables t ON t.relid = c.oid
     WHERE c.relnamespace = 'outbox'::regnamespace AND c.relkind = 'r'),
  sized AS (
    SELECT t.*, t.heap - ceil(t.live * (outbox.row_width(t.oid) + 28) * 100 / t.fill / 8168.0) * 8192 AS spare FROM tables t)
  SELECT s.name AS "table", sum(s.live)::bigint AS live_rows, sum(s.dead)::bigint AS dead_rows,
         round(100.0 * sum(s.hot) / nullif(sum(s.updates), 0), 1) AS hot_percent, max(s.vacuumed) AS last_vacuum, max(s.analyzed) AS last_analyze,
         sum(s.with_toast)::bigint AS table_bytes, sum(s.indexes)::bigint AS index_bytes, sum(CASE WHEN s.spare > 0 THEN s.spare WHEN s.spare <= 0 THEN 0 END)::bigint AS bloat_bytes_estimate
    FROM sized s GROUP BY s.name ORDER BY sum(s.with_toast + s.indexes) DESC;
COMMENT ON VIEW outbox.storage_health IS
  'One row for each table, history as one: live and dead rows, share of HOT updates, last VACUUM and ANALYZE (by hand or automatic), sizes with TOAST, and about how much of the heap is more than the live rows and the fillfactor need (NULL before an ANALYZE).';

CREATE VIEW outbox.migrations AS
  SELECT m.version, m.name, m.min_reader, m.applied_at, m.applied_by, m.applied_via,
         CASE WHEN m.up_sha256 IS NULL THEN 'applied by hand; outboxd migrate adopt keeps its texts' ELSE 'way back in down_sql' END AS rollback
    FROM outbox.schema_migrations m ORDER BY m.version DESC;
COMMENT ON VIEW outbox.migrations IS 'Which migrations are applied, newest first, and where the way back is.';

-- ---- who may what ----
-- For the roles of roles.sql that exist. Everything is taken away first, so that what is not here is not granted.
CREATE FUNCTION outbox.grant_roles() RETURNS void
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
REVOKE ALL ON FUNCTION outbox.grant_roles() FROM PUBLIC;
COMMENT ON FUNCTION outbox.grant_roles() IS
  'For the owner: grants what outbox_runtime, outbox_producer, outbox_inspector and outbox_operator may do, as far as these roles exist, and nothing to PUBLIC. Run it again after roles.sql.';
DO $grants$ BEGIN PERFORM outbox.grant_roles(); END $grants$;

INSERT INTO outbox.schema_migrations (version, name, min_reader) VALUES (4, 'operate', 4);
