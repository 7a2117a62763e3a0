-- outbox migration 0003 UP: functions
-- RELEASE     0.1.0
-- KIND        expand
-- EFFECT      creates functions enqueue, enqueue_many, guard, run_group, run_job, finish_job, undo, snooze, discard, retry_after,
--             backoff, wake, and the wake-up trigger on outbox.jobs
-- LOCKS       outbox.jobs SHARE ROW EXCLUSIVE: blocks producers and claims for milliseconds (CREATE TRIGGER)
--             outbox.schema_migrations EXCLUSIVE: keeps other migrators out, reads go on
-- REWRITE     none
-- SCAN        none
-- DURATION    at most 5 s; 13 ms measured, whatever the tables hold; the wait for the lock is capped at 2 s
-- DISK        some kilobytes
-- DATA LOST   none
-- PRECHECK    none
-- COMPAT      min_reader 3; no program runs on it without 0004
-- ORDER       any time
-- RUN         outboxd migrate up --to 3
--             psql -X -v ON_ERROR_STOP=1 --single-transaction -f 0003_functions.up.sql
-- ON FAILURE  one transaction: nothing is changed. 55P03 = lock busy, run it again; 55000 = wrong version;
--             25P01 = run without --single-transaction
-- VERIFY      psql -X -v ON_ERROR_STOP=1 -f verify/0003_functions.sql
-- AFTERWARDS  outbox.enqueue works for the owner; for others after the grants of 0004
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
REVOKE ALL ON FUNCTION outbox.wake() FROM PUBLIC;
COMMENT ON FUNCTION outbox.wake() IS 'Wakes the processors if they sleep; call it after making jobs claimable by anything but INSERT.';

CREATE FUNCTION outbox.jobs_inserted() RETURNS trigger
  LANGUAGE plpgsql AS $$
BEGIN
  IF NOT pg_catalog.pg_try_advisory_xact_lock_shared(7306801, pg_catalog.pg_backend_pid() % 16) THEN
    PERFORM pg_catalog.pg_notify('outbox', '');
  END IF;
  RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION outbox.jobs_inserted() FROM PUBLIC;
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
REVOKE ALL ON FUNCTION outbox.enqueue(text, jsonb, text, integer, timestamptz, interval, integer, text, timestamptz, jsonb) FROM PUBLIC;
COMMENT ON FUNCTION outbox.enqueue(text, jsonb, text, integer, timestamptz, interval, integer, text, timestamptz, jsonb) IS
  'Inserts a job in the caller''s transaction. Returns its id and whether it is new (false: a live job has this kind and unique_key).';

