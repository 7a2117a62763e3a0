#!/usr/bin/env bash
# The rehearsal: the whole chain with a million live jobs, declared beside measured, both ways; the next release's migrations
# on a copy of a database and on a restored one. Needs OUTBOX_TEST_PG (superuser's URL), OUTBOXD, OUTBOXD_NEXT and
# OUTBOX_SOURCE_DIR.
set -euo pipefail
source "$OUTBOX_SOURCE_DIR/scripts/lib.sh"
source "$OUTBOX_SOURCE_DIR/tests/e2e/support/processor.sh"
trap 'database_drop; rm -rf "$work"' EXIT

rehearse() { "$1" migrate rehearse --url "$url" "${@:2}"; }
other_session() { (($(sql "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'SELECT pg_sleep%'") == 1)); }
scratches() { sql "SELECT count(*) FROM pg_database WHERE datname LIKE 'outbox\_rehearsal\_%'"; }

say "the whole chain, a million live jobs"
database_create "e2e_rehearse_$$"
before=$(scratches)
expect 0 '0005_delivery: as declared' rehearse "$outboxd" --all --rows 1000000
if grep -n 'NOT as declared\|PROBLEM' "$work/out"; then die 'something is not as declared'; fi
grep -q 'jobs SHARE ROW EXCLUSIVE' "$work/out" || die "it measured no locks: $(<"$work/out")"

say "nothing pending, then the next release's migrations"
migrate_up
expect 0 'nothing to rehearse' rehearse "$outboxd"
expect 0 '_next_breaking: as declared' rehearse "$OUTBOXD_NEXT" --rows 50000
grep -q 'scans outbox.jobs' "$work/out" || die "the way back reads every job, and that was not seen: $(<"$work/out")"
sql "INSERT INTO outbox.jobs (kind) SELECT 'k' FROM generate_series(1, 1000)" >/dev/null
expect 0 '"as_declared": true' rehearse "$OUTBOXD_NEXT" --source template --json
grep -q '"jobs": 1000' "$work/out" || die "it did not rehearse on a copy: $(<"$work/out")"
expect_sql 1000 'SELECT count(*) FROM outbox.jobs'
expect 0 '_next_expand: as declared' rehearse "$OUTBOXD_NEXT" --source restored
expect_sql 1000 'SELECT count(*) FROM outbox.jobs'
expect 0 'unknown to this program' "$outboxd" migrate status --url "$url"

say "what cannot be rehearsed is said"
expect 2 'expected synthetic, template or restored' rehearse "$outboxd" --source dump
psql -X -q -d "$url" -c 'SELECT pg_sleep(30)' >/dev/null 2>&1 &
other=$!
eventually 20 'the other session' other_session
expect 6 'is in use and cannot be copied' rehearse "$OUTBOXD_NEXT" --source template
kill "$other"
wait "$other" 2>/dev/null || true
[[ $(scratches) == "$before" ]] || die 'a scratch database is left'
