-- Fails when what migration 0001 makes is not there. Read-only; for a newer schema as well.
DO $verify$
DECLARE versions integer[] := (SELECT array_agg(version ORDER BY version) FROM outbox.schema_migrations);
BEGIN
  ASSERT versions[1] = 1 AND versions[array_upper(versions, 1)] = cardinality(versions), format('the ledger has gaps: %s', versions);
  ASSERT EXISTS (SELECT FROM pg_catalog.pg_trigger t WHERE t.tgrelid = 'outbox.schema_migrations'::regclass
                    AND t.tgname = 'schema_migrations_changed' AND t.tgenabled = 'O'), 'trigger schema_migrations_changed is missing or disabled';
  ASSERT (SELECT c.direction FROM outbox.schema_changes c WHERE c.version = 1 ORDER BY c.id DESC LIMIT 1) = 'up',
    'schema_changes does not say that 0001 is applied';
END
$verify$;
