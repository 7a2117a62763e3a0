#!/usr/bin/env bash
# The wall clocks of both processors jump, in opposite directions, by 5 minutes or an hour, under load
# and, every other round, while they have nothing to do but wait for jobs that are due in a second or
# two. The database's clock is the only one that counts: nobody dies, nothing expires. Measured: how
# late scheduled jobs ran. Needs the package faketime, whose library makes the clocks jump.
set -euo pipefail
source "${OUTBOX_SOURCE_DIR:?}/scripts/lib.sh"
source "$OUTBOX_SOURCE_DIR/tests/chaos/lib.sh"

library_find() {
  library=$(compgen -G '/usr/lib/*/faketime/libfaketimeMT.so.1') || die "libfaketime not found. hint: scripts/setup"
  if ldd "$outboxd" | grep -q 'lib[at]san'; then
    note "skipped: a sanitizer and libfaketime do not get along"
    exit 0
  fi
}

jump() { # jump PROCESSOR OFFSET: a file of half an offset must not be seen
  say "$2" >"$work/offset"
  mv "$work/offset" "$work/clock-$1"
}

opposite() { if [[ $1 == -* ]]; then say "+${1#-}"; else say "-${1#+}"; fi; }

# The monotonic clock goes on undisturbed, as it does when a real clock is set.
start_with_clock() { # start_with_clock PROCESSOR
  jump "$1" +0
  {
    say '#!/bin/sh'
    say "export LD_PRELOAD=$library FAKETIME_TIMESTAMP_FILE=$work/clock-$1 FAKETIME_NO_CACHE=1 FAKETIME_DONT_FAKE_MONOTONIC=1"
    say "exec '$outboxd' \"\$@\""
  } >"$work/with-clock-$1"
  chmod +x "$work/with-clock-$1"
  processor_start "$1" "$work/with-clock-$1"
}

# Jobs that are due in 1 to 2 s and expire 30 s later. Their producer, 100, has a history too.
scheduled=0
place_scheduled_jobs() {
  local first=$((scheduled + 1)) count=20
  scheduled=$((scheduled + count))
  sql "WITH given AS MATERIALIZED (
         SELECT nextval(pg_get_serial_sequence('outbox.jobs', 'id')) AS id, s, (ARRAY['direct', 'claimed', 'cpp'])[1 + s % 3] AS k,
                clock_timestamp() + interval '1 s' * (1 + random()) AS due
           FROM generate_series($first, $scheduled) s),
       job AS (
         INSERT INTO outbox.jobs (id, kind, payload, run_at, expires_at) OVERRIDING SYSTEM VALUE
         SELECT id, k, jsonb_build_object('p', 100, 's', s), due, due + interval '30 s' FROM given)
       INSERT INTO chaos.business SELECT 100, s, id, k FROM given"
  say "100 $first $count ok" >>"$work/history.txt"
}

# Seconds pass between the lines of a log, not minutes; backwards only by a clock that jumped.
times_backwards() { awk 'FNR == 1 { last = "" } { now = substr($1, 1, 16) } now < last { ++n } { last = now } END { print n + 0 }' "$@"; }

nobody_suffered() {
  local event jumps
  for event in marked_dead fenced rescued dead stale_finish db_error; do
    (($(count_events "$event") == 0)) || die "a clock that jumps must not matter: $(grep -h -m 3 " $event " "$work"/processor-*.log)"
  done
  jumps=$(times_backwards "$work"/processor-*.log)
  ((jumps > 0)) || die "the clocks of the processors did not jump"
  say "$rounds jumps of two clocks, $jumps times backwards in the logs"
}

lateness() {
  local early
  sql "SELECT format('%s scheduled jobs ran late by p50 %s p99 %s max %s ms', count(*), percentile_disc(0.5) WITHIN GROUP (ORDER BY ms),
              percentile_disc(0.99) WITHIN GROUP (ORDER BY ms), max(ms))
         FROM (SELECT round(date_part('epoch', e.at - f.run_at) * 1000) AS ms
                 FROM chaos.effects e JOIN outbox.finished_jobs f ON f.id = e.job_id WHERE e.producer = 100) l"
  early=$(sql 'SELECT count(*) FROM chaos.effects e JOIN outbox.finished_jobs f ON f.id = e.job_id
                WHERE e.producer = 100 AND e.at < f.run_at')
  ((early == 0)) || die "$early scheduled jobs ran too early"
}

profile 2 20 300 600
heartbeat=300ms dead_after=3s
library_find
chaos_begin
configure
start_with_clock a
start_with_clock b
load_start
picked=+0
for ((round = 1; round <= rounds; ++round)); do
  place_scheduled_jobs
  pause 200 800
  previous=$picked
  while [[ $picked == "$previous" ]]; do pick +5m -5m +1h -1h; done
  jump a "$picked"
  jump b "$(opposite "$picked")"
  ((round % 2 == 1)) || kill -STOP "$load"
  pause 2000 4000 # long enough for a heartbeat that hangs to be missed
  kill -CONT "$load"
done
load_stop
expect_sql 0 'SELECT count(*) FROM outbox.processors WHERE dead_at IS NOT NULL'
verdict a b
nobody_suffered
lateness
