-- Needs track_commit_timestamp: from the commit of the application's transaction to the commit of the
-- effect, in ms, and jobs per second from the first commit to the last effect.
SELECT count(*) FILTER (WHERE m.at < h.at) AS before_commit,
       round(count(*) / extract(epoch FROM max(m.at) - min(h.at)))::bigint AS jobs_per_second,
       round(percentile_cont(0.5) WITHIN GROUP (ORDER BY 1000 * extract(epoch FROM m.at - h.at))::numeric, 1) AS p50_ms,
       round(percentile_cont(0.99) WITHIN GROUP (ORDER BY 1000 * extract(epoch FROM m.at - h.at))::numeric, 1) AS p99_ms
  FROM (SELECT entry, pg_xact_commit_timestamp(xmin) AS at FROM pgbench_history) h
  JOIN (SELECT entry, pg_xact_commit_timestamp(xmin) AS at FROM ledger.mirror) m USING (entry);
