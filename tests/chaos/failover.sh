#!/usr/bin/env bash
# Failovers to a synchronous standby under load. The primary is killed, or stopped at once, and its standby
# promoted; or, a switchover, it turns read-only with all sockets open, and then comes back as a standby
# at its old address before there is a new primary. Measured: when jobs finish again after the promotion.
set -euo pipefail
source "${OUTBOX_SOURCE_DIR:?}/scripts/lib.sh"
source "$OUTBOX_SOURCE_DIR/tests/chaos/lib.sh"
source "$OUTBOX_SOURCE_DIR/tests/chaos/cluster.sh"

primary=a standby=b

base_backup() { # base_backup NODE: from the primary
  rm -rf "${nodes:?}/$1/data"
  as_server mkdir -p -m 700 "$nodes/$1"
  as_server "$bin/pg_basebackup" -D "$nodes/$1/data" -d "$(node_address "$primary")" -c fast >"$work/backup.log" 2>&1 ||
    die "pg_basebackup failed: $(<"$work/backup.log")"
}

follow() { # the standby's data are right: it starts as such
  as_server touch "$nodes/$standby/data/standby.signal"
  node_start "$standby" "$primary"
}

# The old primary may have what the new one never got. Children of a killed one may be there for a while.
rebuild() {
  local end=$((SECONDS + 20))
  node_sql "$primary" CHECKPOINT # pg_rewind looks for the new timeline there
  until rewinds; do
    sleep 0.2
    ((SECONDS < end)) || { note "pg_rewind: $(tail -n 1 "$work/rewind.log")" && base_backup "$standby" && break; }
  done
  follow
}

rewinds() {
  as_server "$bin/pg_rewind" -D "$nodes/$standby/data" --source-server="$(node_address "$primary") dbname=postgres" >"$work/rewind.log" 2>&1
}

# From here on no commit is acknowledged that the standby has not. A new session proves that the
# postmaster has told everybody of the setting, a checkpoint that the checkpointer, which rules over it
# for all, has listened; what was committed before that is in the position that the standby must reach.
synchronous() {
  local lsn
  node_sql "$primary" "ALTER SYSTEM SET synchronous_standby_names = '*'"
  node_sql "$primary" 'SELECT pg_reload_conf()' >/dev/null
  eventually 30 "the setting to be taken" node_says "$primary" '*' 'SHOW synchronous_standby_names'
  node_sql "$primary" CHECKPOINT
  lsn=$(node_sql "$primary" 'SELECT pg_current_wal_lsn()')
  eventually 120 "the standby to catch up, see $nodes/$standby.log" node_says "$primary" t \
    "SELECT EXISTS (SELECT FROM pg_stat_replication WHERE sync_state = 'sync' AND flush_lsn >= '$lsn')"
}

node_says() { [[ $(node_sql "$1" "$3") == "$2" ]]; } # node_says NODE VALUE QUERY

fail_over() { # fail_over kill|stop|switchover
  local postmaster
  postmaster=$(node_pid "$primary")
  case $1 in
    kill) kill -KILL "$postmaster" ;;
    stop) node_stop "$primary" immediate ;;
    switchover)
      node_sql "$primary" 'ALTER SYSTEM SET default_transaction_read_only = on'
      node_sql "$primary" 'SELECT pg_reload_conf()' >/dev/null
      pause 500 1500
      node_sql "$primary" 'ALTER SYSTEM RESET ALL' # for its next start
      node_stop "$primary" fast
      ;;
  esac
  [[ $primary == a ]] && primary=b standby=a || primary=a standby=b
  [[ $1 != switchover ]] || follow # it is no primary's yet
  down=$EPOCHREALTIME
  [[ $(node_sql "$primary" 'SELECT pg_promote()') == t ]] || die "$primary was not promoted, see $nodes/$primary.log"
}

# Every tenth round, and the second of a long run.
way() { # way ROUND: sets how
  local ways=(kill stop)
  how=${ways[$1 % 2]}
  [[ -z ${CHAOS_LONG:-} ]] || (($1 % 10 != 2)) || how=switchover
}

profile 2 20 200 600
heartbeat=1s dead_after=10s
nodes_begin
node_create a
node_start a
base_backup b
follow
server="postgresql:///postgres?host=$nodes/a,$nodes/b&port=$node_port&user=postgres&target_session_attrs=read-write"
chaos_database chaos
outages_begin
configure
processor_start a
processor_start b
load_start
for ((round = 1; round <= rounds; ++round)); do
  synchronous
  pause 300 1200
  way "$round"
  fail_over "$how"
  writable "$round" "$how" "$down"
  [[ $how == switchover ]] || rebuild
done
load_stop
verdict a b
resumed
charged_none
