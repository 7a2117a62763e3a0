#!/usr/bin/env bash
# The ledger proof with two processors at once. Needs OUTBOX_TEST_PG (superuser's URL), OUTBOXD (the
# program) and OUTBOX_SOURCE_DIR.
set -euo pipefail
source "$OUTBOX_SOURCE_DIR/scripts/lib.sh"
source "$OUTBOX_SOURCE_DIR/tests/e2e/ledger/lib.sh"
trap 'ledger_drop; rm -rf "$work"' EXIT

ledger_create "e2e_ledger_two_$$" 2
processor_start a
processor_start b
load_start 4 4
load_wait
eventually 60 "the queue to be empty" jobs_done
processor_stop a
processor_stop b
ledger_check
[[ $(sql 'SELECT count(DISTINCT processor_id) FROM outbox.finished_jobs') == 2 ]] || die "expected both processors to have worked"
say "$committed jobs"
