-- One row: what the application did, what the jobs did, and where the two differ.
WITH
one_effect AS (  -- jobs that did not have exactly one effect, and effects of no finished job
  SELECT count(*) AS n
    FROM (SELECT id, count(*) AS n FROM outbox.finished_jobs GROUP BY id) f
    FULL JOIN (SELECT job_id AS id, count(*) AS n FROM ledger.mirror GROUP BY job_id) m USING (id)
   WHERE (f.n, m.n) IS DISTINCT FROM (1, 1)),
accounts AS (
  SELECT count(*) AS n, count(*) FILTER (WHERE (h.n, h.total) IS DISTINCT FROM (m.n, m.total)) AS differ
    FROM (SELECT aid, count(*) AS n, sum(delta) AS total FROM pgbench_history GROUP BY aid) h
    FULL JOIN (SELECT aid, count(*) AS n, sum(delta) AS total FROM ledger.mirror GROUP BY aid) m USING (aid)),
balances AS (  -- the application keeps its own sum for each account
  SELECT count(*) AS n FROM pgbench_accounts a FULL JOIN ledger.balances b USING (aid) WHERE a.abalance IS DISTINCT FROM coalesce(b.total, 0)),
missing AS (
  SELECT count(*) AS n
    FROM (SELECT entry, aid, tid, bid, delta FROM pgbench_history EXCEPT ALL SELECT entry, aid, tid, bid, delta FROM ledger.mirror) x),
extra AS (
  SELECT count(*) AS n
    FROM (SELECT entry, aid, tid, bid, delta FROM ledger.mirror EXCEPT ALL SELECT entry, aid, tid, bid, delta FROM pgbench_history) x),
live AS (SELECT count(*) AS n, count(claimed_by) AS claimed FROM outbox.jobs)
SELECT (SELECT count(*) FROM pgbench_history) AS entries,
       (SELECT count(*) FROM ledger.mirror) AS effects,
       missing.n AS missing, extra.n AS extra, accounts.n AS accounts, accounts.differ AS accounts_differ,
       balances.n AS balances_differ, one_effect.n AS not_one_effect, live.n AS live, live.claimed,
       (SELECT count(*) FROM outbox.finished_jobs) AS finished,
       (SELECT count(*) FROM outbox.finished_jobs WHERE attempt > 1) AS retried,
       (SELECT count(*) FROM outbox.finished_jobs WHERE crashes > 0) AS rescued,
       (SELECT count(*) FROM outbox.dead_jobs) AS dead
  FROM one_effect, accounts, balances, missing, extra, live;
