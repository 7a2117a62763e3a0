#!/usr/bin/env bash
# Programs as handlers in a whole processor: what they get, every way to end, and what becomes of them when the processor ends. Needs
# OUTBOX_TEST_PG (superuser's URL), OUTBOXD (the program) and OUTBOX_SOURCE_DIR.
# shellcheck disable=SC2016  # what the programs' shells expand
set -euo pipefail
source "$OUTBOX_SOURCE_DIR/scripts/lib.sh"
source "$OUTBOX_SOURCE_DIR/tests/e2e/support/processor.sh"
trap 'database_drop; rm -rf "$work"' EXIT

program() { # program NAME: its text from the standard input; it writes to the folder $work/out.d
  local file=$work/bin/$1
  { printf '#!/bin/bash\nout=%q\n' "$work/out.d" && cat; } >"$file"
  chmod 755 "$file"
}
kind() { # kind NAME [KEYS OF exec [KEYS OF THE KIND]]
  say "  $1: {backoff: {first: 10ms, cap: 50ms}, exec: {argv: ['$work/bin/$1', 'a b', '\$HOME', '']${2:+, $2}}${3:+, $3}}" >>"$config"
}
enqueue() { sql "SELECT outbox.enqueue('$1', '{\"text\": \"a ü\\nb\"}', max_attempts => ${2:-3})" "$app_url" >/dev/null; } # enqueue KIND [MAX-ATTEMPTS]
ended() { [[ $(sql "SELECT (SELECT count(*) FROM outbox.finished_jobs) || ' ' || (SELECT count(*) FROM outbox.dead_jobs)") == "$1 $2" ]]; } # ended FINISHED DEAD
failure() { # failure KIND REASON TEXT: of its first attempt
  local got
  got=$(sql "SELECT reason || ': ' || error FROM outbox.job_failures WHERE kind = '$1' ORDER BY failed_at LIMIT 1")
  [[ $got == "$2: "*"$3"* ]] || die "kind $1: expected '$2: …$3…', got '$got'"
}
finished_at() { expect_sql "$1" "SELECT attempt FROM outbox.finished_jobs WHERE kind = '$2'"; } # finished_at ATTEMPT KIND
dead_at() { expect_sql "$1" "SELECT attempt FROM outbox.dead_jobs WHERE kind = '$2'"; }         # dead_at ATTEMPT KIND
gone() { [[ ! -e /proc/$1 ]] || grep -q '^State:.Z' "/proc/$1/status"; } # gone PID
wrote() { [[ -s $work/out.d/$1 ]]; }
open_gate() { : >"$work/out.d/gate"; }

mkdir -p "$work/bin" "$work/out.d"
database_create "e2e_exec_$$"
migrate_up
program works <<'SH'
cat >"$out/payload"
printf '%s\n' "$@" >"$out/arguments"
env | sort >"$out/environment"
id -un >"$out/user"
SH
program later <<<'((OUTBOX_ATTEMPT > 1)) || { echo not yet >&2; exit 75; }'
program never <<<'echo "no such customer" >&2; exit 65'
program chatty <<<'printf "%s\n" {1..5000}; printf "last \001 words \377\n" >&2; exit 1'
program crashes <<<'((OUTBOX_ATTEMPT > 1)) || kill -SEGV $$'
program stubborn <<<'((OUTBOX_ATTEMPT > 1)) && exit 0; trap "" TERM; sleep 60 & echo $! >"$out/grandchild"; while :; do wait; done'
program floods <<<'((OUTBOX_ATTEMPT > 1)) || exec cat /dev/zero'
program snoozes <<<'[[ -e $out/slept ]] || { : >"$out/slept"; echo "{\"snooze\": \"10ms\"}"; }'
program waits <<<'echo $$ >"$out/pid-$OUTBOX_JOB_ID"; echo "$OUTBOX_MESSAGE_ID" >>"$out/ids"; [[ -e $out/gate ]] || exec sleep 60'
program finishes <<<'echo $$ >"$out/finishes"; until [[ -e $out/gate ]]; do sleep 0.02; done'
cat >"$config" <<YAML
database: {url: '$worker_url'}
processor: {grace: 30s}
kinds:
YAML
kind works 'env: [SHOP]'
kind stubborn 'kill_after: 200ms' 'timeout: 300ms'
kind floods 'output_most: 1MiB'
kind snoozes 'control: last_line'
for one in later never chatty crashes waits finishes; do kind "$one"; done
export SHOP=main SECRET=hidden

