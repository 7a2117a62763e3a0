#!/usr/bin/env bash
# Stopping a processor: SIGTERM under load, with handlers that outlast the grace time, and twice.
# Needs OUTBOX_TEST_PG (superuser's URL), OUTBOXD (the program) and OUTBOX_SOURCE_DIR.
set -euo pipefail
source "$OUTBOX_SOURCE_DIR/scripts/lib.sh"
source "$OUTBOX_SOURCE_DIR/tests/e2e/ledger/lib.sh"
gate=''
finish() {
  [[ -z $gate ]] || kill "$gate" 2>/dev/null || true
  ledger_drop
  rm -rf "$work"
}
trap finish EXIT

# Handlers insert into app.effects, and wait as long as somebody else has locked it.
close_gate() {
  psql -X -q -d "$url" -c 'BEGIN; LOCK TABLE app.effects IN SHARE MODE; SELECT pg_sleep(120)' >/dev/null 2>&1 &
  gate=$!
  eventually 10 "the gate to close" gate_is_closed
}
gate_is_closed() { [[ $(sql "SELECT count(*) FROM pg_locks WHERE relation = 'app.effects'::regclass AND mode = 'ShareLock' AND granted") == 1 ]]; }
open_gate() {
  sql "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks WHERE relation = 'app.effects'::regclass AND mode = 'ShareLock' AND granted" >/dev/null
  wait "$gate" || true
  gate=''
}
at_the_gate() { [[ $(sql "SELECT count(*) FROM pg_locks WHERE relation = 'app.effects'::regclass AND NOT granted") == "$1" ]]; }
claimed_are() { [[ $(sql 'SELECT count(claimed_by) FROM outbox.jobs') == "$1" ]]; }
untouched() { expect_sql "$1" 'SELECT count(*) FROM outbox.jobs WHERE attempt = 0 AND crashes = 0 AND claimed_by IS NULL AND last_error IS NULL'; }

begin() { # begin LANE JOBS GRACE: a processor with that many jobs, as many of them at the gate as it can run
  say "lane $1, grace $3"
  database_create "e2e_stop_$$"
  migrate_up
  sql 'CREATE SCHEMA app CREATE TABLE effects (id bigint)'
  cat >"$config" <<YAML
database: {url: '$worker_url'}
processor: {grace: $3}
queues:
  default: {concurrency: 2}
kinds:
  work: {sql: "INSERT INTO app.effects VALUES (\$2)", lane: $1}
YAML
  processor_start a
  close_gate
  sql "INSERT INTO outbox.jobs (kind) SELECT 'work' FROM generate_series(1, $2)" "$app_url"
  eventually 10 "handlers at the gate" at_the_gate 2
}

all_once() { # all_once JOBS: another processor finishes the rest, and each job took effect once
  processor_start b
  eventually 20 "the queue to be empty" jobs_done
  processor_stop b
  expect_sql "$1 $1" "SELECT count(*) || ' ' || count(DISTINCT id) FROM app.effects"
  expect_sql "$1 $1" "SELECT count(*) || ' ' || count(DISTINCT id) FROM outbox.finished_jobs"
  expect_sql 0 'SELECT count(*) FROM outbox.dead_jobs'
  database_drop
}

say "SIGTERM in the middle of the load"
ledger_create "e2e_stop_$$" 1 claimed
processor_start a
load_start 2 4
eventually 20 "200 jobs to be finished" has_finished 200
processor_stop a
load_runs || die "expected the load to go on"
expect_sql 0 'SELECT count(claimed_by) FROM outbox.jobs'
expect_sql 0 'SELECT count(*) FROM outbox.jobs WHERE attempt > 0 AND last_error IS NULL'
load_wait
processor_start b
eventually 30 "the queue to be empty" jobs_done
processor_stop b
ledger_check
ledger_drop

begin claimed 20 30s
processor_signal a TERM
eventually 10 "claims that have not started to be given back" claimed_are 2
untouched 18
open_gate
processor_wait a 0
expect_sql 2 'SELECT count(*) FROM app.effects'
untouched 18
all_once 20

for lane in claimed direct; do
  begin "$lane" 20 500ms
  processor_stop a # the grace is over, so they are cancelled
  untouched 20
  expect_sql 0 'SELECT count(*) FROM outbox.job_failures'
  open_gate
  all_once 20
done

for lane in claimed direct; do
  begin "$lane" 20 60s
  processor_signal a TERM
  eventually 10 "the first signal to be seen" grep -q 'SIGTERM' "$(processor_log a)"
  processor_signal a TERM
  start=$SECONDS
  processor_wait a 1
  ((SECONDS - start < 5)) || die "expected a second signal to end it at once"
  grep -q 'stopped at once by a second signal' "$(processor_log a)" || die "expected a word about it: $(<"$(processor_log a)")"
  open_gate
  all_once 20
done
