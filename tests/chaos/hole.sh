#!/usr/bin/env bash
# A silent hole between one of two processors and the database: packets vanish in one direction or in
# both, and nobody is told, no FIN, no RST, as when a firewall forgets a connection. Processor a lives
# in a network namespace for that; the hole is a wrong hardware address at an end of its cable. Each
# opens while handlers of a are at work, and lasts longer than dead_after. What is measured: see
# report(). Needs root; skipped where namespaces are forbidden.
set -euo pipefail
source "${OUTBOX_SOURCE_DIR:?}/scripts/lib.sh"
source "$OUTBOX_SOURCE_DIR/tests/chaos/lib.sh"

# A network of eight addresses from the range for benchmarks, which nobody routes; by pid, so that runs
# that share a machine do not meet.
net=198.$((18 + $$ / 8192 % 2)).$(($$ / 32 % 256))
outer=$net.$(($$ % 32 * 8 + 1)) inner=$net.$(($$ % 32 * 8 + 2)) cable=hole$$

inside() { nsenter --net="/proc/$namespace/ns/net" "$@"; }

apart() { [[ $(readlink "/proc/$namespace/ns/net") != "$(readlink "/proc/$$/ns/net")" ]]; }

# The namespace and the cable last as long as this cat, and it as long as this script, whatever ends
# that. The server listens on this end of the cable, so it comes first.
namespace_make() {
  if ((EUID != 0)) || ! unshare --net true 2>/dev/null; then
    note "skipped: no network namespaces here"
    exit 0
  fi
  # shellcheck disable=SC2034 # never closed: that is its use
  exec {alive}> >(exec unshare --net cat)
  namespace=$!
  eventually 5 "the namespace" apart
  ip link add "$cable" type veth peer name eth0 netns "$namespace"
  ip address add "$outer/29" dev "$cable"
  ip link set "$cable" up
  inside ip address add "$inner/29" dev eth0
  inside ip link set eth0 up
}

silence() { # silence DIRECTION: in, out, as a sees it, or both
  [[ $1 == out ]] || ip neighbour replace "$inner" lladdr 02:00:00:00:de:ad dev "$cable" nud permanent
  [[ $1 == in ]] || inside ip neighbour replace "$outer" lladdr 02:00:00:00:de:ad dev eth0 nud permanent
}

heal() { # the next packet asks for the true addresses; nothing to forget is as good
  ip neighbour del "$inner" dev "$cable" 2>/dev/null || true
  inside ip neighbour del "$outer" dev eth0 2>/dev/null || true
}

start_inside() { # start_inside PROCESSOR
  local tcp
  say "host all all $outer/29 scram-sha-256" >>"$(sql 'SHOW hba_file')"
  sql 'SELECT pg_reload_conf()' >/dev/null
  tcp=$("$root/scripts/pg" -n "$cluster" url --tcp)
  login_passwords "$tcp" "$work/users"
  tcp=${tcp/127.0.0.1/$outer} tcp=${tcp/postgres:/${logins}_worker:}
  configure "${tcp%/*}/$database"
  printf '#!/bin/sh\nexec nsenter --net=/proc/%s/ns/net "%s" "$@"\n' "$namespace" "$outboxd" >"$work/inside"
  chmod +x "$work/inside"
  processor_start "$1" "$work/inside"
}

of_a="FROM pg_stat_activity WHERE client_addr = '$inner'"
open_transactions() { # open_transactions AT: those that the hole that began then has left open
  sql "SELECT count(*) $of_a AND state LIKE 'idle in tr%' AND xact_start BETWEEN $1 - interval '10 s' AND $1"
}
none_open() { (($(open_transactions "$1") == 0)); }
marked_dead() { [[ $(sql "SELECT dead_at IS NOT NULL FROM outbox.processors WHERE id = $1") == t ]]; }

