# Receivers for end-to-end tests, and what they saw as a table. Sourced after support/processor.sh, whose $work and $url it uses.
# shellcheck shell=bash disable=SC2154

programs=$OUTBOX_SOURCE_DIR/tests/e2e/http
npm_home=$OUTBOX_BUILD_DIR/npm/receivers
received=$work/receiver # the receiver's folder
receiver=''             # its pid
declare -A port=()      # by listener

# Once for a build directory; scripts that run at the same time take turns.
receiver_packages() {
  mkdir -p "$npm_home"
  (
    flock 9
    cmp -s "$programs/package.json" "$npm_home/installed.json" && exit
    cp "$programs/package.json" "$npm_home/package.json"
    npm_install "$npm_home"
    cp "$programs/package.json" "$npm_home/installed.json"
  ) 9>"$npm_home.lock"
}

# Nobody listens there: it was just given to us, and back.
closed_port() { node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close(); })'; }

receiver_start() {
  local name number
  mkdir -p "$received"
  NPM_HOME=$npm_home node "$programs/receiver.mjs" "$received" >"$work/receiver.log" 2>&1 </dev/null &
  receiver=$!
  eventually 20 "the receiver to listen" receiver_listens
  while IFS='=' read -r name number; do port[$name]=$number; done <"$received/ports"
}
receiver_listens() {
  kill -0 "$receiver" 2>/dev/null || die "the receiver ended: $(<"$work/receiver.log")"
  [[ -f $received/ports ]]
}

receiver_stop() {
  [[ -z $receiver ]] || { kill "$receiver" && wait "$receiver"; } 2>/dev/null || true
  receiver=''
}

receiver_mode() { curl -sS -o /dev/null "http://127.0.0.1:${port[control]}/$1"; } # receiver_mode up|down|refuse|fast (all are answered at once)
under_way() { (($(curl -sS "http://127.0.0.1:${port[control]}/") >= $1)); }       # under_way COUNT
has_received() { (($(wc -l <"$received/requests") >= $1)); }                      # has_received COUNT, not counting what refused

# look: the table "received" is what the receiver has written so far. Its values have no byte 1 or 2.
look() {
  PGOPTIONS='-c client_min_messages=warning' psql -X -q -v ON_ERROR_STOP=1 -d "$url" <<SQL
DROP TABLE IF EXISTS public.received CASCADE;
CREATE TABLE public.received (r jsonb NOT NULL);
CREATE VIEW public.requests AS SELECT r ->> 'kind' AS kind, r ->> 'id' AS id, (r ->> 'attempt')::int AS attempt,
  (r ->> 'at')::bigint AS at, r ->> 'sha256' AS sha256, (r ->> 'connection')::int AS connection, r FROM public.received;
\copy public.received FROM '$received/requests' (FORMAT csv, QUOTE E'\\x01', DELIMITER E'\\x02')
SQL
}

ended() { [[ $(sql "SELECT (SELECT count(*) FROM outbox.finished_jobs) || ' ' || (SELECT count(*) FROM outbox.dead_jobs)") == "$1 $2" ]]; } # ended FINISHED DEAD
