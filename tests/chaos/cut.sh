#!/usr/bin/env bash
# Connections cut at a COMMIT, half of them before it reached the server and half after the server had
# done it: the processor hears the same in both cases, and must find out. No handler may run again
# after its job was committed.
set -euo pipefail
source "${OUTBOX_SOURCE_DIR:?}/scripts/lib.sh"
source "$OUTBOX_SOURCE_DIR/tests/chaos/lib.sh"

profile 60 2000 300 600
chaos_begin
tcp=$("$root/scripts/pg" -n "$cluster" url --tcp)
login_passwords "$tcp" "$work/users"
[[ $tcp =~ ^postgresql://[^:]+(:[^@]+)@([^/]+)/ ]] || die "expected a URL, got $tcp"
"$programs/chaos_proxy" --listen 0 --server "${BASH_REMATCH[2]}" --every 12 --seed "$seed" --most "$rounds" --log "$work/cuts.txt" \
  --statements run_job,direct,claim,claim_suspect,finish_batch,finish_batch_history,finish_batch_detail,finish_batch_moved,retry,snooze,bury,release,rescue \
  >"$work/port.txt" 2>"$work/proxy.log" &
processors[proxy]=$!
eventually 10 "the proxy to listen" grep -q '^port ' "$work/port.txt"
configure "postgresql://${logins}_worker${BASH_REMATCH[1]}@127.0.0.1:$(cut -d ' ' -f 2 "$work/port.txt")/$database?sslmode=disable"
: >"$work/cuts.txt"

enough() { (($(wc -l <"$work/cuts.txt") >= rounds)); }
# A connection that is lost at the start ends it: then it is started again.
for name in a b; do eventually 30 "processor $name to register" keeps_running "$name"; done
load_start
eventually 600 "$rounds cuts, see $work/cuts.txt" enough
load_stop
check_starts=yes
verdict a b
sort "$work/cuts.txt" | uniq -c | awk '{ printf "%s%s %s %s %s", (NR > 1 ? ", " : ""), $1, $2, $3, $4 } END { print "" }'
say "$(count_events resolved_in_doubt) commits were looked up: $(cat "$work"/processor-*.log | grep ' resolved_in_doubt ' | grep -c 'committed=true' || true) had been done"
