-- The mirror ledger that the sql handler keeps. psql variables: role, who the handler runs as; worker, the processor's login.
-- Run after pgbench -i.
ALTER TABLE pgbench_history ADD entry bigint GENERATED ALWAYS AS IDENTITY;

CREATE SCHEMA ledger;
-- No unique key, on purpose: an effect that happened twice must show as two rows.
CREATE TABLE ledger.mirror (entry bigint, job_id bigint, aid integer, tid integer, bid integer, delta integer);
CREATE TABLE ledger.balances (aid integer PRIMARY KEY, total bigint NOT NULL, entries bigint NOT NULL);

-- The handler. One entry in 200 fails at its first attempt, after it has written: its writes must be
-- undone, and the next attempt must find nothing of them.
CREATE FUNCTION ledger.post(payload jsonb, job_id bigint, attempt integer) RETURNS void
  LANGUAGE plpgsql AS $$
DECLARE
  e record;
BEGIN
  SELECT * INTO e FROM jsonb_to_record(payload) AS r (entry bigint, aid integer, tid integer, bid integer, delta integer);
  INSERT INTO ledger.mirror VALUES (e.entry, job_id, e.aid, e.tid, e.bid, e.delta);
  INSERT INTO ledger.balances AS b VALUES (e.aid, e.delta, 1)
    ON CONFLICT (aid) DO UPDATE SET total = b.total + excluded.total, entries = b.entries + 1;
  IF attempt = 1 AND e.entry % 200 = 0 THEN
    RAISE EXCEPTION 'entry % is one of those that fail at their first attempt', e.entry;
  END IF;
END $$;

CREATE ROLE :"role" NOLOGIN ROLE :"worker";
GRANT USAGE ON SCHEMA ledger TO :"role";
GRANT INSERT ON ledger.mirror TO :"role";
GRANT SELECT, INSERT, UPDATE ON ledger.balances TO :"role";
