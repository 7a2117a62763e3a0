#!/usr/bin/env bash
# The ledger proof when one of two processors is killed in the middle of the load, and a third is
# started later, in either lane. Needs OUTBOX_TEST_PG (superuser's URL), OUTBOXD (the program) and
# OUTBOX_SOURCE_DIR.
set -euo pipefail
source "$OUTBOX_SOURCE_DIR/scripts/lib.sh"
source "$OUTBOX_SOURCE_DIR/tests/e2e/ledger/lib.sh"
trap 'ledger_drop; rm -rf "$work"' EXIT

holds_claims() { # stops processor $1 while it holds claims; false if it held none
  local claims
  processor_signal "$1" STOP
  claims=$(sql "SELECT count(*) FROM outbox.jobs WHERE claimed_by = $(processor_id "$1")")
  ((claims > 0)) || ! processor_signal "$1" CONT
}
worked() { (($(sql "SELECT count(*) FROM outbox.finished_jobs WHERE processor_id = $(processor_id "$1")") > 100)); }
was_marked_dead() { [[ $(sql 'SELECT count(*) FROM outbox.processors WHERE dead_at IS NOT NULL') == 1 ]]; }

survive() { # survive LANE
  say "lane $1"
  ledger_create "e2e_ledger_killed_$1_$$" 2 "$1"
  processor_start a
  processor_start b
  load_start 4 4
  eventually 20 "processor a to finish 100 jobs" worked a
  [[ $1 == direct ]] || eventually 10 "processor a to hold claims" holds_claims a
  processor_kill a
  eventually 10 "processor a to be marked dead" was_marked_dead
  processor_start c
  load_wait
  eventually 60 "the queue to be empty" jobs_done
  processor_stop b
  processor_stop c
  ledger_check
  [[ $1 == direct ]] || ((proof[rescued] > 0)) || die "expected rescued jobs"
  say "$committed jobs, ${proof[rescued]} of them rescued"
  ledger_drop
}

survive direct
survive claimed
