-- Fails when what migration 0002 makes is not there. Read-only; for a newer schema as well.
DO $verify$
DECLARE
  missing text;
BEGIN
  SELECT string_agg(t.name, ', ') INTO missing FROM unnest('{queues,processors,jobs,finished_jobs,dead_jobs,job_failures}'::text[]) t (name)
   WHERE to_regclass('outbox.' || t.name) IS NULL;
  ASSERT missing IS NULL, format('0002: tables are missing: %s', missing);
  ASSERT (SELECT count(*) FROM pg_catalog.pg_inherits i WHERE i.inhparent = 'outbox.finished_jobs'::regclass AND NOT i.inhdetachpending) = 32,
    '0002: finished_jobs has not its 32 slots';
  SELECT string_agg(x.name, ', ') INTO missing
    FROM unnest('{jobs_pkey,jobs_claim_idx,jobs_suspect_idx,jobs_unique_key_idx,dead_jobs_pkey,dead_jobs_died_at_idx,job_failures_job_id_idx,job_failures_failed_at_idx,finished_jobs_id_idx,finished_jobs_finished_at_idx}'::text[]) x (name)
   WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indexrelid = to_regclass('outbox.' || x.name) AND i.indisvalid AND i.indisready);
  ASSERT missing IS NULL, format('0002: indexes are missing or invalid: %s', missing);
  ASSERT EXISTS (SELECT FROM pg_catalog.pg_trigger t WHERE t.tgrelid = 'outbox.jobs'::regclass AND t.tgname = 'jobs_payload_size' AND t.tgenabled = 'O'),
    '0002: trigger jobs_payload_size is missing or disabled';
  ASSERT NOT EXISTS (SELECT FROM pg_catalog.pg_constraint c WHERE c.conrelid = 'outbox.jobs'::regclass AND NOT c.convalidated),
    '0002: jobs has a constraint that is not validated';
  ASSERT outbox.day_slot('epoch'::timestamptz + interval '33 days') = 1, '0002: day_slot counts otherwise';
END
$verify$;
