#!/usr/bin/env bash
# One fault after the other, of every kind that one machine can take, without waiting for the last one
# to be over: kills, pauses, stops, sessions ended, PostgreSQL restarted at once.
set -euo pipefail
source "${OUTBOX_SOURCE_DIR:?}/scripts/lib.sh"
source "$OUTBOX_SOURCE_DIR/tests/chaos/lib.sh"

profile 6 150 200 600
names=(a b c)
chaos_begin
configure
for name in "${names[@]}"; do processor_start "$name"; done
load_start

terminate() {
  sql "SELECT count(pg_terminate_backend(pid)) FROM (SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'outboxd%' ORDER BY random() LIMIT 2) s" >/dev/null
}
restart_server() {
  local data
  data=$(sql 'SHOW data_directory')
  kill -QUIT "$(head -n 1 "$data/postmaster.pid")" # as pg_ctl stop -m immediate
  "$root/scripts/pg" -n "$cluster" up
}
answers() { sql 'SELECT 1' >/dev/null 2>&1; }

declare -A done_=()
for ((round = 1; round <= rounds; ++round)); do
  pause 50 1000
  pick "${names[@]}" && victim=$picked
  pick kill kill pause stop terminate terminate server && fault=$picked
  done_[$fault]=$((${done_[$fault]:-0} + 1))
  case $fault in
    kill) processor_kill "$victim" ;;
    stop) processor_stop "$victim" ;;
    terminate) terminate ;;
    server) restart_server ;;
    pause)
      processor_signal "$victim" STOP
      pause 1000 2000
      processor_signal "$victim" CONT
      ;;
  esac
  eventually 30 "PostgreSQL to answer" answers
  [[ -n ${processors[$victim]:-} ]] || processor_start "$victim"
done
load_stop
verdict "${names[@]}"
for fault in "${!done_[@]}"; do say "$fault ${done_[$fault]}"; done | sort | paste -sd ' '
