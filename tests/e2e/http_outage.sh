#!/usr/bin/env bash
# Delivery while things end: an endpoint that is down for a while, a processor that is killed, one that is stopped. Needs OUTBOX_TEST_PG
# (superuser's URL), OUTBOXD (the program), OUTBOX_BUILD_DIR and OUTBOX_SOURCE_DIR.
set -euo pipefail
source "$OUTBOX_SOURCE_DIR/scripts/lib.sh"
source "$OUTBOX_SOURCE_DIR/tests/e2e/support/processor.sh"
source "$OUTBOX_SOURCE_DIR/tests/e2e/http/lib.sh"
trap 'receiver_stop; database_drop; rm -rf "$work"' EXIT

begin() { # begin JOBS PATH HTTP-KEYS [GRACE]: an empty database with jobs, and processor a
  receiver_stop
  rm -rf "$received"
  receiver_start
  database_drop
  database_create "e2e_outage_$$"
  migrate_up
  cat >"$config" <<YAML
database: {url: '$worker_url'}
processor: {grace: ${4:-30s}}
kinds:
  hook:
    backoff: {first: 100ms, cap: 1s}
    http: {url: 'http://127.0.0.1:${port[plain]}/$2', $3}
YAML
  sql "INSERT INTO outbox.jobs (kind, payload) SELECT 'hook', jsonb_build_object('n', n) FROM generate_series(1, $1) n" "$app_url"
  processor_start a
}

# delivered JOBS: all of them, each under one id of its own, and none is left or dead.
delivered() {
  look
  expect_sql "$1 $1 $1" "SELECT count(DISTINCT id) || ' ' || count(DISTINCT sha256) || ' ' || count(DISTINCT (id, sha256)) FROM requests"
  expect_sql "$1 0 0" "SELECT concat_ws(' ', (SELECT count(*) FROM outbox.finished_jobs), (SELECT count(*) FROM outbox.jobs), (SELECT count(*) FROM outbox.dead_jobs))"
}
has_logged() { (($(grep -c "$1" "$(processor_log a)") >= $2)); } # has_logged PATTERN COUNT

say "an endpoint that is down, then gone, then well again"
rate=400 jobs=2500
begin "$jobs" status/204 "rate: $rate, breaker: {window: 1s, pause: 300ms, pause_most: 600ms}"
eventually 20 "the first requests" has_received 300
receiver_mode down
eventually 20 "a few probes while it answers 503" has_logged 'breaker_opened.*answered 503' 4
receiver_mode refuse
eventually 20 "probes of an endpoint that is not there" has_logged 'breaker_opened.*hint: is it running' 4
receiver_mode up
eventually 40 "all jobs to be delivered" ended "$jobs" 0
processor_stop a
delivered "$jobs"
expect_sql t 'SELECT max(attempt) <= 3 FROM outbox.finished_jobs'
# The breaker opens when half of a second's answers failed; from then on only probes come.
expect_sql t "SELECT count(*) BETWEEN 10 AND $rate FROM requests WHERE r ->> 'mode' = 'down'"
# The receiver's clock tells when it looked, so a few that waited for it may count for the next second, but never in the long run.
busiest=$(sql "SELECT max(n) FROM (SELECT count(*) OVER (ORDER BY at RANGE BETWEEN CURRENT ROW AND 999 FOLLOWING) n FROM requests WHERE r ->> 'mode' = 'up') t")
((busiest <= rate * 115 / 100)) || die "expected at most $rate requests in any second, the receiver saw $busiest"
last=$(sql "SELECT count(*) * 1000.0 / (max(at) - min(at) + 50) <= $rate FROM requests WHERE at > (SELECT max(at) FROM requests WHERE r ->> 'mode' = 'down')")
[[ $last == t ]] || die "expected at most $rate requests a second after the endpoint was well"

say "kill -9 with hundreds of requests under way; another processor takes over"
begin 1500 slow 'concurrency: 300'
eventually 20 "200 requests under way" under_way 200
processor_kill a
look
killed=$(sql 'SELECT count(*) FROM requests')
receiver_mode fast
processor_start b
eventually 40 "all jobs to be delivered" ended 1500 0
processor_stop b
delivered 1500
expect_sql t "SELECT count(*) BETWEEN 1 AND 300 FROM (SELECT FROM requests GROUP BY id HAVING count(*) > 1) twice"
((killed >= 200)) || die "expected 200 requests before the kill, there were $killed"

say "SIGTERM with requests under way: they finish, and the rest waits for the next"
begin 1000 slow 'concurrency: 200'
eventually 20 "100 requests under way" under_way 100
processor_stop a
look
expect_sql 't t' "SELECT concat_ws(' ', count(*) >= 100, count(*) = (SELECT count(*) FROM outbox.finished_jobs)) FROM requests"
expect_sql 't 0 0' "SELECT concat_ws(' ', count(*) > 0, max(attempt), count(claimed_by)) FROM outbox.jobs"
receiver_mode fast
processor_start b
eventually 40 "all jobs to be delivered" ended 1000 0
processor_stop b
delivered 1000
expect_sql 1000 'SELECT count(*) FROM requests'

say "SIGTERM with requests that take longer than the grace time: given back, not charged"
begin 100 hangs 'concurrency: 50' 500ms
eventually 20 "50 requests under way" under_way 50
processor_stop a
expect_sql '100 0 0 0' "SELECT concat_ws(' ', count(*), max(attempt), count(claimed_by), (SELECT count(*) FROM outbox.job_failures)) FROM outbox.jobs"
receiver_mode fast
processor_start b
eventually 40 "all jobs to be delivered" ended 100 0
processor_stop b
delivered 100
