-- outbox migration 0002 UP: jobs
-- RELEASE     0.1.0
-- KIND        expand
-- EFFECT      creates tables queues, processors, jobs, finished_jobs (32 day slots), dead_jobs, job_failures, and the functions
--             refuse, payload_fits, day_slot that their constraints and writers use
-- LOCKS       outbox.schema_migrations EXCLUSIVE: keeps other migrators out, reads go on, for 0.1 s
-- REWRITE     none
-- SCAN        none
-- DURATION    at most 5 s; 110 ms measured, nearly all of it for 32 partitions
-- DISK        3 MB: 32 empty history slots with their indexes
-- DATA LOST   none
-- PRECHECK    none
-- COMPAT      min_reader 2; no program runs on it without 0003 and 0004
-- ORDER       any time; nothing uses the new tables yet
-- RUN         outboxd migrate up --to 2
--             psql -X -v ON_ERROR_STOP=1 --single-transaction -f 0002_jobs.up.sql
-- ON FAILURE  one transaction: nothing is changed. 55P03 = another migration runs, run it again; 55000 = wrong version;
--             25P01 = run without --single-transaction
-- VERIFY      psql -X -v ON_ERROR_STOP=1 -f verify/0002_jobs.sql
-- AFTERWARDS  the tables are there and empty; producers need the grants of 0004
-- ==== SQL ====
LOCK TABLE outbox.schema_migrations IN EXCLUSIVE MODE NOWAIT;
SET LOCAL lock_timeout = '2s';
DO $check$
BEGIN
  IF (SELECT max(version) FROM outbox.schema_migrations) IS DISTINCT FROM 1 THEN
    RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = 'outbox 0002 up: schema is not at version 1',
      HINT = 'Apply the migrations in order: outboxd migrate status';
  END IF;
END
$check$;

-- Constraints call it only when they are about to fail, so that the message says what was expected.
-- VOLATILE, or the planner would evaluate a call with constant arguments beforehand.
CREATE FUNCTION outbox.refuse(what text, hint text) RETURNS boolean
  LANGUAGE plpgsql VOLATILE PARALLEL SAFE AS $$
BEGIN
  RAISE EXCEPTION USING ERRCODE = '23514', MESSAGE = 'outbox: ' || what, HINT = hint || ' Retrying unchanged does not help.';
END $$;
REVOKE ALL ON FUNCTION outbox.refuse(text, text) FROM PUBLIC;
COMMENT ON FUNCTION outbox.refuse(text, text) IS 'Raises 23514 with a message for people; used by the CHECK constraints.';

-- A trigger, not a CHECK: those run again on every UPDATE, so that a job let in under a higher limit would make the processor's
-- claims fail. BEFORE, because AFTER would see the compressed size. Called only for payloads above 1 MiB and headers above 64 KiB.
CREATE FUNCTION outbox.payload_fits() RETURNS trigger
  LANGUAGE plpgsql AS $$
DECLARE
  bytes bigint := pg_catalog.pg_column_size(NEW.payload);
  most bigint := pg_catalog.pg_size_bytes(coalesce(nullif(pg_catalog.current_setting('outbox.max_payload', true), ''), '1MB'));
BEGIN
  IF pg_catalog.pg_column_size(NEW.headers) > 65536 THEN
    PERFORM outbox.refuse(pg_catalog.format('the headers have %s bytes; at most 65536 are allowed', pg_catalog.pg_column_size(NEW.headers)),
      'Headers are for trace ids and the like; put data into the payload.');
  ELSIF bytes > most THEN
    PERFORM outbox.refuse(pg_catalog.format('the payload has %s bytes; at most %s are allowed', bytes, most),
      'Store large data elsewhere and put its key into the payload, or raise the limit: ALTER DATABASE ... SET outbox.max_payload = ''4MB''.');
  END IF;
  RETURN NEW;
END $$;
REVOKE ALL ON FUNCTION outbox.payload_fits() FROM PUBLIC;
COMMENT ON FUNCTION outbox.payload_fits() IS 'Trigger: refuses headers above 64 KiB, and payloads above 1 MiB unless the setting outbox.max_payload allows them.';

