#!/usr/bin/env bash
# Lost wake-ups: jobs at random moments around falling asleep, some in transactions that stay open. The
# poll interval is 30 s, so a wake-up that is lost shows as a wait of seconds. Several databases with a
# processor each, because a busy one never sleeps.
set -euo pipefail
source "${OUTBOX_SOURCE_DIR:?}/scripts/lib.sh"
source "$OUTBOX_SOURCE_DIR/tests/chaos/lib.sh"

profile 1500 100000
poll=30s concurrency=2
chaos_begin
urls=() names=()
for name in one two three four five six; do
  chaos_database "$name"
  sql 'CREATE TABLE chaos.sent (job_id bigint, at timestamptz)'
  configure
  processor_start "$name"
  urls+=("$app_url") names+=("$name")
done
"$programs/chaos_wake" --count "$rounds" --seed "$seed" "${urls[@]}" || die "chaos_wake failed"

for i in "${!names[@]}"; do
  url="$server&dbname=${names[i]}"
  eventually 60 "the queue of ${names[i]} to be empty" jobs_done
  sql "SELECT coalesce(round(extract(epoch FROM e.at - s.at) * 1000, 1)::text, 'lost') FROM chaos.sent s LEFT JOIN chaos.effects e USING (job_id)" >>"$work/waits.txt"
  processor_stop "${names[i]}"
done
sort -n "$work/waits.txt" | awk -v asked="$rounds" -v seed="$seed" '
  $1 == "lost" { ++lost; next }
  { wait[++n] = $1; if ($1 > 50) ++late; if ($1 > 1000) ++missed }
  END {
    printf "%d jobs, from COMMIT to effect: p50 %s p99 %s p99.9 %s max %s ms; above 50 ms: %d; woken by nobody: %d; without effect: %d\n",
      n, wait[int(n * 0.5)], wait[int(n * 0.99)], wait[int(n * 0.999)], wait[n], late, missed, lost
    exit n < asked || lost || missed
  }' || die "wake-ups were lost"
say "$(seconds_since "$started")"
