#!/usr/bin/env bash
# Memory stays bounded whatever the payloads: hundreds of jobs of a megabyte each, in every lane.
set -euo pipefail
source "${OUTBOX_SOURCE_DIR:?}/scripts/lib.sh"
source "$OUTBOX_SOURCE_DIR/tests/chaos/lib.sh"

profile 64 1000
chaos_begin
configure
sql "INSERT INTO chaos.business SELECT 1, s, s, (ARRAY['direct', 'claimed', 'cpp', 'outside'])[1 + s % 4] FROM generate_series(1, $rounds) s"
sql "INSERT INTO outbox.jobs (id, kind, payload) OVERRIDING SYSTEM VALUE
     SELECT job_id, kind, jsonb_build_object('p', 1, 's', seq, 'fail', 0, 'x', (SELECT string_agg(md5(random()::text), '') FROM generate_series(1, 32000 + seq % 2)))
       FROM chaos.business"
say "1 1 $rounds ok" >>"$work/history.txt"
processor_start a
eventually 120 "the queue to be empty" jobs_done
peak=$(awk '/VmHWM/ { print int($2 / 1024) }' "/proc/${processors[a]}/status")
verdict a
say "$rounds jobs of 1 MB with $concurrency runners: at most $peak MB of memory"
# Eight runners with a few copies of a megabyte each; sanitizers keep what is freed.
[[ $OUTBOX_BUILD_DIR == *san ]] || ((peak < 120)) || die "that is too much"
