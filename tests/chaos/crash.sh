#!/usr/bin/env bash
# PostgreSQL crashes under load, again and again: it is stopped at once, its postmaster is killed, or one
# of the backends that serve outboxd is, so that it restarts by itself. The processors stay. Measured:
# when jobs finish again after the server takes writes.
set -euo pipefail
source "${OUTBOX_SOURCE_DIR:?}/scripts/lib.sh"
source "$OUTBOX_SOURCE_DIR/tests/chaos/lib.sh"
source "$OUTBOX_SOURCE_DIR/tests/chaos/cluster.sh"

# A session that does nothing: it ends when the server has begun to crash.
witness=''
witness_start() {
  PGAPPNAME=witness sql 'SELECT pg_sleep(3600)' >"$work/witness.log" 2>&1 </dev/null &
  witness=$!
  eventually 30 "the witness to connect" witness_connected
}
witness_connected() { [[ $(sql "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'witness'") == 1 ]]; }

kill_backend() { # one that is just leaving does not count
  kill -KILL "$(sql "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'outboxd%' ORDER BY random() LIMIT 1")" 2>/dev/null
}

crash() { # crash HOW
  local postmaster
  postmaster=$(head -n 1 "$data/postmaster.pid")
  case $1 in
    stop) kill -QUIT "$postmaster" ;; # what pg_ctl stop -m immediate sends
    kill) kill -KILL "$postmaster" ;;
    backend) eventually 30 "a backend to kill" kill_backend ;;
  esac
  wait "$witness" || true
  down=$EPOCHREALTIME
  [[ $1 != backend ]] || return 0
  eventually 30 "the server to go" gone "$postmaster"
  down=$EPOCHREALTIME
  "$root/scripts/pg" -n "$cluster" up
}

profile 3 50 300 1000
heartbeat=1s dead_after=10s
chaos_begin
outages_begin
data=$(sql 'SHOW data_directory')
configure
processor_start a
processor_start b
load_start
ways=(stop kill backend)
first=$RANDOM
for ((round = 1; round <= rounds; ++round)); do
  witness_start
  pause 300 1200
  how=${ways[(first + round) % ${#ways[@]}]}
  crash "$how"
  writable "$round" "$how" "$down"
done
load_stop
verdict a b
resumed
charged_none
