#!/usr/bin/env bash
# The ledger proof behind PgBouncer in transaction mode: no session locks and no LISTEN there, so
# heartbeats and polling do the work. Two processors, one of them killed. Needs OUTBOX_TEST_PG,
# OUTBOX_TEST_PG_TCP (superuser's URLs), OUTBOXD (the program) and OUTBOX_SOURCE_DIR.
set -euo pipefail
source "$OUTBOX_SOURCE_DIR/scripts/lib.sh"
source "$OUTBOX_SOURCE_DIR/tests/e2e/ledger/lib.sh"
source "$OUTBOX_SOURCE_DIR/tests/e2e/support/bouncer.sh"
finish() {
  processors_kill
  bouncer_stop
  ledger_drop
  rm -rf "$work"
}
trap finish EXIT
was_marked_dead() { [[ $(sql 'SELECT count(*) FROM outbox.processors WHERE dead_at IS NOT NULL') == 1 ]]; }

ledger_create "e2e_pooler_$$" 2
bouncer_start "${logins}_worker"
expect 0 'the schema is at version' "$outboxd" migrate status --url "$pooled"
sed -i 's|url: .*|url_env: OUTBOX_URL|' "$config"
export OUTBOX_URL=$pooled
cat >>"$config" <<YAML
processor: {heartbeat: 300ms, dead_after: 1500ms, poll: 50ms}
YAML
processor_start a
processor_start b
grep -q 'behind a transaction pooler' "$(processor_log a)" || die "expected a word about the pooler: $(<"$(processor_log a)")"
expect_sql 2 'SELECT count(*) FROM outbox.processors WHERE NOT session_lock'
load_start 5 4
eventually 20 "300 jobs to be finished" has_finished 300
processor_kill a
load_wait
eventually 60 "the queue to be empty" jobs_done
eventually 10 "processor a to be marked dead" was_marked_dead
expect_sql 'its heartbeat was late' "SELECT dead_reason FROM outbox.processors WHERE dead_at IS NOT NULL"
processor_stop b
ledger_check
expect_sql 0 "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database WHERE l.locktype = 'advisory' AND d.datname = current_database()"
say "$committed jobs behind a pooler"
