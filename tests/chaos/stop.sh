#!/usr/bin/env bash
# SIGTERM of one of two processors under load, some of whose handlers take longer than the grace time
# and do not look at their stop token. It must end in grace + 1 s with exit code 0, and leave nothing
# to rescue.
set -euo pipefail
source "${OUTBOX_SOURCE_DIR:?}/scripts/lib.sh"
source "$OUTBOX_SOURCE_DIR/tests/chaos/lib.sh"

profile 5 200 300 500
grace=500ms
chaos_begin
configure
processor_start a
processor_start b
load_start
slowest=0
for ((round = 1; round <= rounds; ++round)); do
  for kind in cpp outside; do place "$kind" ", \"sleep\": $((100 + RANDOM % 1500))"; done
  pause 100 600
  pick a b && victim=$picked
  id=$(processor_id "$victim")
  at=${EPOCHREALTIME/./}
  processor_stop "$victim" # dies unless the exit code is 0
  took=$(((${EPOCHREALTIME/./} - at) / 1000))
  ((took <= slowest)) || slowest=$took
  left=$(sql "SELECT count(*) FROM outbox.jobs WHERE claimed_by = $id")
  ((left == 0)) || die "processor $id left $left claimed jobs"
  [[ -z $(sql "SELECT id FROM outbox.processors WHERE id = $id") ]] || die "processor $id left its row"
  processor_start "$victim"
done
load_stop
verdict a b
say "$rounds stops, the slowest took $slowest ms with a grace time of $grace"
