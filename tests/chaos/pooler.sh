#!/usr/bin/env bash
# Two processors behind PgBouncer in transaction mode, which is killed, restarted or paused at random,
# as is one of the processors; the load goes past it. Nothing of a session may be left on a server
# connection. Measured: how long after each fault jobs were finished again, and when the jobs that a
# killed processor held ran again.
set -euo pipefail
source "${OUTBOX_SOURCE_DIR:?}/scripts/lib.sh"
source "$OUTBOX_SOURCE_DIR/tests/chaos/lib.sh"

pool=6 # fewer than the processors have connections: transactions take turns
pooled='' console=''

pooler_configure() {
  local tcp
  tcp=$("$root/scripts/pg" -n "$cluster" url --tcp)
  login_passwords "$tcp" "$work/users"
  [[ $tcp =~ @([^:]+):([0-9]+)/ ]]
  cat >"$work/pgbouncer.ini" <<INI
[databases]
* = host=${BASH_REMATCH[1]} port=${BASH_REMATCH[2]}
[pgbouncer]
pool_mode = transaction
default_pool_size = $pool
auth_type = trust
auth_file = $work/users
admin_users = postgres
listen_addr =
listen_port = 6432
unix_socket_dir = $work
INI
  ((EUID != 0)) || chown nobody "$work"
  pooled="postgresql://${logins}_worker@/$database?host=${work//\//%2F}&port=6432"
  console="postgresql://postgres@/pgbouncer?host=${work//\//%2F}&port=6432"
}

pooler_answers() { psql -X -q -d "$pooled" -c 'SELECT 1' >"$work/out" 2>&1; }

# It is among the processors, so that whatever ends this script ends it too.
pooler_start() {
  local login=()
  ((EUID != 0)) || login=(setpriv --reuid nobody --regid nogroup --clear-groups)
  "${login[@]}" pgbouncer -q "$work/pgbouncer.ini" >>"$work/pgbouncer.log" 2>&1 </dev/null &
  processors[pooler]=$!
  eventually 10 "PgBouncer to answer, see $work/pgbouncer.log" pooler_answers
}

pooler_end() { # pooler_end SIGNAL
  processor_signal pooler "$1"
  wait "${processors[pooler]}" 2>/dev/null || true # its exit code depends on its version
  unset 'processors[pooler]'
}

# Handlers for the kill to meet at work. Their producer, 100, has a history too.
slow=0
place_slow_jobs() {
  local first=$((slow + 1)) count=8
  slow=$((slow + count))
  sql "SELECT chaos.place(100, array_agg(s), array_agg('cpp'::text), array_agg(format('{\"p\": 100, \"s\": %s, \"sleep\": 100}', s)))
         FROM generate_series($first, $slow) s" >/dev/null
  say "100 $first $count ok" >>"$work/history.txt"
}

held_ran() { [[ $(sql 'SELECT EXISTS (SELECT FROM outbox.jobs j JOIN chaos.held h ON h.job_id = j.id)') == f ]]; }

kill_one() { # kill_one ROUND: and nothing else happens until its jobs have run
  local victim id at
  pick a b && victim=$picked
  id=$(processor_id "$victim")
  place_slow_jobs
  pause 10 60
  at=$EPOCHREALTIME
  processor_kill "$victim"
  hold "$1" "$id" "$at"
  eventually 30 "processor $victim to register" keeps_running "$victim"
  eventually 90 "the jobs that processor $id held to run" held_ran
}

fault() { # fault ROUND WHAT
  case $2 in
    killed)
      pooler_end KILL
      pooler_start
      ;;
    terminated)
      pooler_end TERM
      pooler_start
      ;;
    paused)
      psql -X -q -d "$console" -c PAUSE
      pause 1000 3000
      psql -X -q -d "$console" -c RESUME
      ;;
    processor) kill_one "$1" ;;
  esac
  sql "INSERT INTO chaos.faults VALUES ('$2')"
}

# What PgBouncer would hand on to its next client: every server connection is held until each has been
# looked at. The settings that may differ are those that PgBouncer keeps for its clients.
nothing_left() {
  local i looks=()
  for ((i = 0; i < pool; ++i)); do
    psql -X -q -A -t -d "$pooled" -c BEGIN -c "
      SELECT 'listens to ' || c FROM pg_listening_channels() c
      UNION ALL SELECT 'statement ' || name FROM pg_prepared_statements
      UNION ALL SELECT 'lock ' || objid FROM pg_locks WHERE locktype = 'advisory'
      UNION ALL SELECT 'function ' || proname FROM pg_proc WHERE pronamespace = pg_my_temp_schema()
      UNION ALL SELECT 'setting ' || name FROM pg_settings WHERE source = 'session' AND name <> ALL (
        '{application_name,client_encoding,DateStyle,TimeZone,standard_conforming_strings}')" \
      -c 'DO $$ BEGIN PERFORM pg_sleep(1); END $$' -c COMMIT >"$work/left-$i" 2>&1 &
    looks+=($!)
  done
  wait "${looks[@]}"
  [[ -z $(cat "$work"/left-*) ]] || die "left behind on server connections: $(sort "$work"/left-* | uniq -c)"
}

recovery() {
  local slowest
  sql "SELECT format('PgBouncer %s %s times: jobs were finished again after p50 %s max %s ms', what, count(*),
                     percentile_disc(0.5) WITHIN GROUP (ORDER BY ms), max(ms))
         FROM (SELECT what, (SELECT round(date_part('epoch', min(f.finished_at) - x.over) * 1000)
                               FROM outbox.finished_jobs f WHERE f.finished_at > x.over) AS ms
                 FROM chaos.faults x WHERE what <> 'processor') r
        GROUP BY what ORDER BY what"
  sql "SELECT format('no job waited longer than %s ms for its start', round(max(date_part('epoch', started_at - run_at)) * 1000))
         FROM outbox.finished_jobs"
  say "$(sql "SELECT count(*) FROM chaos.faults WHERE what = 'processor'") processors killed, $starts started for them"
  again
  slowest=$(sql "SELECT coalesce(round(max(date_part('epoch', f.started_at - h.at)) * 1000), 0)
                   FROM chaos.held h JOIN outbox.finished_jobs f ON f.id = h.job_id WHERE f.started_at > h.at")
  [[ -z ${CHAOS_LONG:-} ]] || ((slowest <= 4000)) || note "a job of a killed processor ran again after $slowest ms: more than dead_after + 2 s"
}

profile 2 50 300 600
heartbeat=300ms dead_after=2s poll=50ms
chaos_begin
sql 'CREATE TABLE chaos.faults (what text, over timestamptz NOT NULL DEFAULT clock_timestamp())'
pooler_configure
pooler_start
configure "$pooled"
processor_start a
processor_start b
load_start
for ((round = 1; round <= rounds; ++round)); do
  pause 300 1200
  pick killed terminated paused processor
  fault "$round" "$picked"
done
load_stop
verdict a b
nothing_left
pooler_end TERM
recovery
