-- outbox migration 0003 UP: functions                                kind: expand
-- EFFECT      creates functions enqueue, enqueue_many, guard, undo, snooze, discard, retry_after, backoff, wake, the wake-up trigger on
--             outbox.jobs, and the views job_states, running_jobs and queue_health
-- LOCKS       outbox.jobs SHARE ROW EXCLUSIVE (blocks producers) for milliseconds; outbox.schema_migrations EXCLUSIVE (reads go on)
-- REWRITE     no      SCAN  no
-- DURATION    below 50 ms; the wait for the lock is capped by lock_timeout = 2s
-- DATA LOST   none
-- COMPAT      a program built for schema 3 runs on 3 only
-- RUN         outboxd migrate up --to 3
--             psql -X -v ON_ERROR_STOP=1 --single-transaction -f 0003_functions.up.sql
-- ON FAILURE  one transaction: nothing is changed. 55P03 = lock busy, run it again; 55000 = wrong version
-- VERIFY      SELECT * FROM outbox.queue_health;
-- ==== SQL ====
LOCK TABLE outbox.schema_migrations IN EXCLUSIVE MODE NOWAIT;
SET LOCAL lock_timeout = '2s';
DO $check$
BEGIN
  IF (SELECT max(version) FROM outbox.schema_migrations) IS DISTINCT FROM 2 THEN
    RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = 'outbox 0003 up: schema is not at version 2',
      HINT = 'Apply the migrations in order: outboxd migrate status';
  END IF;
END
$check$;

-- NOTIFY takes a database-wide lock until after the commit, so it is sent only when a processor sleeps: a sleeping one holds
-- all 16 stripes exclusively. A producer keeps its shared stripe until its commit, so nobody can fall asleep meanwhile: no
-- wake-up is lost. Stripes by backend keep one long transaction from keeping everybody awake for ever on one entry.
CREATE FUNCTION outbox.wake() RETURNS void
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NOT pg_try_advisory_xact_lock_shared(7306801, pg_backend_pid() % 16) THEN
    PERFORM pg_notify('outbox', '');
  END IF;
END $$;
COMMENT ON FUNCTION outbox.wake() IS 'Wakes the processors if they sleep; call it after making jobs claimable by anything but INSERT.';

CREATE FUNCTION outbox.jobs_inserted() RETURNS trigger
  LANGUAGE plpgsql AS $$
BEGIN
  IF NOT pg_catalog.pg_try_advisory_xact_lock_shared(7306801, pg_catalog.pg_backend_pid() % 16) THEN
    PERFORM pg_catalog.pg_notify('outbox', '');
  END IF;
  RETURN NULL;
END $$;
COMMENT ON FUNCTION outbox.jobs_inserted() IS 'Trigger: the body of outbox.wake(), without the price of a second call.';
CREATE TRIGGER jobs_inserted AFTER INSERT ON outbox.jobs FOR EACH STATEMENT EXECUTE FUNCTION outbox.jobs_inserted();
COMMENT ON TRIGGER jobs_inserted ON outbox.jobs IS 'Wakes sleeping processors. Safe to disable: jobs are then found by polling.';

CREATE FUNCTION outbox.enqueue(
    kind text, payload jsonb DEFAULT '{}', queue text DEFAULT 'default', priority integer DEFAULT 1,
    run_at timestamptz DEFAULT NULL, delay interval DEFAULT NULL, max_attempts integer DEFAULT 20,
    unique_key text DEFAULT NULL, expires_at timestamptz DEFAULT NULL, headers jsonb DEFAULT NULL,
    OUT id bigint, OUT created boolean)
  LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  at timestamptz := coalesce(run_at, clock_timestamp() + coalesce(delay, interval '0'));