-- STABLE, not IMMUTABLE: extract() of a timestamptz is, and only then is the function inlined.
CREATE FUNCTION outbox.day_slot(at timestamptz) RETURNS smallint
  LANGUAGE sql STABLE PARALLEL SAFE AS $$ SELECT (floor(extract(epoch FROM at) / 86400)::bigint % 32)::smallint $$;
REVOKE ALL ON FUNCTION outbox.day_slot(timestamptz) FROM PUBLIC;
COMMENT ON FUNCTION outbox.day_slot(timestamptz) IS 'The slot of the history ring for a moment: its UTC day number modulo 32.';

CREATE TABLE outbox.queues (
  name           text        CONSTRAINT queues_pkey PRIMARY KEY,
  paused_at      timestamptz,
  history        boolean     NOT NULL DEFAULT true,
  retention_days smallint    NOT NULL DEFAULT 14,
  updated_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT queue_name_length CHECK (length(name) BETWEEN 1 AND 63 OR outbox.refuse(
    format('the queue name has %s characters; 1 to 63 are allowed', length(name)), 'Choose a shorter name.')),
  CONSTRAINT queue_retention CHECK (retention_days BETWEEN 1 AND 30)
);
COMMENT ON TABLE outbox.queues IS 'Queues that a processor serves or that somebody paused. A job may name a queue that is not here.';
COMMENT ON COLUMN outbox.queues.name IS 'Name, as in jobs.queue.';
COMMENT ON COLUMN outbox.queues.paused_at IS 'Since when nothing of this queue is claimed; NULL: not paused.';
COMMENT ON COLUMN outbox.queues.history IS 'Whether finished jobs leave a row in finished_jobs, as the processor that started last was configured.';
COMMENT ON COLUMN outbox.queues.retention_days IS 'Days that finished_jobs keeps rows of this queue.';
COMMENT ON COLUMN outbox.queues.updated_at IS 'Last change of this row.';
COMMENT ON INDEX outbox.queues_pkey IS 'Read by every claim, to see whether the queue is paused.';

CREATE TABLE outbox.processors (
  id           integer     GENERATED ALWAYS AS IDENTITY CONSTRAINT processors_pkey PRIMARY KEY,
  name         text        NOT NULL,
  version      text        NOT NULL,
  built_for    integer     NOT NULL,
  oldest_schema integer,
  pid          integer     NOT NULL,
  queues       text[]      NOT NULL,
  kinds        text[]      NOT NULL,
  session_lock boolean     NOT NULL,
  started_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
  heartbeat_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  dead_after   interval    NOT NULL,
  dead_at      timestamptz,
  dead_reason  text,
  CONSTRAINT processor_dead CHECK ((dead_at IS NULL) = (dead_reason IS NULL))
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);
COMMENT ON TABLE outbox.processors IS 'One row for each running outboxd. Marked dead is for ever: the program then registers anew.';
COMMENT ON COLUMN outbox.processors.id IS 'As in jobs.claimed_by; also the key of the session lock that proves life.';
COMMENT ON COLUMN outbox.processors.name IS 'Name from the configuration, else host and pid.';
COMMENT ON COLUMN outbox.processors.version IS 'Version of the program.';
COMMENT ON COLUMN outbox.processors.built_for IS 'Schema version that the program was built for.';
COMMENT ON COLUMN outbox.processors.oldest_schema IS 'Oldest schema version that the program can run on; NULL: built_for.';
COMMENT ON COLUMN outbox.processors.pid IS 'Process id on its own machine.';
COMMENT ON COLUMN outbox.processors.queues IS 'Queues that it serves.';
COMMENT ON COLUMN outbox.processors.kinds IS 'Kinds that it can run.';
COMMENT ON COLUMN outbox.processors.session_lock IS 'Whether it holds a session advisory lock on its id; false through a transaction pooler.';
COMMENT ON COLUMN outbox.processors.started_at IS 'When it registered.';
COMMENT ON COLUMN outbox.processors.heartbeat_at IS 'Last sign of life, by the database clock.';
COMMENT ON COLUMN outbox.processors.dead_after IS 'Without a sign of life for so long, others mark it dead.';
COMMENT ON COLUMN outbox.processors.dead_at IS 'When it was marked dead; its claims are then given back.';
COMMENT ON COLUMN outbox.processors.dead_reason IS 'Why: its session lock was gone, or its heartbeat was late.';
COMMENT ON INDEX outbox.processors_pkey IS 'Heartbeats go by id.';

