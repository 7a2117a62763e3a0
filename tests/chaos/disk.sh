#!/usr/bin/env bash
# The disk of the database is full for a while under load: with the WAL on it the server may stop, and is
# started once there is space; with only the database's tables on it (a tablespace) the server stays and
# refuses what needs space. Measured: when jobs finish again, and how often each loop tried meanwhile.
# Needs to mount a tmpfs; says so and succeeds if it may not.
set -euo pipefail
source "${OUTBOX_SOURCE_DIR:?}/scripts/lib.sh"
source "$OUTBOX_SOURCE_DIR/tests/chaos/lib.sh"
source "$OUTBOX_SOURCE_DIR/tests/chaos/cluster.sh"

space_mount() { # space_mount DIR MEGABYTES
  as_server mkdir -p "$1"
  mount -t tmpfs -o "size=${2}m,mode=700,uid=$(id -u "$node_user")" tmpfs "$1" 2>"$work/mount.log"
}

# Meanwhile jobs wait, else producers alone would meet the full disk: without space they bring no work.
nearly_full() { # nearly_full DIR
  quietly "$work/queue.log" "$outboxd" queues pause default --url "$operator_url" || die "outboxd queues pause failed, see above"
  pause 2000 3000
  fallocate -l "$(($(df --output=avail -B1 "$1" | tail -n 1) - 33554432))" "$1/filler"
  quietly "$work/queue.log" "$outboxd" queues resume default --url "$operator_url" || die "outboxd queues resume failed, see above"
}

# What the server frees is taken, too. keep_full DIR SECONDS [COMMAND…]: run again and again meanwhile
keep_full() {
  local end=$((SECONDS + $2))
  while ((SECONDS < end)); do
    cat /dev/zero >>"$1/filler" 2>/dev/null || true
    "${@:3}" >>"$work/full.log" 2>&1 || true
    sleep 0.2
  done
}

# Tries of each loop a second: lines of the log, and those that it held back. One a second is the aim;
# more are only right at the beginning. The rest is for a short outage.
tries() { # tries PROCESSOR SECONDS
  awk -v seconds="$2" -v runners="$concurrency" '
    / db_error / {
      where = $0; sub(/.* where="?/, "", where); sub(/"? fault=.*/, "", where)
      held = 0; if (match($0, / held_back=[0-9]+/)) held = substr($0, RSTART + 11, RLENGTH - 11)
      tried[where] += 1 + held
      ++lines
    }
    END {
      for (w in tried) {
        loops = w == "runner" ? runners : w ~ /^direct/ ? 2 : 1
        most = tried[w] / loops / seconds > most ? tried[w] / loops / seconds : most
        printf "%s %.1f, ", w, tried[w] / loops / seconds
      }
      printf "%.1f lines a second\n", lines / seconds
      exit most > 2
    }' "$(processor_log "$1")"
}

wal_on_disk() { # the whole server is on the small disk
  space=$nodes/a
  space_mount "$space" 600
  # No checkpoint, hence no old WAL file that serves again; and small ones.
  # shellcheck disable=SC2034  # for node_create
  local initdb_options=(--wal-segsize=1)
  node_create a 'max_wal_size = 1GB'
  node_start a
  server="postgresql:///postgres?host=$nodes/a&port=$node_port&user=postgres"
  chaos_database chaos
}

heap_on_disk() { # only the database's files are
  space=$nodes/space
  space_mount "$space" 200
  as_server mkdir "$space/tables"
  node_create b 'max_wal_size = 1GB'
  node_start b
  server="postgresql:///postgres?host=$nodes/b&port=$node_port&user=postgres"
  chaos_database chaos
  node_sql b "CREATE TABLESPACE small LOCATION '$space/tables'"
  node_sql b 'ALTER DATABASE chaos SET TABLESPACE small'
}

fill_once() { # fill_once ROUND WHAT NODE
  local what=$2 down
  pause 500 1500
  nearly_full "$space"
  keep_full "$space" $((full / 2))
  keep_full "$space" $((full / 2)) node_sql "$3" 'SELECT pg_switch_wal()' # what the WAL still had to write on
  if node_runs "$3"; then what+=', the server stayed'; else what+=', the server stopped'; fi
  down=$EPOCHREALTIME
  rm "$space/filler"
  node_runs "$3" || node_start "$3"
  writable "$1" "$what" "$down"
}

run() { # run WHAT NODE
  local round name tried hasty=''
  rm -f "$work"/{history,outside,starts}.txt # of another database
  "$1"
  outages_begin
  configure
  processor_start a
  processor_start b
  load_start
  for ((round = 1; round <= rounds; ++round)); do fill_once "$round" "$1" "$2"; done
  load_stop
  verdict a b
  resumed
  for name in a b; do
    tried=$(tries "$name" $((rounds * full))) || hasty=" of $name"
    say "tries each second while it was full, $name: $tried"
  done
  charged_none
  [[ -z $hasty ]] || die "loops$hasty tried too often, see above"
}

profile 1 1 300 1000
heartbeat=1s dead_after=10s
full=8 space=''
[[ -z ${CHAOS_LONG:-} ]] || full=60
nodes_begin
if ! space_mount "$nodes/a" 1; then
  say "skipped: no tmpfs can be mounted here: $(<"$work/mount.log")"
  exit 0
fi
umount "$nodes/a"
run wal_on_disk a
[[ -z ${CHAOS_LONG:-} ]] || run heap_on_disk b
