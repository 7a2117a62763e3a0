#!/usr/bin/env bash
# The migrate commands as deploys and DBAs use them: up, down, by hand, killed, locked out, in odd databases.
# Needs OUTBOX_TEST_PG (superuser's URL), OUTBOXD (the program) and OUTBOX_SOURCE_DIR.
set -euo pipefail
source "$OUTBOX_SOURCE_DIR/scripts/lib.sh"

files=$OUTBOX_SOURCE_DIR/migrations
work=$(mktemp -d)
newest=$(printf '%s\n' "$files"/*.up.sql | tail -n 1)
newest=${newest##*/}
newest=$((10#${newest%%_*}))
pg_dump=$(pg_bindir)/pg_dump
databases=()
blocker=''
unset PGOPTIONS
export OUTBOX_DATABASE_URL=''

cleanup() {
  [[ -z $blocker ]] || kill "$blocker" 2>/dev/null || true
  local database
  for database in "${databases[@]}"; do
    psql -X -q "$OUTBOX_TEST_PG" -c "DROP DATABASE IF EXISTS $database WITH (FORCE)" || true
  done
  psql -X -q "$OUTBOX_TEST_PG" -c "DROP ROLE IF EXISTS e2e_owner_$$" 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT

use() { # use NAME [CREATE DATABASE options]: a new database for the next steps, in $url
  local database=e2e_migrate_$$_$1
  shift
  psql -X -q -v ON_ERROR_STOP=1 "$OUTBOX_TEST_PG" -c "CREATE DATABASE $database TEMPLATE template0 $*"
  databases+=("$database")
  url="$OUTBOX_TEST_PG&dbname=$database"
}
# shellcheck disable=SC2153
migrate() { "$OUTBOXD" migrate "$@" --url "$url"; }
sql() { psql -X -q -A -t -v ON_ERROR_STOP=1 "$url" -c "$1"; }
by_hand() { psql -X -q -v ON_ERROR_STOP=1 --single-transaction -d "$url" -f "$1"; }
# pg_dump, where the server is not newer than it; else the objects as outboxd lists them.
dump() {
  if ((server_version / 10000 <= pg_dump_version)); then
    "$pg_dump" -s -d "$url" | grep -v -e '^\\restrict' -e '^\\unrestrict' >"$work/$1"
  else
    migrate catalog >"$work/$1"
  fi
}
server_version=$(psql -X -A -t -d "$OUTBOX_TEST_PG" -c 'SHOW server_version_num')
pg_dump_version=$("$pg_dump" --version | sed 's/.* \([0-9]*\)\..*/\1/')
same() { cmp "$work/$1" "$work/$2" || { diff "$work/$1" "$work/$2" | head -n 40; die "$3"; }; }
expect() { # expect CODE TEXT COMMAND…: its exit code, and a text in what it prints
  local code=$1 text=$2 got=0
  shift 2
  "$@" >"$work/out" 2>&1 </dev/null || got=$?
  ((got == code)) || die "expected exit code $code, got $got: $*: $(cat "$work/out")"
  grep -qF -- "$text" "$work/out" || die "expected '$text' from: $*: $(cat "$work/out")"
}
eventually() { # eventually WHAT COMMAND…
  local what=$1 end=$((SECONDS + 20))
  shift
  until "$@"; do
    ((SECONDS < end)) || die "waited in vain: $what"
    sleep 0.05
  done
}
ledger_rows="SELECT string_agg(concat_ws(' ', version, name, min_reader), ', ' ORDER BY version) FROM outbox.schema_migrations"
ledger_texts="SELECT version, up_sha256, md5(up_sql), md5(down_sql), md5(verify_sql), md5(catalog) FROM outbox.schema_migrations ORDER BY version"
read_lock_held() { [[ $(sql "SELECT count(*) FROM pg_locks WHERE relation = 'outbox.jobs'::regclass AND mode = 'AccessShareLock' AND granted") == 1 ]]; }
waits_for_lock() { [[ $(sql "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'") != 0 ]]; }
block() { # holds outbox.jobs until unblock
  psql -X -q "$url" -c 'BEGIN; LOCK TABLE outbox.jobs; SELECT pg_sleep(120)' >/dev/null 2>&1 &
  blocker=$!
  eventually "the lock on outbox.jobs" blocked
}
blocked() { [[ $(sql "SELECT count(*) FROM pg_locks WHERE relation = 'outbox.jobs'::regclass AND mode = 'AccessExclusiveLock' AND granted") == 1 ]]; }
unblock() {
  sql "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks WHERE relation = 'outbox.jobs'::regclass AND mode = 'AccessExclusiveLock' AND granted" >/dev/null
  wait "$blocker" || true
  blocker=''
}

say "up, down to each version, and up again leave the same schema"
use steps
dump at_0
expect 3 'pending' migrate status --exit-code
for ((version = 1; version <= newest; version++)); do
  expect 0 "the schema is at version $version" migrate up --to "$version"
  dump "at_$version"
done
expect 0 'nothing to do' migrate up
expect 0 "the schema is at version $newest" migrate status --exit-code
for ((version = newest - 1; version >= 0; version--)); do
  expect 0 "the schema is at version $version" migrate down --to "$version"
  dump down
  same "at_$version" down "down to $version left something else than up to $version"
done
expect 0 'applied 0003_functions in ' migrate up
dump again
same "at_$newest" again 'down to 0 and up again left another schema'

say "the files run by hand with psql leave the same schema and ledger"
use by_hand
for file in "$files"/*.up.sql; do by_hand "$file"; done
dump by_hand
same "at_$newest" by_hand 'psql left another schema than outboxd'
ledger_by_hand=$(sql "$ledger_rows")
expect 0 'nothing to do' migrate up
expect 0 'by hand' migrate status
for file in "$files"/verify/*.sql; do by_hand "$file"; done
expect 0 "adopted: $newest" migrate adopt
expect 0 'adopted: 0' migrate adopt
! migrate status | grep 'by hand' || die 'adopted, and still by hand'
sql "$ledger_texts" >"$work/adopted"
for file in "$files"/*.up.sql; do
  if by_hand "$file" 2>/dev/null; then die "$file ran twice"; fi
done
for file in $(printf '%s\n' "$files"/*.down.sql | sort -r); do by_hand "$file"; done
dump by_hand
same at_0 by_hand 'psql did not roll everything back'
for file in "$files"/*.up.sql; do # careless calls change nothing
  if psql -X -q -v ON_ERROR_STOP=1 "$url" -f "$file" 2>/dev/null && [[ $file != *0001* ]]; then die "$file ran outside a transaction"; fi
  sql 'DROP SCHEMA IF EXISTS outbox CASCADE' 2>/dev/null
done

say "the printed script does the same, texts included, and leads back"
use script
"$OUTBOXD" migrate script --from 0 >"$work/up.sql"
psql -X -q "$url" -f "$work/up.sql"
dump script
same "at_$newest" script 'the script left another schema'
[[ $(sql "$ledger_rows") == "$ledger_by_hand" ]] || die 'the script left another ledger than the files'
sql "$ledger_texts" >"$work/scripted"
same adopted scripted 'the script kept other texts than adopting'
expect 0 'adopted: 0' migrate adopt
sql "SELECT outbox.enqueue('k')" >/dev/null
"$OUTBOXD" migrate script --from "$newest" --to 1 --down >"$work/down.sql"
if psql -X -q "$url" -f "$work/down.sql" 2>"$work/err"; then die 'the script lost a job'; fi
grep -q 'would discard 1 live' "$work/err" || die "expected a refusal: $(<"$work/err")"
"$OUTBOXD" migrate script --from 2 --to 0 --down --allow-data-loss >"$work/down.sql"
psql -X -q "$url" -f "$work/down.sql"
dump script
same at_0 script 'the script did not lead back'
expect 2 '--down' "$OUTBOXD" migrate script --from 3 --to 2

say "plan says what would be done, and changes nothing"
use plan
expect 0 'up   0002_jobs' migrate plan
expect 0 'CREATE TABLE outbox.jobs' migrate plan --sql
expect 0 '"clear": true' migrate plan --json
dump plan
same at_0 plan 'plan changed something'
migrate up >/dev/null
expect 0 'nothing to do' migrate plan
expect 0 'DATA LOST' migrate plan --to 1
expect 0 '"direction": "down"' migrate plan --to 1 --json

say "verify and adopt see what is not as it should be; redo runs the newest again"
use verify
expect 0 'nothing is applied' migrate verify
migrate up >/dev/null
expect 0 'ok' migrate verify
expect 0 "the schema is at version $newest" migrate redo
dump redo
same "at_$newest" redo 'redo left another schema'
sql 'DROP INDEX outbox.jobs_claim_idx'
expect 4 'FAILED' migrate verify
sql 'UPDATE outbox.schema_migrations SET up_sha256 = NULL'
expect 4 'is not as it should be' migrate adopt
migrate down --to 2 >/dev/null 2>&1 || true
expect 0 'the schema is at version 2' migrate status
sql "SET ROLE postgres; INSERT INTO outbox.jobs (kind) VALUES ('k')"
expect 6 'would discard 1 live' migrate redo

say "the ledger alone is enough to roll back, as README says"
use ledger
migrate up >/dev/null
sql "SELECT down_sql FROM outbox.schema_migrations WHERE version = $newest" >"$work/newest.down.sql"
by_hand "$work/newest.down.sql"
dump ledger
same "at_$((newest - 1))" ledger 'the way back from the ledger left something else'

say "losing data, a wrong version, a newer schema, a changed file and an unreachable server are told apart"
use refusals
migrate up >/dev/null
sql "SELECT outbox.enqueue('k')" >/dev/null
expect 6 'would discard 1 live, 0 dead and 0 finished jobs' migrate down --to 1
expect 0 'the schema is at version 1' migrate down --to 1 --allow-data-loss
expect 2 'there is no migration 9999' migrate up --to 9999
expect 2 '--to' migrate down
sql "UPDATE outbox.schema_migrations SET up_sha256 = 'x'"
expect 4 '0001_ledger in the database is not the one in this program' migrate up
expect 4 'DIFFERS' migrate status --exit-code
sql "UPDATE outbox.schema_migrations SET up_sha256 = NULL; INSERT INTO outbox.schema_migrations VALUES (99, 'future', 99)"
expect 8 'do not restart' migrate up
expect 8 'unknown to this program' migrate status --exit-code
expect 69 '' "$OUTBOXD" migrate status --url 'postgresql://127.0.0.1:1/none?connect_timeout=2'

say "killed in the middle, it is run again"
use killed
migrate up --to 2 >/dev/null
block
"$OUTBOXD" migrate up --url "$url" >/dev/null 2>&1 &
migrator=$!
eventually "the migrator to wait for the lock" waits_for_lock
kill -KILL "$migrator"
wait "$migrator" 2>/dev/null || true
expect 5 'needs a lock: still held by pid ' migrate up --lock-wait 5s # its session ends within lock_timeout
unblock
expect 0 'applied 0003_functions in ' migrate up
dump killed
same "at_$newest" killed 'a kill left another schema'

say "of four migrators at once one does each step and all succeed"
use four
pids=()
for i in 1 2 3 4; do
  migrate up >"$work/four_$i" 2>/dev/null &
  pids+=($!)
done
for pid in "${pids[@]}"; do wait "$pid" || die 'one of four migrators failed'; done
[[ $(cat "$work"/four_? | grep -c '^applied ') == "$newest" ]] || die "steps ran more than once: $(cat "$work"/four_?)"

say "an ordinary role, and a database that is not UTF-8"
psql -X -q "$OUTBOX_TEST_PG" -c "CREATE ROLE e2e_owner_$$ LOGIN"
use owned "OWNER e2e_owner_$$"
url="$url&user=e2e_owner_$$" # the last one counts
expect 0 "the schema is at version $newest" migrate up
[[ $(sql 'SELECT DISTINCT applied_by FROM outbox.schema_migrations') == "e2e_owner_$$" ]] || die 'another role migrated'
expect 0 'the schema is at version 0' migrate down --to 0
use latin "ENCODING LATIN1 LC_COLLATE 'C' LC_CTYPE 'C'"
expect 0 "the schema is at version $newest" migrate up
expect 0 'the schema is at version 0' migrate down --to 0

say "a schema that a DBA made, for a role that may not make one; it stays, empty"
use made
psql -X -q -v ON_ERROR_STOP=1 "$url" -c "REVOKE CREATE ON DATABASE $(sql 'SELECT current_database()') FROM PUBLIC; CREATE SCHEMA outbox AUTHORIZATION e2e_owner_$$"
url="$url&user=e2e_owner_$$"
expect 0 "the schema is at version $newest" migrate up
expect 0 'the schema is at version 0' migrate down --to 0
[[ $(sql "SELECT count(*) FROM pg_namespace WHERE nspname = 'outbox'") == 1 ]] || die 'the schema of the DBA is gone'

say "producers wait no longer than lock_timeout, however long the migrator must"
use producers
migrate up >/dev/null
psql -X -q "$url" -c 'BEGIN; SELECT count(*) FROM outbox.jobs; SELECT pg_sleep(8)' >/dev/null &
reader=$!
eventually 'the reader to hold its lock' read_lock_held
migrate down --to 2 --lock-wait 6s >/dev/null 2>"$work/down.err" &
migrator=$!
while kill -0 "$migrator" 2>/dev/null; do # 2 s is what a producer may have to wait, the rest is this machine's
  psql -X -q -v ON_ERROR_STOP=1 "$url" -c "SET statement_timeout = '3500ms'; INSERT INTO outbox.jobs (kind) VALUES ('k')" ||
    die 'a producer waited for longer than lock_timeout'
done
got=0
wait "$migrator" || got=$?
((got == 5)) || die "expected the migrator to give up with 5, got $got: $(<"$work/down.err")"
wait "$reader"

say "the catalogs and the table of README are what the migrations make"
"$OUTBOX_SOURCE_DIR/scripts/migrations" --check --program "$OUTBOXD"