BEGIN
  IF kind IS NULL THEN
    PERFORM outbox.refuse('the kind is NULL', 'Name the handler that is to run the job.');
  END IF;
  IF run_at IS NOT NULL AND delay IS NOT NULL THEN
    PERFORM outbox.refuse('both run_at and delay are given', 'Give one of them.');
  END IF;
  priority := coalesce(priority, 1);
  max_attempts := coalesce(max_attempts, 20);
  -- The CHECKs say the same, but only of what a smallint can hold.
  IF priority NOT BETWEEN 0 AND 3 THEN
    PERFORM outbox.refuse(format('priority is %s; 0 (first) to 3 (last) are allowed', priority), 'Leave it out for the default of 1.');
  END IF;
  IF max_attempts NOT BETWEEN 1 AND 1000 THEN
    PERFORM outbox.refuse(format('max_attempts is %s; 1 to 1000 are allowed', max_attempts), 'Leave it out for the default of 20.');
  END IF;
  IF unique_key IS NULL THEN
    INSERT INTO outbox.jobs (kind, payload, queue, priority, run_at, max_attempts, expires_at, headers)
    VALUES (kind, coalesce(payload, '{}'), coalesce(queue, 'default'), priority, at, max_attempts, expires_at, headers)
    RETURNING jobs.id INTO id;
    created := true;
    RETURN;
  END IF;
  -- The live job with this key may finish between the two statements: look again, but not for ever.
  FOR try IN 1..10 LOOP
    INSERT INTO outbox.jobs (kind, payload, queue, priority, run_at, max_attempts, unique_key, expires_at, headers)
    VALUES (kind, coalesce(payload, '{}'), coalesce(queue, 'default'), priority, at, max_attempts, unique_key, expires_at, headers)
    ON CONFLICT DO NOTHING
    RETURNING jobs.id INTO id;
    created := FOUND;
    EXIT WHEN created;
    SELECT j.id INTO id FROM outbox.jobs j WHERE j.kind = enqueue.kind AND j.unique_key = enqueue.unique_key;
    EXIT WHEN FOUND;
  END LOOP;
  IF id IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = '40001', MESSAGE = format('outbox: the live job of kind %L and unique_key %L kept changing', kind, unique_key),
      HINT = 'Retry the transaction.';
  END IF;
END $$;
COMMENT ON FUNCTION outbox.enqueue(text, jsonb, text, integer, timestamptz, interval, integer, text, timestamptz, jsonb) IS
  'Inserts a job in the caller''s transaction. Returns its id and whether it is new (false: a live job has this kind and unique_key).';

CREATE FUNCTION outbox.enqueue_many(jobs jsonb)
  RETURNS TABLE (ordinal bigint, id bigint, created boolean)
  LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  unknown text;
BEGIN
  IF jobs IS NULL OR jsonb_typeof(jobs) <> 'array' THEN
    PERFORM outbox.refuse('enqueue_many expects a JSON array of objects', 'Example: [{"kind": "mail", "payload": {"to": 1}}].');
  END IF;
  IF jsonb_array_length(jobs) > 10000 THEN
    PERFORM outbox.refuse(format('enqueue_many was given %s jobs; at most 10000 are allowed', jsonb_array_length(jobs)), 'Call it more than once.');
  END IF;
  SELECT format('job %s: %s', a.n, CASE WHEN jsonb_typeof(a.job) <> 'object' THEN 'is not an object'
           WHEN a.job ->> 'kind' IS NULL THEN 'has no kind'
           WHEN a.job ? 'run_at' AND a.job ? 'delay' THEN 'has both run_at and delay'
           WHEN a.job ? 'expires_at' AND a.job ? 'expires_after' THEN 'has both expires_at and expires_after'
           WHEN jsonb_typeof(a.job -> 'priority') = 'number' AND (a.job -> 'priority')::numeric NOT BETWEEN 0 AND 3
             THEN format('priority is %s; 0 (first) to 3 (last) are allowed', a.job -> 'priority')
           WHEN jsonb_typeof(a.job -> 'max_attempts') = 'number' AND (a.job -> 'max_attempts')::numeric NOT BETWEEN 1 AND 1000
             THEN format('max_attempts is %s; 1 to 1000 are allowed', a.job -> 'max_attempts')
           ELSE format('has the unknown key %L', k.key) END) INTO unknown
    FROM jsonb_array_elements(jobs) WITH ORDINALITY a(job, n)
    LEFT JOIN LATERAL (SELECT key FROM jsonb_object_keys(CASE jsonb_typeof(a.job) WHEN 'object' THEN a.job ELSE '{}' END) key
      WHERE key NOT IN ('kind', 'payload', 'queue', 'priority', 'run_at', 'delay', 'max_attempts', 'unique_key', 'expires_at', 'expires_after', 'headers')
      LIMIT 1) k ON true
   WHERE jsonb_typeof(a.job) <> 'object' OR a.job ->> 'kind' IS NULL OR (a.job ? 'run_at' AND a.job ? 'delay')
      OR (a.job ? 'expires_at' AND a.job ? 'expires_after') OR k.key IS NOT NULL
      OR (jsonb_typeof(a.job -> 'priority') = 'number' AND (a.job -> 'priority')::numeric NOT BETWEEN 0 AND 3)
      OR (jsonb_typeof(a.job -> 'max_attempts') = 'number' AND (a.job -> 'max_attempts')::numeric NOT BETWEEN 1 AND 1000)
   ORDER BY a.n LIMIT 1;
  IF unknown IS NOT NULL THEN
    PERFORM outbox.refuse('enqueue_many: ' || unknown,
      'Allowed keys: kind, payload, queue, priority, run_at or delay, max_attempts, unique_key, expires_at or expires_after, headers.');
  END IF;
  -- Inserted in the order of the keys: two calls with the same keys then wait for each other instead of deadlocking.
  RETURN QUERY
  WITH given AS MATERIALIZED (
    SELECT a.n, nextval(pg_get_serial_sequence('outbox.jobs', 'id')) AS new_id, coalesce(a.job -> 'payload', '{}') AS body, j.*
      FROM jsonb_array_elements(jobs) WITH ORDINALITY a(job, n),
           jsonb_to_record(a.job) j(kind text, queue text, priority smallint, run_at timestamptz, delay interval,
             max_attempts smallint, unique_key text, expires_at timestamptz, expires_after interval, headers jsonb)
     ORDER BY a.n),
  inserted AS (
    INSERT INTO outbox.jobs (id, kind, payload, queue, priority, run_at, max_attempts, unique_key, expires_at, headers)
    OVERRIDING SYSTEM VALUE
    SELECT g.new_id, g.kind, g.body, coalesce(g.queue, 'default'), coalesce(g.priority, 1::smallint),
           coalesce(g.run_at, clock_timestamp() + coalesce(g.delay, interval '0')), coalesce(g.max_attempts, 20::smallint),
           g.unique_key, coalesce(g.expires_at, clock_timestamp() + g.expires_after), nullif(g.headers, 'null')
      FROM given g ORDER BY g.unique_key COLLATE "C", g.kind COLLATE "C", g.n
    ON CONFLICT DO NOTHING
    RETURNING jobs.id, jobs.kind, jobs.unique_key)
  SELECT g.n, coalesce(mine.id, twin.id, live.id), mine.id IS NOT NULL
    FROM given g
    LEFT JOIN inserted mine ON mine.id = g.new_id
    LEFT JOIN inserted twin ON mine.id IS NULL AND twin.kind = g.kind AND twin.unique_key = g.unique_key
    LEFT JOIN outbox.jobs live ON mine.id IS NULL AND twin.id IS NULL AND live.kind = g.kind AND live.unique_key = g.unique_key
   ORDER BY g.n;
