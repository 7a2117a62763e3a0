-- Fails when what migration 0004 makes is not there, or PUBLIC may use something. Read-only; for a newer schema as well.
DO $verify$
DECLARE
  missing text;
BEGIN
  SELECT string_agg(r.name, ', ') INTO missing
    FROM unnest('{audit,job_states,queue_health,failures_last_hour,running_jobs,stuck_jobs,dead_letters,processor_states,xmin_holders,storage_health,migrations}'::text[]) r (name)
   WHERE to_regclass('outbox.' || r.name) IS NULL;
  ASSERT missing IS NULL, format('0004: tables or views are missing: %s', missing);
  SELECT string_agg(f.name, ', ') INTO missing
    FROM unnest('{retry,discard,retry_matching,discard_matching,pause,resume,prune_audit}'::text[]) f (name)
   WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_proc p WHERE p.pronamespace = 'outbox'::regnamespace AND p.proname = f.name AND p.prosecdef);
  ASSERT missing IS NULL, format('0004: SECURITY DEFINER functions are missing: %s', missing);
  SELECT string_agg(p.oid::regprocedure::text, ', ') INTO missing FROM pg_catalog.pg_proc p
   WHERE p.pronamespace = 'outbox'::regnamespace AND p.prosecdef
     AND NOT EXISTS (SELECT FROM unnest(p.proconfig) s WHERE s ~ '^search_path=pg_catalog, .*pg_temp$');
  ASSERT missing IS NULL, format('0004: SECURITY DEFINER without a search_path that ends with pg_temp: %s', missing);
  SELECT string_agg(p.oid::regprocedure::text, ', ') INTO missing
    FROM pg_catalog.pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
   WHERE p.pronamespace = 'outbox'::regnamespace AND a.grantee = 0;
  ASSERT missing IS NULL, format('0004: PUBLIC may execute %s', missing);
  PERFORM FROM outbox.queue_health LIMIT 1;
END
$verify$;
