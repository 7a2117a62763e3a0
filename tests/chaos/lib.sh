# What every chaos scenario stands on: a private cluster with the application's tables, processors, a
# load that keeps its history, and the verdict. Sourced after scripts/lib.sh. A scenario is a file
# beside this one; scripts/chaos and scripts/test run it, with
#   CHAOS_LONG    empty: the short profile, seconds; else the long one
#   CHAOS_SEED, CHAOS_ROUNDS, CHAOS_RATE (jobs/s)    instead of the profile's
# and OUTBOX_BUILD_DIR, OUTBOX_SOURCE_DIR.
# shellcheck shell=bash disable=SC2034,SC2154  # what scenarios read; root

chaos=$(dirname "${BASH_SOURCE[0]}")
programs=${OUTBOX_BUILD_DIR:?}
outboxd=$programs/chaos_processor
server='' load=''
source "$chaos/../e2e/support/processor.sh"

seed=${CHAOS_SEED:-$((SRANDOM % 1000000))}
RANDOM=$seed
scenario=$(basename "$0" .sh)
cluster=chaos-$scenario-$$
started=$EPOCHREALTIME

# The short profile also runs under sanitizers, where all takes several times as long.
rounds=1 rate=300
profile() { # profile ROUNDS LONG_ROUNDS [RATE LONG_RATE]
  rounds=$1 rate=${3:-300}
  [[ -z ${CHAOS_LONG:-} ]] || rounds=$2 rate=${4:-1000}
  rounds=${CHAOS_ROUNDS:-$rounds} rate=${CHAOS_RATE:-$rate}
}

# chaos_begin [-o name=value]…: the cluster, the database, its tables. Heartbeats are quick, so that
# deaths by silence take a second.
heartbeat=200ms dead_after=1s poll=2s grace=5s concurrency=8
max_crashes=20 # a job that several faults hit must not end in the dead letters
chaos_begin() {
  trap 'chaos_end' EXIT
  say "seed $seed, $rounds rounds, $rate jobs/s"
  # The shell tells of every process that a signal ended; here that is what happens all the time.
  exec 2> >(trap '' INT TERM HUP && exec grep --line-buffered -vE ': line [0-9]+: +[0-9]+ (Killed|Aborted|Segmentation fault|Terminated) ' >&2)
  "$root/scripts/pg" -n "$cluster" "$@" up
  server=$("$root/scripts/pg" -n "$cluster" url)
  chaos_database chaos
}

chaos_database() { # chaos_database NAME
  database_create "$1"
  OUTBOXD=$outboxd migrate_up
  psql -X -q -v ON_ERROR_STOP=1 -d "$url" -f "$chaos/schema.sql"
  export CHAOS_URL=$app_url CHAOS_OUTSIDE=$work/outside.txt CHAOS_STARTS=$work/starts.txt
  : >>"$CHAOS_OUTSIDE" && : >>"$CHAOS_STARTS"
}

