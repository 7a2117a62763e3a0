-- Fails when what migration 0005 makes is not there. Read-only; for a newer schema as well.
DO $verify$
DECLARE
  missing text;
BEGIN
  SELECT string_agg(c.name, ', ') INTO missing
    FROM unnest('{finished_jobs.detail,job_failures.detail,kinds.name,kinds.paused_at,kinds.paused_why,kinds.updated_at}'::text[]) c (name)
   WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a
                      WHERE a.attrelid = to_regclass('outbox.' || split_part(c.name, '.', 1)) AND a.attname = split_part(c.name, '.', 2)
                        AND a.attnum > 0 AND NOT a.attisdropped);
  ASSERT missing IS NULL, format('0005: columns are missing: %s', missing);
  SELECT string_agg(f.name, ', ') INTO missing FROM unnest('{pause_kind,resume_kind,message_id}'::text[]) f (name)
   WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_proc p WHERE p.pronamespace = 'outbox'::regnamespace AND p.proname = f.name AND p.prosecdef);
  ASSERT missing IS NULL, format('0005: SECURITY DEFINER functions are missing: %s', missing);
  ASSERT outbox.message_id(1) ~ '^msg_[0-9a-f]{16}_1$', format('0005: outbox.message_id(1) is %s', coalesce(outbox.message_id(1), 'NULL'));
  PERFORM FROM outbox.stuck_jobs LIMIT 1;
END
$verify$;
