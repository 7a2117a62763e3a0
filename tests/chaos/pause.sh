#!/usr/bin/env bash
# SIGSTOP of one of two processors for longer than dead_after, then SIGCONT: it wakes up with claims
# that others have taken over. Every finish that it still tries must be refused, and counted.
set -euo pipefail
source "${OUTBOX_SOURCE_DIR:?}/scripts/lib.sh"
source "$OUTBOX_SOURCE_DIR/tests/chaos/lib.sh"

marked_dead() { [[ $(sql "SELECT dead_at IS NOT NULL FROM outbox.processors WHERE id = $1") == t ]]; }
rescued() { [[ $(sql "SELECT count(*) FROM outbox.jobs WHERE claimed_by = $1") == 0 ]]; }
registered_anew() { [[ $(processor_id "$1") != "$2" ]]; }

profile 4 100
chaos_begin
configure
processor_start a
processor_start b
load_start --kinds cpp,outside,cpp,outside,direct,claimed
held=0
for ((round = 1; round <= rounds; ++round)); do
  pause 50 400
  pick a b && victim=$picked
  id=$(processor_id "$victim")
  at=$EPOCHREALTIME
  processor_signal "$victim" STOP
  hold "$round" "$id" "$at"
  eventually 10 "processor $id to be marked dead" marked_dead "$id"
  # One may be paused in the middle of a transaction of its own: the server ends that after 5 s.
  eventually 30 "the jobs of processor $id to be rescued" rescued "$id"
  pause 0 500
  processor_signal "$victim" CONT
  eventually 10 "processor $victim to register anew" registered_anew "$victim" "$id"
done
held=$(sql 'SELECT count(*) FROM chaos.held')
load_stop
verdict a b
again
say "$rounds pauses, $held jobs held: $(count_events stale_finish) stale finishes refused, $(count_events fenced) times fenced"
