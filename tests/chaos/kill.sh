#!/usr/bin/env bash
# kill -9 of one of two processors, again and again, under load. Measured: when the jobs that it held
# ran again.
set -euo pipefail
source "${OUTBOX_SOURCE_DIR:?}/scripts/lib.sh"
source "$OUTBOX_SOURCE_DIR/tests/chaos/lib.sh"

profile 6 200 300 2000
heartbeat=1s dead_after=10s
chaos_begin
configure
processor_start a
processor_start b
load_start
for ((round = 1; round <= rounds; ++round)); do
  pause 300 1200
  pick a b && victim=$picked
  id=$(processor_id "$victim")
  at=$EPOCHREALTIME
  processor_kill "$victim"
  hold "$round" "$id" "$at"
  processor_start "$victim"
done
load_stop
verdict a b
again
