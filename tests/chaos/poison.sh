#!/usr/bin/env bash
# A few jobs that take down whoever runs them, among many good ones: a segmentation fault, abort(), all
# the memory, and, in the long profile, a loop without end. Processors are started again when they end.
set -euo pipefail
source "${OUTBOX_SOURCE_DIR:?}/scripts/lib.sh"
source "$OUTBOX_SOURCE_DIR/tests/chaos/lib.sh"
ulimit -c 0

bad=(segv abort hog)
good=600
if [[ -n ${CHAOS_LONG:-} ]]; then
  bad=(segv abort hog loop segv abort hog loop segv abort)
  good=20000
fi
profile "${#bad[@]}" "${#bad[@]}"
max_crashes=3
chaos_begin
configure

# In their order: a part of the good ones, then a bad one.
part=$((good / ${#bad[@]})) first=1
for kind in "${bad[@]}"; do
  sql "SELECT chaos.place(1, array_agg(s), array_agg(('{direct,claimed,cpp,outside}'::text[])[1 + s % 4]), array_agg(format('{\"p\": 1, \"s\": %s}', s)))
         FROM generate_series($first, $first + $part - 1) s" >/dev/null
  sql "INSERT INTO outbox.jobs (kind) VALUES ('$kind')"
  say "1 $first $part ok" >>"$work/history.txt"
  first=$((first + part))
done

end=$((SECONDS + 600))
until jobs_done; do
  keep_running a b
  ((SECONDS < end)) || die "the jobs do not end: $(sql 'SELECT state, kind, count(*) FROM outbox.job_states GROUP BY 1, 2')"
  sleep 0.1
done
for name in a b; do eventually 10 "processor $name to register" keeps_running "$name"; done

expect_sql "${#bad[@]}" "SELECT count(*) FROM outbox.dead_jobs WHERE reason = 'crashes' AND crashes <= $max_crashes AND last_error <> ''"
most=$(sql 'SELECT max(crashes) FROM outbox.finished_jobs')
((most <= 1)) || die "a good job was charged $most crashes"
verdict a b
sql "SELECT format('%s: %s crashes, %s', kind, crashes, last_error) FROM outbox.dead_jobs ORDER BY id LIMIT 1"
say "${#bad[@]} poison jobs among $((part * ${#bad[@]})): processors were started $starts times; a good job was charged at most $most crash"