chaos_end() {
  local status=$?
  [[ -z $load ]] || kill -KILL "$load" 2>/dev/null || true
  if ((status != 0)); then
    note "seed $seed; what is left, and the last lines of the logs:"
    sql 'SELECT state, kind, count(*), min(id) FROM outbox.job_states GROUP BY 1, 2' >&2 || true
    tail -n 15 "$work"/*.log >&2 || true
  fi
  processors_kill
  "$root/scripts/pg" -n "$cluster" down || true
  if [[ -n ${CHAOS_KEEP:-} ]]; then note "files are in $work"; else rm -rf "$work"; fi
  return "$status"
}

configure() { # configure [URL, of the worker]: the configuration of the processors to come
  cat >"$config" <<YAML
database: {url: '${1:-$worker_url}', connect_timeout: 2s}
processor: {heartbeat: $heartbeat, dead_after: $dead_after, poll: $poll, grace: $grace, max_crashes: $max_crashes}
queues:
  default: {concurrency: $concurrency}
kinds:
  direct: {function: chaos.effect, lane: direct, backoff: {first: 50ms, cap: 500ms}}
  claimed: {function: chaos.effect, lane: claimed, backoff: {first: 50ms, cap: 500ms}}
  cpp: {timeout: 10s, backoff: {first: 50ms, cap: 500ms}}
  outside: {timeout: 10s, backoff: {first: 50ms, cap: 500ms}}
  segv: {timeout: 10s}
  abort: {timeout: 10s}
  hog: {timeout: 10s}
  loop: {timeout: 1s}
YAML
}

# What a supervisor does: those that have ended, or were never started, are started.
starts=0
keep_running() { # keep_running PROCESSOR…
  local name
  for name in "$@"; do
    [[ -z ${processors[$name]:-} ]] || ! kill -0 "${processors[$name]}" 2>/dev/null || continue
    [[ -z ${processors[$name]:-} ]] || wait "${processors[$name]}" 2>/dev/null || true
    "$outboxd" run --config "$config" >>"$(processor_log "$name")" 2>&1 </dev/null &
    processors[$name]=$!
    starts=$((starts + 1))
  done
}
keeps_running() { # keeps_running PROCESSOR: whether it is registered; starts it if it has ended
  keep_running "$1"
  [[ -n $(processor_id "$1") ]]
}

load_start() { # load_start [OPTIONS of chaos_load]
  "$programs/chaos_load" --history "$work/history.txt" --rate "$rate" --seed "$seed" "$@" >"$work/load.log" 2>&1 </dev/null &
  load=$!
}

load_stop() {
  kill -TERM "$load" 2>/dev/null || true
  wait "$load" || die "chaos_load failed: $(<"$work/load.log")"
  load=''
}

# place KIND MEMBERS: a job of the scenario's own; MEMBERS are added to its payload: ', "sleep": 5'.
placed=0
place() {
  placed=$((placed + 1))
  sql "SELECT chaos.place(99, '{$placed}', '{$1}', ARRAY['{\"p\": 99, \"s\": $placed$2}'])" >/dev/null
  say "99 $placed 1 ok" >>"$work/history.txt"
}

# pause LEAST MOST: a random time between two faults, in ms. Not a wait for anything.
pause() {
  local ms=$(($1 + ($2 - $1) * RANDOM / 32767))
  sleep "$((ms / 1000)).$(printf '%03d' $((ms % 1000)))"
}

pick() { # pick WORD…: one of them, into picked. In this shell: a subshell draws other numbers.
  local words=("$@")
  picked=${words[RANDOM % $#]}
}

# Jobs that a processor holds now: when they run again is measured by `again`.
hold() { # hold ROUND PROCESSOR_ID AT (seconds since 1970)
  sql "INSERT INTO chaos.held SELECT id, to_timestamp($3), $1 FROM outbox.jobs WHERE claimed_by = $2"
}

again() { # how long held jobs waited for their next start, in ms
  sql "SELECT format('%s held jobs ran again after p50 %s p99 %s max %s ms', count(*), percentile_disc(0.5) WITHIN GROUP (ORDER BY ms),
              percentile_disc(0.99) WITHIN GROUP (ORDER BY ms), max(ms))
         FROM (SELECT round(date_part('epoch', f.started_at - h.at) * 1000) AS ms
                 FROM chaos.held h JOIN outbox.finished_jobs f ON f.id = h.job_id WHERE f.started_at > h.at) w"
}

count_events() { # count_events EVENT: in the logs of all processors
  cat "$work"/processor-*.log | grep -c " $1 " || true
}

# Whether a handler may have started after its job's end: one that was paused, or could not reach the
# database, does not know yet that its jobs were taken over.
check_starts=''
# The processors end in order, nothing is left, and both sides of the history agree.
verdict() { # verdict PROCESSOR…: those that run
  local name
  eventually 120 "the queue to be empty" jobs_done
  for name in "$@"; do processor_stop "$name"; done
  CHAOS_URL=$url "$programs/chaos_check" --history "$work/history.txt" --outside "$CHAOS_OUTSIDE" ${check_starts:+--starts "$CHAOS_STARTS"} >"$work/verdict.txt" ||
    die "the promises do not hold: $(<"$work/verdict.txt")"
  say "$(paste -sd ' ' "$work/verdict.txt"), $(seconds_since "$started")"
}