say "ways to end"
for one in works later stubborn never crashes floods snoozes; do enqueue "$one"; done
enqueue chatty 1
processor_start a
eventually 30 "all jobs to end" ended 6 2
[[ $(<"$work/out.d/payload") == '{"text": "a ü\nb"}' ]] || die "expected the payload, got $(<"$work/out.d/payload")"
[[ $(<"$work/out.d/arguments") == $'a b\n$HOME' ]] || die "expected the arguments as they are, got $(<"$work/out.d/arguments")"
job=$(sql "SELECT id FROM outbox.finished_jobs WHERE kind = 'works'")
for line in "OUTBOX_JOB_ID=$job" OUTBOX_KIND=works OUTBOX_QUEUE=default OUTBOX_ATTEMPT=1 OUTBOX_MAX_ATTEMPTS=3 SHOP=main; do
  grep -qxF "$line" "$work/out.d/environment" || die "expected $line in: $(<"$work/out.d/environment")"
done
grep -qE "^OUTBOX_MESSAGE_ID=msg_.*$job\$" "$work/out.d/environment" || die "expected a message id in: $(<"$work/out.d/environment")"
! grep -q SECRET "$work/out.d/environment" || die "expected nothing more than is allowed: $(<"$work/out.d/environment")"
finished_at 1 works
finished_at 2 later
failure later error 'exit code 75: not yet'
dead_at 1 never
failure never discarded 'exit code 65: no such customer'
dead_at 1 chatty
failure chatty error 'exit code 1: last '
failure chatty error ' words �'
finished_at 2 crashes
failure crashes error 'killed by SIGSEGV (11)'
finished_at 2 stubborn
failure stubborn timeout 'SIGTERM did not end it within 200ms, SIGKILL did'
gone "$(<"$work/out.d/grandchild")" || die "expected the grandchild to end with its group"
finished_at 2 floods
failure floods error 'output_most'
finished_at 1 snoozes
expect_sql 0 "SELECT count(*) FROM outbox.job_failures WHERE kind = 'snoozes'"

say "SIGTERM: what runs may finish"
enqueue finishes
eventually 10 "the program to run" wrote finishes
processor_signal a TERM
eventually 10 "the stop to begin" grep -q SIGTERM "$(processor_log a)"
open_gate
processor_wait a 0
finished_at 1 finishes
rm "$work/out.d/gate"

say "SIGTERM: what runs for too long is ended, and its job not charged"
sed -i 's/grace: 30s/grace: 300ms/' "$config"
processor_start b
enqueue waits
eventually 10 "the program to run" wrote ids
child=$(cat "$work"/out.d/pid-*)
! gone "$child" || die "expected the program to run"
processor_stop b
gone "$child" || die "expected the program to end with its processor"
expect_sql '0 0 0' "SELECT concat_ws(' ', attempt, crashes, (SELECT count(*) FROM outbox.job_failures WHERE kind = 'waits')) FROM outbox.jobs WHERE claimed_by IS NULL"

say "kill -9 takes the programs along, and their jobs run again under the same message id"
for _ in 2 3; do enqueue waits; done
processor_start c
running() { (($(wc -l <"$work/out.d/ids") == 4)); } # one that was stopped, and three
eventually 10 "the programs to run" running
for child in "$work"/out.d/pid-*; do ! gone "$(<"$child")" || die "expected program $(<"$child") to run"; done
processor_kill c
for child in "$work"/out.d/pid-*; do eventually 5 "program $(<"$child") to die" gone "$(<"$child")"; done
open_gate
processor_start d
eventually 20 "the jobs to run again" ended 10 2
processor_stop d
(($(sort -u "$work/out.d/ids" | wc -l) == 3 && $(wc -l <"$work/out.d/ids") == 7)) || die "expected three ids, seven times: $(<"$work/out.d/ids")"
expect_sql '1 1 3' "SELECT concat_ws(' ', max(attempt), max(crashes), count(*)) FROM outbox.finished_jobs WHERE kind = 'waits'"
