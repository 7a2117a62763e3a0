#!/usr/bin/env bash
# The doctor as people and CI run it: exit codes, JSON, a fix given to psql, a configuration file, no server, no schema,
# a pooler in between. Needs OUTBOX_TEST_PG, OUTBOX_TEST_PG_TCP (superuser's URLs), OUTBOXD (the program) and
# OUTBOX_SOURCE_DIR.
set -euo pipefail
source "$OUTBOX_SOURCE_DIR/scripts/lib.sh"
source "$OUTBOX_SOURCE_DIR/tests/e2e/support/processor.sh"
source "$OUTBOX_SOURCE_DIR/tests/e2e/support/bouncer.sh"
finish() {
  bouncer_stop
  database_drop
  rm -rf "$work"
}
trap finish EXIT
unset OUTBOX_CONFIG OUTBOX_URL

doctor() { "$outboxd" doctor "$@"; }

# found VALUE QUERY: QUERY over the last --json output, as the column doc.
found() {
  local got
  got=$(psql -X -q -At -v ON_ERROR_STOP=1 -d "$url" -v doc="$(<"$work/out")" <<<"SELECT $2 FROM (SELECT :'doc'::jsonb AS doc) d")
  [[ $got == "$1" ]] || die "expected '$1', got '$got': $2"
}

database_create "e2e_doctor_$$"
expect 4 'outboxd migrate up' doctor --url "$url"
migrate_up

expect 0 ' 0 problems, 0 skipped' doctor --url "$url" --strict
expect 0 '"healthy": true' doctor --url "$url" --json
found '0 0' "(doc->>'warnings') || ' ' || (doc->>'problems')"
found 't' "jsonb_array_length(doc->'findings') > 20"

sql 'ALTER TABLE outbox.jobs DISABLE TRIGGER jobs_inserted'
expect 0 'warning triggers     trigger jobs_inserted on outbox.jobs is disabled' doctor --url "$url"
expect 4 '1 warnings, 0 problems' doctor --url "$url" --strict
expect 4 '"healthy": false' doctor --url "$url" --strict --json
sql 'DROP INDEX outbox.dead_jobs_died_at_idx'
expect 4 'CREATE INDEX CONCURRENTLY dead_jobs_died_at_idx' doctor --url "$url"
# Every fix of the document, one psql each.
expect 4 '"drift"' doctor --url "$url" --json
while IFS= read -r -d '' fix; do
  psql -X -q -v ON_ERROR_STOP=1 -d "$url" <<<"$fix"
done < <(psql -X -q -At -0 -d "$url" -v doc="$(<"$work/out")" \
  <<<"SELECT f->>'fix' FROM jsonb_array_elements((:'doc'::jsonb)->'findings') f WHERE f->>'status' IN ('warning', 'problem')")
expect 0 ' 0 warnings, 0 problems, 0 skipped' doctor --url "$url" --strict

# The file names a processor's connection: its role is judged as well.
printf "database:\n  url: '%s'\nkinds: {}\n" "$url" >"$config"
expect 0 'warning login        processors run as' doctor --config "$config"

expect 69 'hint: check that the server runs' doctor --url "postgresql://127.0.0.1:1/none?connect_timeout=2"
expect 2 'no database is named' doctor

# Transactions of others in between: nothing of ours may stay on a connection of the pool.
bouncer_start
expect 0 'warning pooler       a pooler stands between' doctor --url "$pooled"
grep -q '^skipped notify' "$work/out" || die "expected notify to be skipped: $(<"$work/out")"
expect_sql 0 "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database WHERE l.locktype = 'advisory' AND d.datname = current_database()"
[[ $(psql -X -q -At -d "$pooled" -c 'SHOW default_transaction_read_only') == off ]] || die "the pool's connection was left read-only"
say "the doctor's findings, codes and fixes are as they should be"