END $$;
COMMENT ON FUNCTION outbox.enqueue_many(jsonb) IS
  'Inserts up to 10000 jobs, given as an array of objects with the parameters of enqueue (and expires_after, an interval). Returns, for each, its place, id and whether it is new; id is NULL when the live job with its key finished meanwhile or is not visible yet: call enqueue for that one.';

CREATE FUNCTION outbox.backoff(attempt integer, first_ms bigint, factor double precision, cap_ms bigint, jitter double precision)
  RETURNS interval LANGUAGE sql VOLATILE AS $$
  SELECT least(cap_ms, first_ms * power(factor, least(attempt, 64) - 1)) * (1 + jitter * (2 * random() - 1)) * interval '1 millisecond' $$;
COMMENT ON FUNCTION outbox.backoff(integer, bigint, double precision, bigint, double precision) IS
  'Delay after a failed attempt: first * factor^(attempt - 1), at most cap, spread by +-jitter.';

CREATE FUNCTION outbox.undo(why text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION USING ERRCODE = '40001', MESSAGE = 'outbox: ' || why;
END $$;
COMMENT ON FUNCTION outbox.undo(text) IS 'Raises 40001: the processor''s own statements call it when they must be undone and run again.';

CREATE FUNCTION outbox.snooze(delay interval) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION USING ERRCODE = 'OB010', MESSAGE = greatest(0, least(extract(epoch FROM delay) * 1000, 2592000000))::bigint::text;
END $$;
COMMENT ON FUNCTION outbox.snooze(interval) IS 'For sql handlers: undo what this job wrote and run it again after delay, without charging an attempt.';

CREATE FUNCTION outbox.discard(why text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION USING ERRCODE = 'OB011', MESSAGE = coalesce(why, 'discarded by its handler');
END $$;
COMMENT ON FUNCTION outbox.discard(text) IS 'For sql handlers: undo what this job wrote and put it among the dead letters.';

CREATE FUNCTION outbox.retry_after(delay interval, why text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION USING ERRCODE = 'OB012', MESSAGE = coalesce(why, 'retry asked for by its handler'),
    DETAIL = greatest(0, least(extract(epoch FROM delay) * 1000, 2592000000))::bigint::text;
END $$;
COMMENT ON FUNCTION outbox.retry_after(interval, text) IS 'For sql handlers: this attempt failed; run it again after delay instead of the backoff.';

-- Runs one job's handler so that a failure undoes only that job. WHEN OTHERS does not catch a cancel, on purpose.
-- SET CONSTRAINTS is not forced here: a deferred constraint that fails at commit makes the group run one job at a time.
CREATE FUNCTION outbox.guard(handler text, run_as text, payload jsonb, id bigint, attempt integer, headers jsonb) RETURNS text
  LANGUAGE plpgsql AS $$
DECLARE
  state text;
  message text;
  detail text;
  hint text;
  context text;
  own_role text := pg_catalog.current_setting('role');  -- what the session came with; 'none': its login role
  own_path text := pg_catalog.current_setting('search_path');
BEGIN
  IF run_as IS NOT NULL THEN
    PERFORM pg_catalog.set_config('role', run_as, true);
  END IF;
  EXECUTE handler USING payload, id, attempt, headers;
  -- What the handler set must not reach the next job of the group: the two settings that decide what a name means and what is allowed.
  IF pg_catalog.current_setting('role') <> own_role THEN
    PERFORM pg_catalog.set_config('role', own_role, true);
  END IF;
  IF pg_catalog.current_setting('search_path') <> own_path THEN
    PERFORM pg_catalog.set_config('search_path', own_path, true);
  END IF;
  RETURN NULL;
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL,
    hint = PG_EXCEPTION_HINT, context = PG_EXCEPTION_CONTEXT;
  IF state = 'OB011' OR (state = 'OB010' AND message ~ '^[0-9]{1,10}$') THEN
    RETURN state || left(message, 4000);
  ELSIF state = 'OB012' AND detail ~ '^[0-9]{1,10}$' THEN
    RETURN state || detail || ' ' || left(message, 4000);
  ELSIF state LIKE 'OB01_' THEN
    state := 'P0001';
  END IF;
  RETURN state || left(message, 4000) || CASE WHEN detail <> '' THEN E'\ndetail: ' || left(detail, 1000) ELSE '' END
    || CASE WHEN hint <> '' THEN E'\nhint: ' || left(hint, 1000) ELSE '' END || E'\ncontext: ' || left(context, 1000);
END $$;
COMMENT ON FUNCTION outbox.guard(text, text, jsonb, bigint, integer, jsonb) IS
  'Runs an sql handler for one job. NULL: it worked; else the SQLSTATE (5 characters) and the text of its failure.';

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
COMMENT ON VIEW outbox.job_states IS 'Every job with its state in one word: waiting, scheduled, retrying, paused, claimed, stranded (its processor is dead; it will be rescued), finished, dead.';

CREATE VIEW outbox.running_jobs AS
  SELECT j.id, j.queue, j.kind, j.attempt, j.claimed_at, clock_timestamp() - j.claimed_at AS claimed_for, p.id AS processor_id,
         p.name AS processor, p.dead_at IS NOT NULL AS stranded
    FROM outbox.jobs j
    LEFT JOIN outbox.processors p ON p.id = j.claimed_by
   WHERE j.claimed_by IS NOT NULL;
COMMENT ON VIEW outbox.running_jobs IS 'Claimed jobs and their processors. Jobs of the direct lane are claimed and finished in one transaction, so they are not seen here: look at pg_stat_activity.';

CREATE VIEW outbox.queue_health AS
  SELECT coalesce(j.queue, q.name) AS queue, q.paused_at,
         count(j.id) FILTER (WHERE j.claimed_by IS NULL AND j.run_at <= clock_timestamp()) AS waiting,
         count(j.id) FILTER (WHERE j.claimed_by IS NULL AND j.run_at > clock_timestamp()) AS scheduled,
         count(j.id) FILTER (WHERE j.claimed_by IS NOT NULL) AS claimed,
         clock_timestamp() - min(j.run_at) FILTER (WHERE j.claimed_by IS NULL AND j.run_at <= clock_timestamp()) AS oldest_wait
    FROM outbox.jobs j
    FULL JOIN outbox.queues q ON q.name = j.queue
   GROUP BY coalesce(j.queue, q.name), q.paused_at;
COMMENT ON VIEW outbox.queue_health IS 'One row for each queue: how much waits, since when. Counts every live job: not for a tight loop.';

INSERT INTO outbox.schema_migrations (version, name, min_reader) VALUES (3, 'functions', 3);
