-- outbox migration 0001 DOWN: ledger                                 kind: expand
-- EFFECT      drops table outbox.schema_migrations and schema outbox
-- LOCKS       outbox.schema_migrations ACCESS EXCLUSIVE, for milliseconds
-- REWRITE     no      SCAN  no
-- DURATION    milliseconds; the wait for the lock is capped by lock_timeout = 2s
-- DATA LOST   the record of when migrations were applied. Save: \copy outbox.schema_migrations TO 'ledger.csv' CSV HEADER
-- COMPAT      no program runs after it
-- ORDER       1. stop every processor  2. run this script
-- RUN         outboxd migrate down --to 0
--             psql -X -v ON_ERROR_STOP=1 --single-transaction -f 0001_ledger.down.sql
-- ON FAILURE  one transaction: nothing is changed. 55P03 = lock busy, run it again; 55000 = wrong version;
--             2BP01 = somebody else's objects are in schema outbox: move them first
-- VERIFY      SELECT to_regnamespace('outbox');   -- NULL
-- ==== SQL ====
LOCK TABLE outbox.schema_migrations IN EXCLUSIVE MODE NOWAIT;
SET LOCAL lock_timeout = '2s';
DO $check$
BEGIN
  IF (SELECT max(version) FROM outbox.schema_migrations) IS DISTINCT FROM 1 THEN
    RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = 'outbox 0001 down: schema is not at version 1',
      HINT = 'Roll back the newer migrations first: outboxd migrate status';
  END IF;
END
$check$;
DROP TABLE outbox.schema_migrations;
DROP SCHEMA outbox;