-- Every row is updated once (the claim) before it is deleted: fillfactor 45 leaves room for the second copy of every row,
-- so that all claims are HOT. A column that a claim changes is in no index and in no index predicate.
CREATE TABLE outbox.jobs (
  id           bigint      GENERATED ALWAYS AS IDENTITY CONSTRAINT jobs_pkey PRIMARY KEY,
  run_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
  created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
  claimed_at   timestamptz,
  expires_at   timestamptz,
  claimed_by   integer,
  claim_token  integer     NOT NULL DEFAULT 0,
  priority     smallint    NOT NULL DEFAULT 1,
  attempt      smallint    NOT NULL DEFAULT 0,
  max_attempts smallint    NOT NULL DEFAULT 20,
  crashes      smallint    NOT NULL DEFAULT 0,
  suspect      boolean     NOT NULL DEFAULT false,
  queue        text        NOT NULL DEFAULT 'default',
  kind         text        NOT NULL,
  unique_key   text,
  payload      jsonb       NOT NULL DEFAULT '{}',
  headers      jsonb,
  last_error   text,
  CONSTRAINT job_claimed_by_and_at CHECK ((claimed_by IS NULL) = (claimed_at IS NULL)),
  CONSTRAINT job_claim_counted CHECK (claimed_by IS NULL OR claim_token > 0),
  CONSTRAINT job_suspect_crashed CHECK (NOT suspect OR crashes > 0),
  CONSTRAINT job_counters CHECK (claim_token >= 0 AND crashes >= 0 AND attempt BETWEEN 0 AND max_attempts),
  CONSTRAINT job_max_attempts CHECK (max_attempts BETWEEN 1 AND 1000 OR outbox.refuse(
    format('max_attempts is %s; 1 to 1000 are allowed', max_attempts), 'Leave it out for the default of 20.')),
  CONSTRAINT job_priority CHECK (priority BETWEEN 0 AND 3 OR outbox.refuse(
    format('priority is %s; 0 (first) to 3 (last) are allowed', priority), 'Leave it out for the default of 1.')),
  CONSTRAINT job_queue_length CHECK (length(queue) BETWEEN 1 AND 63 OR outbox.refuse(
    format('the queue name has %s characters; 1 to 63 are allowed', length(queue)), 'Choose a shorter name.')),
  CONSTRAINT job_kind_length CHECK (length(kind) BETWEEN 1 AND 63 OR outbox.refuse(
    format('the kind has %s characters; 1 to 63 are allowed', length(kind)), 'Choose a shorter name.')),
  CONSTRAINT job_unique_key_length CHECK (unique_key IS NULL OR length(unique_key) BETWEEN 1 AND 255 OR outbox.refuse(
    format('unique_key has %s characters; 1 to 255 are allowed', length(unique_key)), 'Use a hash of a long key.')),
  CONSTRAINT job_headers_object CHECK (headers IS NULL OR jsonb_typeof(headers) = 'object' OR outbox.refuse(
    format('headers is a JSON %s; an object is expected', jsonb_typeof(headers)), 'Wrap it: {"name": "value"}.')),
  CONSTRAINT job_run_at_finite CHECK (isfinite(run_at) OR outbox.refuse('run_at is infinite', 'Give a moment, or leave it out for now.'))
) WITH (fillfactor = 45, vacuum_truncate = off, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 5000,
        autovacuum_vacuum_cost_delay = 1, autovacuum_vacuum_cost_limit = 2000, autovacuum_analyze_scale_factor = 0.05,
        toast.autovacuum_vacuum_scale_factor = 0.01, toast.autovacuum_vacuum_threshold = 5000);
