#!/usr/bin/env bash
# The programs of tests/examples against a server: what C++ handlers may rely on, and what happens to careless ones. Needs
# OUTBOX_TEST_PG (superuser's URL), OUTBOXD (the program), OUTBOX_BUILD_DIR and OUTBOX_SOURCE_DIR.
set -euo pipefail
source "$OUTBOX_SOURCE_DIR/scripts/lib.sh"
source "$OUTBOX_SOURCE_DIR/tests/e2e/support/processor.sh"
trap 'database_drop; rm -rf "$work"' EXIT
mapfile -t found < <(find "$OUTBOX_BUILD_DIR" -type f -executable -name 'example_*')
program() {
  local path
  for path in "${found[@]}"; do [[ $path != */example_$1 ]] || { say "$path" && return; }; done
  die "example_$1 is not built in $OUTBOX_BUILD_DIR"
}

configure() { # configure TIMEOUT-OF-DIGEST [URL]
  cat >"$config" <<YAML
database: {url: '${2:-$worker_url}'}
processor: {grace: 300ms}
kinds:
  confirm: {backoff: {first: 10ms}}
  digest: {timeout: $1}
YAML
}
enqueue() { sql "SELECT outbox.enqueue('$1', '$2', max_attempts => ${3:-5})" "$app_url" >/dev/null; } # enqueue KIND PAYLOAD [ATTEMPTS]
ended() { [[ $(sql "SELECT count(*) FROM (SELECT FROM outbox.finished_jobs UNION ALL SELECT FROM outbox.dead_jobs) e") == "$1" ]]; }
was_snoozed() { [[ $(sql "SELECT count(*) FROM outbox.jobs WHERE kind = 'confirm' AND attempt = 0 AND claim_token >= 2 AND claimed_by IS NULL") == 1 ]]; }
is_running() { [[ $(sql "SELECT count(claimed_by) FROM outbox.jobs WHERE kind = '$1'") == 1 ]]; }
dead() { # dead KIND REASON SQLSTATE TEXT
  expect_sql "$2 $3|t|t" "SELECT DISTINCT concat_ws(' ', d.reason, coalesce(f.sqlstate, '')), strpos(f.error, '$4') > 0, octet_length(f.error) <= 8192
    FROM outbox.dead_jobs d JOIN outbox.job_failures f ON f.job_id = d.id WHERE d.kind = '$1'"
}

say "mail: typed payloads, snooze, discard, retry_after, stop token, a follow-up job"
database_create "e2e_example_$$"
migrate_up
sql 'CREATE SCHEMA shop
  CREATE TABLE orders (id bigint PRIMARY KEY, paid boolean NOT NULL)
  CREATE TABLE mails (job_id bigint, recipient text, body text)
  CREATE TABLE digests (at timestamptz DEFAULT now())'
sql 'INSERT INTO shop.orders VALUES (1, true), (2, false), (3, true)'
configure 200ms
enqueue confirm '{"order": 1, "customer": "ann@example.org"}'
enqueue confirm '{"order": 2, "customer": "bob@example.org"}'
enqueue confirm '{"order": 3, "customer": "nobody"}'
enqueue confirm '{"order": 9, "customer": "eve@example.org"}' 2
enqueue confirm '{"order": "many"}'
enqueue digest '{}' 2
configure 200ms "$url"
expect 78 'a superuser' "$(program mail)" run --config "$config"
configure 200ms
processor_start mail "$(program mail)"
eventually 10 "the unpaid order to be snoozed" was_snoozed
sql 'UPDATE shop.orders SET paid = true'
eventually 20 "all jobs to end" ended 8
expect_sql $'ann@example.org|a survey|1\nann@example.org|your order|1\nbob@example.org|a survey|1\nbob@example.org|your order|1' \
  'SELECT recipient, body, count(DISTINCT job_id) FROM shop.mails GROUP BY 1, 2 ORDER BY 1, 2'
expect_sql 4 'SELECT count(*) FROM shop.mails JOIN outbox.finished_jobs ON id = job_id'
expect_sql $'confirm|1|2\nsurvey|2|2' 'SELECT kind, attempt, count(*) FROM outbox.finished_jobs GROUP BY 1, 2 ORDER BY 1'
expect_sql $'2|attempts|there is no order 9' "SELECT attempt, reason, last_error FROM outbox.dead_jobs WHERE last_error LIKE '%order 9'"
expect_sql $'1|discarded|\'nobody\' is no address' "SELECT attempt, reason, last_error FROM outbox.dead_jobs WHERE last_error LIKE '%nobody%'"
expect_sql $'1|discarded' "SELECT attempt, reason FROM outbox.dead_jobs WHERE last_error LIKE 'the payload does not fit its kind: %'"
expect_sql $'2|attempts' "SELECT attempt, reason FROM outbox.dead_jobs WHERE last_error LIKE 'stopped at page %'"
expect_sql 4 'SELECT count(*) FROM outbox.dead_jobs'
expect_sql 0 'SELECT count(*) FROM shop.digests'

say "mail: a stop in the middle of a handler"
processor_stop mail
configure 1m
processor_start mail "$(program mail)"
enqueue digest '{}'
eventually 10 "the digest to run" is_running digest
processor_stop mail
expect_sql '0|0||0' "SELECT attempt, crashes, claimed_by, (SELECT count(*) FROM shop.digests) FROM outbox.jobs WHERE kind = 'digest'"
expect 0 'Look at jobs' "$(program mail)" --help # it has the commands of outboxd

say "careless handlers"
PGOPTIONS='-c client_min_messages=warning' sql 'DROP SCHEMA shop CASCADE; DELETE FROM outbox.jobs; DELETE FROM outbox.dead_jobs; DELETE FROM outbox.job_failures; DELETE FROM outbox.finished_jobs'
sql 'CREATE SCHEMA shop CREATE TABLE writes (job_id bigint)'
configure 1m
sed -i '/^kinds/,$d' "$config"
sql "INSERT INTO outbox.jobs (kind, max_attempts) SELECT unnest(ARRAY['throws', 'throws_anything', 'throws_bad_text', 'returns_nul', 'swallows', 'savepoint',
  'commits', 'rolls_back', 'retries', 'takes_a_role', 'writes']), 1 FROM generate_series(1, 5)"
processor_start careless "$(program careless)"
eventually 20 "all jobs to end" ended 55
processor_stop careless
dead throws attempts '' 'thrown after a write'
dead throws_anything attempts '' 'something that is not a std::exception'
dead throws_bad_text attempts '' 'bad UTF-8 �� and xxx'
dead returns_nul discarded '' 'before�after'
dead swallows attempts 25P02 'went on after an SQL error that it caught'
expect_sql 0 "SELECT count(*) FROM outbox.jobs WHERE kind = 'orphan'"
dead commits attempts 2D000 'ended the transaction it was given'
dead rolls_back attempts 2D000 'ended the transaction it was given'
dead retries attempts '' 'not done'
dead takes_a_role attempts 42501 'permission denied'
expect_sql $'savepoint|5\nwrites|5' 'SELECT kind, count(*) FROM outbox.finished_jobs GROUP BY 1 ORDER BY 1'
expect_sql '10|10|10' 'SELECT count(*), count(DISTINCT job_id), count(id) FROM shop.writes LEFT JOIN outbox.finished_jobs ON id = job_id'
