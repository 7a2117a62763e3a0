#!/usr/bin/env bash
# Every fault point of the program with every fault: killed, an error, a stall, the connection cut.
# Each must be hit as often as the profile says, while another processor and the load go on.
# CHAOS_POINTS, CHAOS_ACTIONS: only these.
set -euo pipefail
source "${OUTBOX_SOURCE_DIR:?}/scripts/lib.sh"
source "$OUTBOX_SOURCE_DIR/tests/chaos/lib.sh"

mapfile -t points < <(grep -rhoP 'fault_point\("\K[a-z.]+' "$root/src" | sort -u)
[[ -z ${CHAOS_POINTS:-} ]] || read -ra points <<<"$CHAOS_POINTS"
read -ra actions <<<"${CHAOS_ACTIONS:-kill throw stall cut}"

profile 1 20 200 200
chaos_begin
configure
processor_start b
load_start
total=0

hits() { wc -l <"$hits"; }
enough() { (($(hits) >= rounds)); }

arm() { # arm POINT ACTION MOST: for the processors to be started
  local every=3 stall=300
  case $1 in
    settle.* | suspect.* | rescue.*) every=1 ;;
    heartbeat.*) every=2 stall=1500 ;; # longer than dead_after
  esac
  export OUTBOX_FAULT="$1:$2:$every:$3" OUTBOX_FAULT_STALL_MS=$stall OUTBOX_FAULT_LOG=$hits
}
disarm() { unset OUTBOX_FAULT; }

# What is rescued, and runs as a suspect, was held by a processor that died.
victim_dies() {
  [[ -n ${processors[c]:-} ]] || processor_start c
  pause 50 200
  processor_kill c
}
feed() {
  case $1 in
    suspect.* | rescue.*) victim_dies ;;
    *) sleep 0.05 ;;
  esac
}

killed() { # killed POINT: starts it again each time
  local status end
  while ! enough; do
    end=$((SECONDS + 60))
    arm "$1" kill 1
    "$outboxd" run --config "$config" >>"$(processor_log a)" 2>&1 </dev/null &
    processors[a]=$!
    disarm
    while kill -0 "${processors[a]}" 2>/dev/null; do
      feed "$1"
      ((SECONDS < end)) || die "point $1 was reached $(hits) times of $rounds with kill"
    done
    status=0
    wait "${processors[a]}" || status=$?
    ((status == 137)) || die "expected a kill at $1, got exit code $status"
    unset 'processors[a]'
  done
}

hit() { # hit POINT ACTION: one process takes all the hits
  local end=$((SECONDS + 90))
  arm "$1" "$2" "$rounds"
  processor_start a
  disarm
  until enough; do
    feed "$1"
    ((SECONDS < end)) || die "point $1 was reached $(hits) times of $rounds with $2"
  done
  processor_stop a
}

for point in "${points[@]}"; do
  line=''
  # Else the other processor would rescue and run most of them.
  [[ $point != suspect.* && $point != rescue.* ]] || processor_stop b
  for action in "${actions[@]}"; do
    [[ $action != cut || $point != external.* ]] || continue # no connection there
    hits=$work/hits-$point-$action.txt
    : >"$hits"
    if [[ $action == kill ]]; then killed "$point"; else hit "$point" "$action"; fi
    line+=" $action $(hits)"
    total=$((total + $(hits)))
  done
  [[ -z ${processors[c]:-} ]] || processor_stop c
  [[ -n ${processors[b]:-} ]] || processor_start b
  say "$point:$line"
done
load_stop
verdict b
say "${#points[@]} points, $total faults"