-- id + 0 orders as id does, but serves no "id = ...": while the statistics say that the table is empty, the planner would take
-- this index for it and walk all of it, dead entries included, instead of the primary key.
CREATE INDEX jobs_claim_idx ON outbox.jobs (queue, priority, run_at, (id + 0));
CREATE INDEX jobs_suspect_idx ON outbox.jobs (queue, run_at, id) WHERE suspect;
CREATE UNIQUE INDEX jobs_unique_key_idx ON outbox.jobs (kind, unique_key) WHERE unique_key IS NOT NULL;
CREATE TRIGGER jobs_payload_size BEFORE INSERT OR UPDATE OF payload, headers ON outbox.jobs FOR EACH ROW
  WHEN (pg_column_size(NEW.payload) > 1048576 OR pg_column_size(NEW.headers) > 65536) EXECUTE FUNCTION outbox.payload_fits();
COMMENT ON TRIGGER jobs_payload_size ON outbox.jobs IS 'Refuses payloads above the setting outbox.max_payload, and headers above 64 KiB.';
COMMENT ON TABLE outbox.jobs IS 'Live jobs: waiting, scheduled or claimed. Finished and dead ones leave it, so it stays small. INSERT (kind, payload) is enough.';
COMMENT ON COLUMN outbox.jobs.id IS 'Stable over retries; use it as idempotency key.';
COMMENT ON COLUMN outbox.jobs.run_at IS 'Not run before this moment; also the order within a priority.';
COMMENT ON COLUMN outbox.jobs.created_at IS 'When it was inserted.';
COMMENT ON COLUMN outbox.jobs.claimed_at IS 'When claimed_by took it.';
COMMENT ON COLUMN outbox.jobs.expires_at IS 'If it has not started by then it goes to the dead letters, as expired.';
COMMENT ON COLUMN outbox.jobs.claimed_by IS 'processors.id of the processor that runs it; NULL: nobody does.';
COMMENT ON COLUMN outbox.jobs.claim_token IS 'Goes up with every claim; every later write must match it, so that a late result is refused.';
COMMENT ON COLUMN outbox.jobs.priority IS '0 first, 1 normal, 2 low, 3 last.';
COMMENT ON COLUMN outbox.jobs.attempt IS 'Attempts paid so far, the running one included.';
COMMENT ON COLUMN outbox.jobs.max_attempts IS 'After so many failed attempts it goes to the dead letters.';
COMMENT ON COLUMN outbox.jobs.crashes IS 'Claims that ended with their processor; a budget apart from attempts.';
COMMENT ON COLUMN outbox.jobs.suspect IS 'Its last claim ended with its processor: it is run alone until an attempt of it ends in an orderly way.';
COMMENT ON COLUMN outbox.jobs.queue IS 'Which queue it waits in.';
COMMENT ON COLUMN outbox.jobs.kind IS 'Which handler runs it.';
COMMENT ON COLUMN outbox.jobs.unique_key IS 'At most one live job for each kind and unique_key.';
COMMENT ON COLUMN outbox.jobs.payload IS 'For the handler; at most 1 MiB (setting outbox.max_payload).';
COMMENT ON COLUMN outbox.jobs.headers IS 'Metadata for the handler: trace ids and the like; at most 64 KiB.';
COMMENT ON COLUMN outbox.jobs.last_error IS 'Why the last attempt failed, clipped; all failures are in job_failures.';
COMMENT ON INDEX outbox.jobs_pkey IS 'Finishes and people go by id.';
COMMENT ON INDEX outbox.jobs_claim_idx IS 'Serves every claim: due, scheduled and retrying jobs alike.';
COMMENT ON INDEX outbox.jobs_suspect_idx IS 'The few jobs that must run alone; empty in a healthy system.';
COMMENT ON INDEX outbox.jobs_unique_key_idx IS 'Live uniqueness.';