-- A plan made while the table was empty is kept by the session: without the fence and the setting it reads all live jobs, for ever.
-- The rights of the owner, because it chooses the ids itself: a producer may neither set jobs.id nor use its sequence.
CREATE FUNCTION outbox.enqueue_many(jobs jsonb)
  RETURNS TABLE (ordinal bigint, id bigint, created boolean)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
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
  SELECT format('job %s: %s', c.n, c.problem) INTO unknown
    FROM (
      SELECT a.n, CASE WHEN jsonb_typeof(a.job) <> 'object' THEN 'is not an object'
               WHEN a.job ->> 'kind' IS NULL THEN 'has no kind'
               WHEN a.job ? 'run_at' AND a.job ? 'delay' THEN 'has both run_at and delay'
               WHEN a.job ? 'expires_at' AND a.job ? 'expires_after' THEN 'has both expires_at and expires_after'
               WHEN jsonb_typeof(a.job -> 'priority') = 'number' AND (a.job -> 'priority')::numeric NOT BETWEEN 0 AND 3
                 THEN format('priority is %s; 0 (first) to 3 (last) are allowed', a.job -> 'priority')
               WHEN jsonb_typeof(a.job -> 'max_attempts') = 'number' AND (a.job -> 'max_attempts')::numeric NOT BETWEEN 1 AND 1000
                 THEN format('max_attempts is %s; 1 to 1000 are allowed', a.job -> 'max_attempts')
               WHEN k.key IS NOT NULL THEN format('has the unknown key %L', k.key) END AS problem
        FROM jsonb_array_elements(jobs) WITH ORDINALITY a(job, n)
        LEFT JOIN LATERAL (SELECT key FROM jsonb_object_keys(CASE jsonb_typeof(a.job) WHEN 'object' THEN a.job ELSE '{}' END) key
          WHERE key NOT IN ('kind', 'payload', 'queue', 'priority', 'run_at', 'delay', 'max_attempts', 'unique_key', 'expires_at', 'expires_after', 'headers')
          LIMIT 1) k ON true) c
   WHERE c.problem IS NOT NULL
   ORDER BY c.n LIMIT 1;
  IF unknown IS NOT NULL THEN
    PERFORM outbox.refuse('enqueue_many: ' || unknown,
      'Allowed keys: kind, payload, queue, priority, run_at or delay, max_attempts, unique_key, expires_at or expires_after, headers.');
  END IF;
  -- Inserted in the order of the keys: two calls with the same keys then wait for each other instead of deadlocking.
  RETURN QUERY
  WITH given AS MATERIALIZED (
    SELECT a.n, nextval('outbox.jobs_id_seq') AS new_id, coalesce(a.job -> 'payload', '{}') AS body, j.*
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
    LEFT JOIN LATERAL (
      SELECT j.id FROM outbox.jobs j
       WHERE mine.id IS NULL AND twin.id IS NULL AND j.kind = g.kind AND j.unique_key = g.unique_key OFFSET 0) live ON true
   ORDER BY g.n;
END $$;
REVOKE ALL ON FUNCTION outbox.enqueue_many(jsonb) FROM PUBLIC;
COMMENT ON FUNCTION outbox.enqueue_many(jsonb) IS
  'Inserts up to 10000 jobs, given as an array of objects with the parameters of enqueue (and expires_after, an interval). Returns, for each, its place, id and whether it is new; id is NULL when the live job with its key finished meanwhile or is not visible yet: call enqueue for that one.';

CREATE FUNCTION outbox.backoff(attempt integer, first_ms bigint, factor double precision, cap_ms bigint, jitter double precision)
  RETURNS interval LANGUAGE sql VOLATILE AS $$
  SELECT least(cap_ms, first_ms * power(factor, least(attempt, 64) - 1)) * (1 + jitter * (2 * random() - 1)) * interval '1 millisecond' $$;
REVOKE ALL ON FUNCTION outbox.backoff(integer, bigint, double precision, bigint, double precision) FROM PUBLIC;
COMMENT ON FUNCTION outbox.backoff(integer, bigint, double precision, bigint, double precision) IS
  'Delay after a failed attempt: first * factor^(attempt - 1), at most cap, spread by +-jitter.';

CREATE FUNCTION outbox.undo(why text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION USING ERRCODE = '40001', MESSAGE = 'outbox: ' || why;
END $$;
REVOKE ALL ON FUNCTION outbox.undo(text) FROM PUBLIC;
COMMENT ON FUNCTION outbox.undo(text) IS 'Raises 40001: the processor''s own statements call it when they must be undone and run again.';

CREATE FUNCTION outbox.snooze(delay interval) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION USING ERRCODE = 'OB010', MESSAGE = greatest(0, least(extract(epoch FROM delay) * 1000, 2592000000))::bigint::text;
END $$;
REVOKE ALL ON FUNCTION outbox.snooze(interval) FROM PUBLIC;
COMMENT ON FUNCTION outbox.snooze(interval) IS 'For sql handlers: undo what this job wrote and run it again after delay, without charging an attempt.';

CREATE FUNCTION outbox.discard(why text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION USING ERRCODE = 'OB011', MESSAGE = coalesce(why, 'discarded by its handler');
END $$;
REVOKE ALL ON FUNCTION outbox.discard(text) FROM PUBLIC;
COMMENT ON FUNCTION outbox.discard(text) IS 'For sql handlers: undo what this job wrote and put it among the dead letters.';

CREATE FUNCTION outbox.retry_after(delay interval, why text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION USING ERRCODE = 'OB012', MESSAGE = coalesce(why, 'retry asked for by its handler'),
    DETAIL = greatest(0, least(extract(epoch FROM delay) * 1000, 2592000000))::bigint::text;
END $$;
REVOKE ALL ON FUNCTION outbox.retry_after(interval, text) FROM PUBLIC;
COMMENT ON FUNCTION outbox.retry_after(interval, text) IS 'For sql handlers: this attempt failed; run it again after delay instead of the backoff.';

-- Runs one job's handler so that a failure undoes only that job. WHEN OTHERS does not catch a cancel, on purpose.
-- SET CONSTRAINTS is not forced here: a deferred constraint that fails at commit makes the group run one job at a time.
-- `call` is the handler's number in pg_temp.outbox_call, which the processor makes in its session: what that calls is planned once, a text
-- for every job. 0: by its text.
CREATE FUNCTION outbox.guard(handler text, run_as text, payload jsonb, id bigint, attempt integer, headers jsonb, call integer) RETURNS text
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
  IF call > 0 THEN
    call := pg_temp.outbox_call(payload, id, attempt, headers, call);  -- an expression: no executor
  ELSE
    EXECUTE handler USING payload, id, attempt, headers;
  END IF;
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
  IF state = '42883' AND call > 0 AND to_regprocedure('pg_temp.outbox_call(jsonb,bigint,integer,jsonb,integer)') IS NULL THEN
    RETURN outbox.guard(handler, run_as, payload, id, attempt, headers, 0);  -- a handler has discarded it
  END IF;
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
REVOKE ALL ON FUNCTION outbox.guard(text, text, jsonb, bigint, integer, jsonb, integer) FROM PUBLIC;
COMMENT ON FUNCTION outbox.guard(text, text, jsonb, bigint, integer, jsonb, integer) IS
  'Runs an sql handler for one job. NULL: it worked; else the SQLSTATE (5 characters) and the text of its failure.';

-- The last statement before the COMMIT of a claimed job: deletes it and writes its history row. Locks: the row. Raises when the row is
-- not this claim's any more, so that what the handler wrote is undone with it. A TID scan: nothing to flip; the claim left the row there,
-- id and token make sure that it is still that row and claim.
CREATE FUNCTION outbox.finish_job(place tid, job bigint, token integer, processor integer, history boolean, mark text) RETURNS void
  LANGUAGE plpgsql AS $$
DECLARE
  moved tid;
BEGIN
  IF mark IS DISTINCT FROM 'held' THEN
    RAISE EXCEPTION USING ERRCODE = 'OB021', MESSAGE = 'outbox: the handler ended the transaction it was given';
  END IF;
  IF history THEN
    WITH d AS (
      DELETE FROM outbox.jobs j
       WHERE j.ctid = place AND j.id = job AND j.claim_token = token AND j.claimed_by = processor
      RETURNING j.*)
    INSERT INTO outbox.finished_jobs (slot, priority, attempt, crashes, processor_id, id, created_at, run_at, started_at, finished_at,
                                      queue, kind, unique_key, payload, headers)
    SELECT outbox.day_slot(clock_timestamp()), d.priority, d.attempt, d.crashes, d.claimed_by, d.id, d.created_at, d.run_at, d.claimed_at,
           clock_timestamp(), d.queue, d.kind, d.unique_key, d.payload, d.headers
      FROM d;
  ELSE
    DELETE FROM outbox.jobs j WHERE j.ctid = place AND j.id = job AND j.claim_token = token AND j.claimed_by = processor;
  END IF;
  IF FOUND THEN
    RETURN;
  END IF;
  -- One of the few rows that something else has updated since the claim: look for it by id (jobs_pkey), and again. A plan made with the
  -- handler's settings would be kept for all later jobs.
  PERFORM set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true),
    set_config('plan_cache_mode', 'force_generic_plan', true);
  SELECT j.ctid INTO moved FROM outbox.jobs j
   WHERE j.id = job AND j.claim_token = token AND j.claimed_by = processor AND j.ctid <> place FOR UPDATE;
  IF NOT FOUND THEN
    RAISE EXCEPTION USING ERRCODE = 'OB020', MESSAGE = 'outbox: the job is not this claim''s any more';
  END IF;
  PERFORM outbox.finish_job(moved, job, token, processor, history, mark);
END $$;
REVOKE ALL ON FUNCTION outbox.finish_job(tid, bigint, integer, integer, boolean, text) FROM PUBLIC;
COMMENT ON FUNCTION outbox.finish_job(tid, bigint, integer, integer, boolean, text) IS
  'For the processor: finishes a claimed job in the transaction of its handler, or raises (OB020: not this claim''s; OB021: not this transaction).';

-- A claimed job with an sql handler, in one statement of the caller: one round trip for a transaction.
CREATE FUNCTION outbox.run_job(
    handler text, run_as text, payload jsonb, job bigint, attempt integer, headers jsonb, expires_us bigint, place tid, token integer,
    processor integer, history boolean, time_limit text, call integer) RETURNS text
  LANGUAGE plpgsql AS $$
DECLARE
  error text;
BEGIN
  IF expires_us <= date_part('epoch', clock_timestamp()) * 1000000 THEN
    RETURN 'OB013';
  ELSIF time_limit <> current_setting('statement_timeout') THEN  -- an earlier handler's SET
    RETURN 'OB022';
  END IF;
  error := outbox.guard(handler, run_as, payload, job, attempt, headers, call);
  IF error IS NULL THEN
    PERFORM outbox.finish_job(place, job, token, processor, history, 'held');
  END IF;
  RETURN error;
END $$;
REVOKE ALL ON FUNCTION outbox.run_job(text, text, jsonb, bigint, integer, jsonb, bigint, tid, integer, integer, boolean, text, integer) FROM PUBLIC;
COMMENT ON FUNCTION outbox.run_job(text, text, jsonb, bigint, integer, jsonb, bigint, tid, integer, integer, boolean, text, integer) IS
  'For the processor: runs a claimed job with an sql handler and finishes it. NULL: done; else as guard(), OB013: expired, OB022: another time limit is set.';

-- The direct lane: claims a group, runs its handlers one by one behind guard(), and finishes, reschedules or buries all of it, in one
-- statement of the caller. Small static statements with cached plans: a third faster than one statement with a CTE for each step.
-- Index: jobs_claim_idx as in the claim of the claimed lane. Locks: the rows of the group, SKIP LOCKED, until the commit. Each statement
-- has its own snapshot, so a row that somebody changed before it was locked is finished in its newest version; that all rows were found
-- is checked nevertheless, because else a handler would run twice. The caller's session plans with fixed settings (no sequential scan and
-- so on). Handlers get the server's own (setting_names, setting_values); what writes to jobs after them must not be planned with those.
CREATE FUNCTION outbox.run_group(
    queue text, processor integer, from_us bigint[], from_ids bigint[], kinds text[], handlers text[], roles text[], calls integer[], first_ms bigint[],
    factors double precision[], cap_ms bigint[], jitters double precision[], most integer, history boolean, setting_names text[],
    setting_values text[])
  RETURNS TABLE (id bigint, k integer, outcome text, attempt integer, waited_us bigint, ran_us bigint, delay_ms bigint, reason text,
                 state text, message text, priority integer, run_at_us bigint)
  LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  c record;
  error text;
  started timestamptz;
  ended timestamptz;
  tids tid[] := '{}';  -- of those that worked
  starts timestamptz[] := '{}';
  ends timestamptz[] := '{}';
  bad_tids tid[] := '{}';  -- of the others
  bad_ids bigint[] := '{}';
  bad_attempts integer[] := '{}';
  bad_outcomes text[] := '{}';
  bad_delays bigint[] := '{}';
  bad_reasons text[] := '{}';
  bad_kinds text[] := '{}';
  bad_states text[] := '{}';
  bad_messages text[] := '{}';
  taken integer := 0;
  written integer;
BEGIN
  FOR c IN
    SELECT x.*
      FROM unnest('{0,1,2,3}'::smallint[], from_us, from_ids) AS p (priority, run_at_us, id),
           LATERAL (
             SELECT c.ctid AS tid, c.id, c.run_at, c.expires_at, c.claim_token, c.priority, c.attempt, c.max_attempts, c.kind, c.payload, c.headers
               FROM outbox.jobs c
              WHERE c.queue = run_group.queue AND c.priority = p.priority AND c.run_at <= (SELECT clock_timestamp())
                AND (c.run_at, c.id + 0) >= (coalesce('epoch'::timestamptz + p.run_at_us * interval '1 microsecond', '-infinity'), p.id)
                AND c.claimed_by IS NULL AND NOT c.suspect AND c.kind = ANY (kinds)
                AND NOT EXISTS (SELECT FROM outbox.queues q WHERE q.name = run_group.queue AND q.paused_at IS NOT NULL)
              ORDER BY c.run_at, c.id + 0 LIMIT most FOR UPDATE SKIP LOCKED) x
     LIMIT most
  LOOP
    IF taken = 0 THEN
      PERFORM set_config(u.name, u.value, true) FROM unnest(setting_names, setting_values) AS u (name, value);
    END IF;
    taken := taken + 1;
    k := array_position(kinds, c.kind);
    id := c.id;
    attempt := least(c.attempt + 1, c.max_attempts);
    started := clock_timestamp();
    IF c.expires_at <= started THEN
      error := 'OB013it expired before it could start';
    ELSE
      error := outbox.guard(handlers[k], roles[k], c.payload, c.id, attempt, coalesce(c.headers, '{}'), calls[k]);
    END IF;
    ended := clock_timestamp();
    waited_us := date_part('epoch', started - c.run_at) * 1000000;
    ran_us := date_part('epoch', ended - started) * 1000000;
    priority := c.priority;
    run_at_us := date_part('epoch', c.run_at) * 1000000;
    IF error IS NULL THEN
      outcome := 'done';
      tids := tids || c.tid;
      starts := starts || started;
      ends := ends || ended;
      RETURN NEXT;
      CONTINUE;
    END IF;
    state := left(error, 5);
    message := substr(error, 6);
    reason := CASE state WHEN 'OB011' THEN 'discarded' WHEN 'OB013' THEN 'expired' ELSE 'attempts' END;
    IF state IN ('OB011', 'OB013') THEN
      outcome := 'dead';
    ELSIF state IN ('OB010', '40001', '40P01') OR state LIKE '53%' OR state = '58030' THEN  -- conflicts and lacking resources cost no attempt
      outcome := 'snooze';
      delay_ms := CASE state WHEN 'OB010' THEN message::bigint ELSE (50 + 100 * random())::bigint END;
      IF state = 'OB010' THEN
        reason := 'discarded';
        message := 'snoozed too often';
      END IF;
      IF c.claim_token > 0 AND c.claim_token % 10000 = 0 THEN
        outcome := 'dead';
      END IF;
    ELSE
      outcome := CASE WHEN c.attempt + 1 >= c.max_attempts THEN 'dead' ELSE 'retry' END;
      IF state = 'OB012' THEN
        delay_ms := split_part(message, ' ', 1)::bigint;
        message := substr(message, 2 + length(split_part(message, ' ', 1)));
      ELSE
        delay_ms := extract(epoch FROM outbox.backoff(c.attempt + 1, first_ms[k], factors[k], cap_ms[k], jitters[k])) * 1000;
      END IF;
    END IF;
    bad_tids := bad_tids || c.tid;
    bad_ids := bad_ids || id;
    bad_attempts := bad_attempts || attempt;
    bad_outcomes := bad_outcomes || outcome;
    bad_delays := bad_delays || coalesce(delay_ms, 0);
    bad_reasons := bad_reasons || reason;
    bad_kinds := bad_kinds || c.kind;
    bad_states := bad_states || state;
    bad_messages := bad_messages || message;
    RETURN NEXT;
    delay_ms := NULL;
    reason := NULL;
    state := NULL;
    message := NULL;
  END LOOP;
  IF taken = 0 THEN
    RETURN;
  END IF;

  PERFORM set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true),
    set_config('plan_cache_mode', 'force_generic_plan', true);
  IF history AND cardinality(tids) > 0 THEN
    WITH d AS (DELETE FROM outbox.jobs j WHERE j.ctid = ANY (tids) RETURNING j.*, array_position(tids, j.ctid) AS n)
    INSERT INTO outbox.finished_jobs (slot, priority, attempt, crashes, processor_id, id, created_at, run_at, started_at, finished_at,
                                      queue, kind, unique_key, payload, headers)
    SELECT outbox.day_slot(ends[d.n]), d.priority, least(d.attempt + 1, d.max_attempts), d.crashes, processor, d.id, d.created_at, d.run_at,
           starts[d.n], ends[d.n], d.queue, d.kind, d.unique_key, d.payload, d.headers
      FROM d;
    GET DIAGNOSTICS written = ROW_COUNT;
    taken := taken - written;
  ELSIF cardinality(tids) > 0 THEN
    DELETE FROM outbox.jobs j WHERE j.ctid = ANY (tids);
    GET DIAGNOSTICS written = ROW_COUNT;
    taken := taken - written;
  END IF;

  IF cardinality(bad_tids) > 0 THEN
    PERFORM set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true);
    UPDATE outbox.jobs j
       SET attempt = j.attempt + CASE o.outcome WHEN 'retry' THEN 1 ELSE 0 END, claim_token = j.claim_token + 1,
           run_at = clock_timestamp() + o.delay_ms * interval '1 millisecond',
           last_error = CASE o.outcome WHEN 'retry' THEN left(o.message, 1000) ELSE j.last_error END
      FROM unnest(bad_tids, bad_outcomes, bad_delays, bad_messages) AS o (tid, outcome, delay_ms, message)
     WHERE j.ctid = o.tid AND o.outcome <> 'dead';
    GET DIAGNOSTICS written = ROW_COUNT;
    taken := taken - written;
    INSERT INTO outbox.job_failures (job_id, processor_id, attempt, reason, queue, kind, sqlstate, error)
    SELECT o.id, processor, o.attempt, CASE o.reason WHEN 'attempts' THEN 'error' ELSE o.reason END, run_group.queue, o.kind,
           CASE WHEN o.state NOT LIKE 'OB01_' THEN o.state END, o.message
      FROM unnest(bad_ids, bad_attempts, bad_outcomes, bad_reasons, bad_kinds, bad_states, bad_messages)
             AS o (id, attempt, outcome, reason, kind, state, message)
     WHERE o.outcome <> 'snooze';
    IF 'dead' = ANY (bad_outcomes) THEN
      WITH d AS (
        DELETE FROM outbox.jobs j
         USING unnest(bad_tids, bad_attempts, bad_outcomes, bad_reasons, bad_messages) AS o (tid, new_attempt, outcome, reason, message)
         WHERE j.ctid = o.tid AND o.outcome = 'dead'
        RETURNING j.*, o.new_attempt, o.reason, o.message)
      INSERT INTO outbox.dead_jobs (id, created_at, run_at, expires_at, processor_id, priority, attempt, max_attempts, crashes,
                                    claim_token, reason, queue, kind, unique_key, payload, headers, last_error)
      SELECT d.id, d.created_at, d.run_at, d.expires_at, processor, d.priority, d.new_attempt, d.max_attempts, d.crashes,
             d.claim_token, d.reason, d.queue, d.kind, d.unique_key, d.payload, d.headers, left(d.message, 1000)
        FROM d
      ON CONFLICT (id) DO UPDATE SET died_at = excluded.died_at, reason = excluded.reason, last_error = excluded.last_error;
      GET DIAGNOSTICS written = ROW_COUNT;
      taken := taken - written;
    END IF;
  END IF;
  IF taken <> 0 THEN
    PERFORM outbox.undo('a job of this group was changed by somebody else while its handler ran');
  END IF;
END $$;
REVOKE ALL ON FUNCTION outbox.run_group(text, integer, bigint[], bigint[], text[], text[], text[], integer[], bigint[], double precision[], bigint[],
  double precision[], integer, boolean, text[], text[]) FROM PUBLIC;
COMMENT ON FUNCTION outbox.run_group(text, integer, bigint[], bigint[], text[], text[], text[], integer[], bigint[], double precision[], bigint[],
  double precision[], integer, boolean, text[], text[]) IS
  'For the processor: claims and runs one group of the direct lane; one row for each job that it handled.';

INSERT INTO outbox.schema_migrations (version, name, min_reader) VALUES (3, 'functions', 3);
