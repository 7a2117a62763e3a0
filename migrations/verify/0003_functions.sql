-- Fails when what migration 0003 makes is not there. Read-only; for a newer schema as well.
DO $verify$
DECLARE
  missing text;
BEGIN
  SELECT string_agg(f.name, ', ') INTO missing
    FROM unnest('{wake,jobs_inserted,enqueue,enqueue_many,backoff,undo,snooze,discard,retry_after,guard,finish_job,run_job,run_group}'::text[]) f (name)
   WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_proc p WHERE p.pronamespace = 'outbox'::regnamespace AND p.proname = f.name);
  ASSERT missing IS NULL, format('0003: functions are missing: %s', missing);
  ASSERT EXISTS (SELECT FROM pg_catalog.pg_trigger t WHERE t.tgrelid = 'outbox.jobs'::regclass AND t.tgname = 'jobs_inserted'),
    '0003: trigger jobs_inserted is missing';
  ASSERT outbox.backoff(3, 1000, 2, 3000, 0) = interval '3 s', '0003: backoff counts otherwise';
  -- A block with EXCEPTION, so that what the function raises does not end the script.
  BEGIN
    PERFORM outbox.snooze(interval '1.5 s');
    RAISE EXCEPTION 'outbox.snooze raised nothing';
  EXCEPTION WHEN SQLSTATE 'OB010' THEN
    ASSERT SQLERRM = '1500', format('0003: snooze says %s', SQLERRM);
  END;
END
$verify$;