CREATE TABLE outbox.finished_jobs (
  slot         smallint    NOT NULL,
  priority     smallint    NOT NULL,
  attempt      smallint    NOT NULL,
  crashes      smallint    NOT NULL,
  processor_id integer     NOT NULL,
  id           bigint      NOT NULL,
  created_at   timestamptz NOT NULL,
  run_at       timestamptz NOT NULL,
  started_at   timestamptz NOT NULL,
  finished_at  timestamptz NOT NULL,
  queue        text        NOT NULL,
  kind         text        NOT NULL,
  unique_key   text,
  payload      jsonb       NOT NULL,
  headers      jsonb
) PARTITION BY LIST (slot);
DO $slots$
BEGIN
  FOR s IN 0..31 LOOP
    EXECUTE format('CREATE TABLE outbox.finished_jobs_%s PARTITION OF outbox.finished_jobs FOR VALUES IN (%s)', to_char(s, 'FM00'), s);
    EXECUTE format('COMMENT ON TABLE outbox.finished_jobs_%s IS %L', to_char(s, 'FM00'),
      format('History of the days whose number modulo 32 is %s; truncated when they are past retention.', s));
  END LOOP;
END
$slots$;
CREATE INDEX finished_jobs_id_idx ON outbox.finished_jobs USING brin (id) WITH (pages_per_range = 32, autosummarize = on);
CREATE INDEX finished_jobs_finished_at_idx ON outbox.finished_jobs USING brin (finished_at) WITH (pages_per_range = 32, autosummarize = on);
COMMENT ON TABLE outbox.finished_jobs IS 'History: one row for each finished job, in a ring of 32 day slots that retention truncates.';
COMMENT ON COLUMN outbox.finished_jobs.slot IS 'outbox.day_slot(finished_at).';
COMMENT ON COLUMN outbox.finished_jobs.priority IS 'As in jobs.';
COMMENT ON COLUMN outbox.finished_jobs.attempt IS 'The attempt that succeeded.';
COMMENT ON COLUMN outbox.finished_jobs.crashes IS 'As in jobs.';
COMMENT ON COLUMN outbox.finished_jobs.processor_id IS 'Who ran it.';
COMMENT ON COLUMN outbox.finished_jobs.id IS 'As in jobs.';
COMMENT ON COLUMN outbox.finished_jobs.created_at IS 'As in jobs.';
COMMENT ON COLUMN outbox.finished_jobs.run_at IS 'When the successful attempt was due.';
COMMENT ON COLUMN outbox.finished_jobs.started_at IS 'When the successful attempt was claimed.';
COMMENT ON COLUMN outbox.finished_jobs.finished_at IS 'When its handler had returned; its transaction committed right after.';
COMMENT ON COLUMN outbox.finished_jobs.queue IS 'As in jobs.';
COMMENT ON COLUMN outbox.finished_jobs.kind IS 'As in jobs.';
COMMENT ON COLUMN outbox.finished_jobs.unique_key IS 'As in jobs.';
COMMENT ON COLUMN outbox.finished_jobs.payload IS 'As in jobs.';
COMMENT ON COLUMN outbox.finished_jobs.headers IS 'As in jobs.';
COMMENT ON INDEX outbox.finished_jobs_id_idx IS 'One job by id; BRIN, because ids come nearly in order.';
COMMENT ON INDEX outbox.finished_jobs_finished_at_idx IS 'A window of time.';

