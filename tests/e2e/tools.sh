#!/usr/bin/env bash
# Other people's tools run the exported migrations: dbmate (from the npm registry) up and back; the files for golang-migrate
# and Flyway through psql, one transaction a file, as those tools send them. All leave what outboxd leaves.
# Needs OUTBOX_TEST_PG (superuser's URL), OUTBOX_TEST_PG_TCP, OUTBOXD, OUTBOX_BUILD_DIR and OUTBOX_SOURCE_DIR.
set -euo pipefail
source "$OUTBOX_SOURCE_DIR/scripts/lib.sh"
source "$OUTBOX_SOURCE_DIR/tests/e2e/support/processor.sh"
trap 'database_drop; rm -rf "$work"' EXIT

tool=$OUTBOX_BUILD_DIR/node/dbmate
[[ -x $tool/node_modules/.bin/dbmate ]] || npm_install "$tool" dbmate@2.28.0
dbmate() { # dbmate COMMAND…
  local url="${OUTBOX_TEST_PG_TCP%/*}/$database?sslmode=disable"
  quietly "$work/dbmate.log" "$tool/node_modules/.bin/dbmate" --url "$url" --migrations-dir "$work/dbmate" \
    --migrations-table public.outbox_dbmate --no-dump-schema "$@" || die "dbmate $* failed, see above"
}
state() { # what a database holds, and what its ledger says
  "$outboxd" migrate catalog --url "$url"
  sql "SELECT version, name, min_reader, up_sha256, md5(up_sql), md5(down_sql), md5(verify_sql), md5(catalog)
         FROM outbox.schema_migrations ORDER BY version"
}
as_outboxd() { # as_outboxd WHAT: this database is as one that outboxd migrated
  state >"$work/state"
  cmp -s "$work/state" "$work/expected" || die "$1 left something else: $(diff "$work/expected" "$work/state" | head -n 20)"
  expect 0 'nothing to do' "$outboxd" migrate up --url "$url"
  expect 0 'ok' "$outboxd" migrate verify --url "$url"
}

database_plain "e2e_tools_$$_outboxd"
migrate_up
state >"$work/expected"
last=$(sql 'SELECT max(version) FROM outbox.schema_migrations')
database_drop

database_plain "e2e_tools_$$_dbmate"
expect 0 "wrote $last of $last files" "$outboxd" migrate export --format dbmate --dir "$work/dbmate"
expect 0 "wrote 0 of $last files" "$outboxd" migrate export --format dbmate --dir "$work/dbmate"
dbmate migrate
as_outboxd dbmate
sql "INSERT INTO outbox.jobs (kind) VALUES ('k')"
for ((version = last; version > 2; version--)); do dbmate rollback; done
if (dbmate rollback) 2>"$work/refused"; then die 'dbmate rolled a job back'; fi
grep -q 'would discard 1 live' "$work/refused" || die "expected a refusal: $(<"$work/refused")"
sql 'DELETE FROM outbox.jobs'
dbmate rollback
dbmate rollback
expect_sql '' "SELECT to_regnamespace('outbox')"
dbmate migrate
as_outboxd 'dbmate, again,'
echo 'changed' >>"$work/dbmate/0001_ledger.sql"
expect 6 'has another text' "$outboxd" migrate export --format dbmate --dir "$work/dbmate"
database_drop

for format in golang-migrate flyway; do
  up='*.up.sql' down='*.down.sql'
  [[ $format == golang-migrate ]] || up='V*.sql' down='U*.sql'
  database_plain "e2e_tools_$$_psql"
  "$outboxd" migrate export --format "$format" --dir "$work/$format" >/dev/null
  while read -r file; do psql -X -q -v ON_ERROR_STOP=1 -1 -d "$url" -f "$file" >/dev/null; done < <(find "$work/$format" -name "$up" | sort)
  as_outboxd "the files for $format"
  while read -r file; do psql -X -q -v ON_ERROR_STOP=1 -1 -d "$url" -f "$file"; done < <(find "$work/$format" -name "$down" | sort -r)
  expect_sql '' "SELECT to_regnamespace('outbox')"
  database_drop
done
expect 2 'expected dbmate, golang-migrate or flyway' "$outboxd" migrate export --format liquibase --dir "$work/none"
