#!/usr/bin/env bash
# Upgrades and rollbacks under load, in both orders: this release and the next one (outboxd_next, see tests/next) side by
# side, the schema first and the program first, a rollback by the older program, and a migration that shuts the older one out.
# Nothing may be lost or doubled. Needs OUTBOX_TEST_PG (superuser's URL), OUTBOXD, OUTBOXD_NEXT and OUTBOX_SOURCE_DIR.
set -euo pipefail
source "$OUTBOX_SOURCE_DIR/scripts/lib.sh"
source "$OUTBOX_SOURCE_DIR/tests/e2e/ledger/lib.sh"
trap 'ledger_drop; rm -rf "$work"' EXIT

next=$OUTBOXD_NEXT
ledger_create "e2e_upgrade_$$" 2
here=$(sql 'SELECT max(version) FROM outbox.schema_migrations')
expand=$((here + 1)) breaking=$((here + 2))
at() { expect_sql "$1" 'SELECT max(version) FROM outbox.schema_migrations'; }
works() { # works NAME: it finishes a job that nobody had finished before
  local id before
  id=$(processor_id "$1")
  before=$(sql "SELECT count(*) FROM outbox.finished_jobs WHERE processor_id = $id")
  eventually 30 "processor $1 to work" finished_more "$id" "$before"
}
finished_more() { (($(sql "SELECT count(*) FROM outbox.finished_jobs WHERE processor_id = $1") > $2)); }
migrate() { # migrate PROGRAM ARGUMENT…
  local program=$1
  shift
  "$program" migrate "$@" --url "$migrator_url"
}
migrator_url=${migrator_url:-$url}

load_start 30 2
processor_start old
works old

say "the schema first: the older program goes on, and the next one starts beside it"
expect 0 "the schema is at version $expand" migrate "$next" up --to "$expand"
works old
processor_start new "$next"
works new

say "the older program rolls back what it does not contain, while both work"
expect 0 "the schema is at version $here" migrate "$outboxd" down --to "$here"
at "$here"
works old
works new

say "the program first: the next one works on the older schema, which then follows"
processor_stop old
works new
expect 0 "the schema is at version $expand" migrate "$next" up --to "$expand"
works new

say "the older program again, beside the newer schema"
processor_start old
works old

say "a migration that shuts it out is refused, and says who is in the way"
expect 7 "could not live with schema $breaking" migrate "$next" up
grep -qF "$(sql "SELECT name FROM outbox.processors WHERE id = $(processor_id old)")" "$work/out" || die "it does not say who: $(<"$work/out")"
at "$expand"
expect 0 'CANNOT live with the result' migrate "$next" plan

say "forced, the older program drains and stops by itself; the next one works on"
expect 0 "the schema is at version $breaking" migrate "$next" up --force
processor_wait old 8
grep -qF 'do not restart' "$(processor_log old)" || die "it does not say why it stopped: $(tail -n 5 "$(processor_log old)")"
works new
expect 8 'do not restart' "$outboxd" run --config "$config"
expect 8 'do not restart' migrate "$outboxd" up

say "rolled back by the older program, it starts again"
expect 0 "the schema is at version $here" migrate "$outboxd" down --to "$here"
processor_start old
works old
works new

load_wait
eventually 60 "the queue to be empty" jobs_done
processor_stop old
processor_stop new
ledger_check
expect_sql 'up down up up down down' "SELECT string_agg(direction, ' ' ORDER BY id) FROM outbox.schema_changes WHERE version > $here"
say "$committed jobs, each with one effect"
