#!/usr/bin/env bash
# The ledger proof with the processor started before, during and after the load, in turn. Needs
# OUTBOX_TEST_PG (superuser's URL), OUTBOXD (the program) and OUTBOX_SOURCE_DIR.
set -euo pipefail
source "$OUTBOX_SOURCE_DIR/scripts/lib.sh"
source "$OUTBOX_SOURCE_DIR/tests/e2e/ledger/lib.sh"
trap 'ledger_drop; rm -rf "$work"' EXIT

ledger_create "e2e_ledger_starts_$$" 2
total=0

prove() { # the counts of the three loads add up
  [[ -z $bench ]] || load_wait
  eventually 60 "the queue to be empty" jobs_done
  processor_stop p
  committed=$((total + committed))
  ledger_check
  total=$committed
}

say "started before the load"
processor_start p
load_start 2 4
prove

say "started in the middle of the load"
load_start 3 4
eventually 10 "half a thousand jobs to wait" has_waiting 500
processor_start p
prove

say "started after the load"
load_start 2 4
load_wait
has_waiting 500 || die "expected the jobs to wait for a processor"
processor_start p
prove
say "$total jobs"
