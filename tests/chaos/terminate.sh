#!/usr/bin/env bash
# Sessions of outboxd are terminated under load, one after the other; now and then a statement is
# cancelled instead. The kinds of sessions take equal shares, however many there are of each.
set -euo pipefail
source "${OUTBOX_SOURCE_DIR:?}/scripts/lib.sh"
source "$OUTBOX_SOURCE_DIR/tests/chaos/lib.sh"
source "$OUTBOX_SOURCE_DIR/tests/chaos/cluster.sh"

strike() { # strike terminate|cancel ROUND: a session of any kind; every other time one with a statement, if there is one
  sql "INSERT INTO chaos.strikes
       SELECT '$1', kind, state, pg_$1_backend(pid)
         FROM (SELECT * FROM (SELECT DISTINCT ON (kind) *
                                FROM (SELECT pid, state, regexp_replace(application_name, '^\S+ \S+ ', '') AS kind FROM pg_stat_activity
                                       WHERE application_name LIKE 'outboxd%' AND ('$1' = 'terminate' OR state <> 'idle')) s
                               ORDER BY kind, state = 'idle' AND $2 % 2 = 0, random()) k
                ORDER BY random() LIMIT 1) one"
}

struck() {
  sql "SELECT format('%s %s%s: %s', how, kind, CASE WHEN state = 'active' THEN ' in a statement' END, count(*))
         FROM chaos.strikes WHERE done GROUP BY how, kind, state = 'active', CASE WHEN state = 'active' THEN ' in a statement' END
        ORDER BY how DESC, kind" | paste -sd ';' | sed 's/;/; /g'
}

profile 20 200 300 1000
heartbeat=1s dead_after=10s
chaos_begin
sql 'CREATE TABLE chaos.strikes (how text, kind text, state text, done bool)'
configure
processor_start a
processor_start b
load_start
for ((round = 1; round <= rounds; ++round)); do
  pause 50 300
  how=terminate
  ((RANDOM % 8 > 0)) || how=cancel
  strike "$how" "$round"
  processors_live
done
load_stop
verdict a b
struck
say "marked dead: $(count_events marked_dead), fenced: $(count_events fenced)"
# Who cancels a handler's statement has its job fail.
charged_none "reason = 'timeout' AND sqlstate = '57014' AND EXISTS (SELECT FROM chaos.strikes WHERE how = 'cancel' AND done)"