CREATE TABLE outbox.dead_jobs (
  id           bigint      CONSTRAINT dead_jobs_pkey PRIMARY KEY,
  created_at   timestamptz NOT NULL,
  run_at       timestamptz NOT NULL,
  expires_at   timestamptz,
  died_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
  processor_id integer,
  priority     smallint    NOT NULL,
  attempt      smallint    NOT NULL,
  max_attempts smallint    NOT NULL,
  crashes      smallint    NOT NULL,
  claim_token  integer     NOT NULL DEFAULT 0,
  reason       text        NOT NULL CONSTRAINT dead_job_reason CHECK (reason IN ('attempts', 'crashes', 'discarded', 'expired')),
  queue        text        NOT NULL,
  kind         text        NOT NULL,
  unique_key   text,
  payload      jsonb       NOT NULL,
  headers      jsonb,
  last_error   text
);
CREATE INDEX dead_jobs_died_at_idx ON outbox.dead_jobs (died_at);
COMMENT ON TABLE outbox.dead_jobs IS 'Dead letters: jobs that will not run again unless somebody retries them (outboxd jobs retry ID).';
COMMENT ON COLUMN outbox.dead_jobs.id IS 'As in jobs; a retry keeps it.';
COMMENT ON COLUMN outbox.dead_jobs.created_at IS 'As in jobs.';
COMMENT ON COLUMN outbox.dead_jobs.run_at IS 'When the last attempt was due.';
COMMENT ON COLUMN outbox.dead_jobs.expires_at IS 'As in jobs.';
COMMENT ON COLUMN outbox.dead_jobs.died_at IS 'When it was given up.';
COMMENT ON COLUMN outbox.dead_jobs.processor_id IS 'Who gave it up; NULL: a person.';
COMMENT ON COLUMN outbox.dead_jobs.priority IS 'As in jobs.';
COMMENT ON COLUMN outbox.dead_jobs.attempt IS 'As in jobs.';
COMMENT ON COLUMN outbox.dead_jobs.max_attempts IS 'As in jobs.';
COMMENT ON COLUMN outbox.dead_jobs.crashes IS 'As in jobs.';
COMMENT ON COLUMN outbox.dead_jobs.claim_token IS 'As in jobs; a retry goes on from it, so that a late result of an old claim is still refused.';
COMMENT ON COLUMN outbox.dead_jobs.reason IS 'attempts: used up; crashes: its processors died; discarded: by its handler or a person; expired: not started in time.';
COMMENT ON COLUMN outbox.dead_jobs.queue IS 'As in jobs.';
COMMENT ON COLUMN outbox.dead_jobs.kind IS 'As in jobs.';
COMMENT ON COLUMN outbox.dead_jobs.unique_key IS 'As in jobs; a dead job does not hold it.';
COMMENT ON COLUMN outbox.dead_jobs.payload IS 'As in jobs.';
COMMENT ON COLUMN outbox.dead_jobs.headers IS 'As in jobs.';
COMMENT ON COLUMN outbox.dead_jobs.last_error IS 'Why it died; all failures are in job_failures.';
COMMENT ON INDEX outbox.dead_jobs_pkey IS 'People go by id.';
COMMENT ON INDEX outbox.dead_jobs_died_at_idx IS 'Newest first for people, oldest first for retention.';

CREATE TABLE outbox.job_failures (
  job_id       bigint      NOT NULL,
  failed_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
  processor_id integer     NOT NULL,
  attempt      smallint    NOT NULL,
  reason       text        NOT NULL CONSTRAINT job_failure_reason CHECK (reason IN ('error', 'timeout', 'crash', 'discarded', 'expired')),
  queue        text        NOT NULL,
  kind         text        NOT NULL,
  sqlstate     text,
  error        text        NOT NULL
);
CREATE INDEX job_failures_job_id_idx ON outbox.job_failures (job_id, failed_at);
-- No BRIN, as the history has: retention deletes rows here, their pages are filled again, and then no range is of one time.
CREATE INDEX job_failures_failed_at_idx ON outbox.job_failures (failed_at);
COMMENT ON TABLE outbox.job_failures IS 'One row for each failed attempt or crash; kept while the job lives or is dead, else for the retention of dead letters.';
COMMENT ON COLUMN outbox.job_failures.job_id IS 'jobs.id.';
COMMENT ON COLUMN outbox.job_failures.failed_at IS 'When.';
COMMENT ON COLUMN outbox.job_failures.processor_id IS 'Which processor ran it.';
COMMENT ON COLUMN outbox.job_failures.attempt IS 'Which attempt.';
COMMENT ON COLUMN outbox.job_failures.reason IS 'error, timeout, crash (of the processor), discarded (by the handler) or expired.';
COMMENT ON COLUMN outbox.job_failures.queue IS 'As in jobs.';
COMMENT ON COLUMN outbox.job_failures.kind IS 'As in jobs.';
COMMENT ON COLUMN outbox.job_failures.sqlstate IS 'SQLSTATE, when the database raised the error.';
COMMENT ON COLUMN outbox.job_failures.error IS 'The error text, clipped to 8 KiB (sql handlers: to 8,000 characters).';
COMMENT ON INDEX outbox.job_failures_job_id_idx IS 'The failures of one job, in order.';
COMMENT ON INDEX outbox.job_failures_failed_at_idx IS 'Newest first for people, oldest first for retention.';

INSERT INTO outbox.schema_migrations (version, name, min_reader) VALUES (2, 'jobs', 2);