# Places handlers for the hole to meet at work; tells whether a has begun one, for the other may take
# them all. Their producer, 100, has a history too.
slow=0
at_work() {
  local first=$((slow + 1)) count=8 begun
  slow=$((slow + count))
  begun=$(psql -X -q -A -t -v ON_ERROR_STOP=1 -d "$url" -c "
    SELECT chaos.place(100, array_agg(s), array_agg(CASE s % 2 WHEN 0 THEN 'cpp' ELSE 'outside' END),
                       array_agg(format('{\"p\": 100, \"s\": %s, \"sleep\": 400}', s))) FROM generate_series($first, $slow) s" \
    -c 'SELECT pg_sleep(0.05)' \
    -c "SELECT count(*) $of_a AND state LIKE 'idle in tr%' AND xact_start < now() - interval '20 ms'" | tail -n 1)
  say "100 $first $count ok" >>"$work/history.txt"
  ((begun > 0))
}

# Nothing of a is on its way without an answer from the other side's TCP.
none_stuck() { [[ -z $(inside ss -Htn state established | awk '$2 > 0') ]]; }

works_again() { # works_again OLD_ID: a has registered anew, and finished a job since
  [[ $(sql "SELECT EXISTS (SELECT FROM outbox.finished_jobs WHERE processor_id > $1 AND processor_id = $(processor_id a))") == t ]]
}

# moment_of NAME COMMAND…: in the background; the moment when it first succeeds goes to $work/NAME.
moment_of() {
  local file=$work/$1
  shift
  until "$@"; do sleep 0.1; done
  say "$EPOCHREALTIME" >"$file"
}

moment() { # moment NAME: as SQL
  if [[ -s $work/$1 ]]; then say "to_timestamp($(<"$work/$1"))"; else say NULL; fi
}

first_event() { # first_event PROCESSOR EVENT SINCE (seconds since 1970): when its log tells it, as SQL
  awk -v since="$(date -u -d "@$3" +%FT%T.%3NZ)" -v event="$2" \
    '$1 >= since && $3 == event { at = "timestamptz \047" $1 "\047"; exit } END { print at ? at : "NULL" }' "$(processor_log "$1")"
}

hole() { # hole ROUND DIRECTION
  local id at healed anew undone let_go
  id=$(processor_id a)
  rm -f "$work/let_go" "$work/undone"
  eventually 10 "a handler of a to be at work" at_work
  at=$EPOCHREALTIME
  silence "$2"
  hold "$1" "$id" "$at"
  sleep 0.5 # every thread of a has said something by now
  moment_of undone none_open "to_timestamp($at)" &
  undone=$!
  moment_of let_go none_stuck &
  let_go=$!
  eventually 10 "processor $id to be marked dead" marked_dead "$id"
  pause 500 "$longest"
  healed=$EPOCHREALTIME
  heal
  eventually 60 "a to register anew and to finish jobs" works_again "$id"
  wait "$let_go"
  anew=$(processor_id a)
  sql "INSERT INTO chaos.holes
       SELECT '$2', to_timestamp($at), to_timestamp($healed), old.dead_at, $(first_event a fenced "$at"), $(moment let_go), anew.started_at,
              (SELECT min(f.finished_at) FROM outbox.finished_jobs f WHERE f.processor_id = $anew), $(moment undone),
              $(open_transactions "to_timestamp($at)"),
              (SELECT count(*) $of_a AND backend_start < to_timestamp($at))
         FROM outbox.processors old, outbox.processors anew WHERE old.id = $id AND anew.id = $anew"
  kill "$undone" 2>/dev/null || true # it may wait for long
}

report() {
  sql "SELECT format('%s: p50 %s max %s ms (%s of %s holes)', what, percentile_disc(0.5) WITHIN GROUP (ORDER BY ms), max(ms),
                     count(ms), count(*))
         FROM (SELECT n, what, round(date_part('epoch', took) * 1000) AS ms
                 FROM chaos.holes, LATERAL (VALUES
                   (1, 'length', healed - at),
                   (2, 'others marked it dead, from the start', dead - at),
                   (3, 'it fenced itself, from the start', fenced - at),
                   (4, 'its last thread was let go, from the start', let_go - at),
                   (5, 'it registered anew, from the end', anew - healed),
                   (6, 'it finished a job, from the end', finished - healed),
                   (7, 'the server had ended its open transactions, from the start', undone - at)) v (n, what, took)) m
        GROUP BY n, what ORDER BY n"
  sql "SELECT format('the server still had open when it worked again: %s of their transactions, %s sessions from before the last hole',
                     sum(open), (array_agg(sessions ORDER BY at DESC))[1]) FROM chaos.holes"
}

profile 1 10 200 600
dead_after=2s
longest=3000
[[ -z ${CHAOS_LONG:-} ]] || longest=18000
namespace_make
chaos_begin -o "listen_addresses = '127.0.0.1,$outer'"
sql 'CREATE TABLE chaos.holes (direction text, at timestamptz, healed timestamptz, dead timestamptz, fenced timestamptz, let_go timestamptz,
                               anew timestamptz, finished timestamptz, undone timestamptz, open int, sessions int)'
start_inside a
configure
processor_start b
load_start
for ((round = 1; round <= rounds; ++round)); do
  pause 500 1500
  pick both both in out
  hole "$round" "$picked"
done
load_stop
verdict a b
again
report
