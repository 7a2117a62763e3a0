#!/usr/bin/env bash
# usage: OUTBOXD=PROGRAM OUTBOX_TEST_PG=URL tests/e2e/cli.sh
#
# Every command of outboxd for people, good and bad input: output, JSON (PostgreSQL judges it), exit codes. Works in a
# database of its own, as a member of outbox_operator, of outbox_producer to enqueue, and of outbox_runtime to run. Needs psql and curl.
# shellcheck disable=SC2016
set -euo pipefail
source=$(cd "$(dirname "$0")/../.." && pwd -P)
outboxd=${OUTBOXD:?the path of the program}
server=${OUTBOX_TEST_PG:?the URL of a throw-away PostgreSQL superuser}
database=outbox_cli_$$
case $server in
  *://*\?*) url="$server&dbname=$database" ;;
  *://*) url="$server?dbname=$database" ;;
  *) echo "OUTBOX_TEST_PG: expected a URL" >&2 && exit 1 ;;
esac
dir=$(mktemp -d)
pid=''
failures=0
output=''
unset OUTBOX_CONFIG
operator_url="$url&user=outbox_test_operator" app_url="$url&user=outbox_test_app"
migrator_url="$url&user=outbox_test_migrator" worker_url="$url&user=outbox_test_worker"
export OUTBOX_URL=$operator_url

finish() {
  [[ -z $pid ]] || kill -9 "$pid" 2>/dev/null || true
  psql -X -q "$server" -c "DROP DATABASE IF EXISTS $database WITH (FORCE)" || true
  rm -rf "$dir"
}
trap finish EXIT

sql() { psql -X -q -At -v ON_ERROR_STOP=1 "$url" -c "$1"; }

fail() {
  failures=$((failures + 1))
  printf 'line %s: %s\n' "${BASH_LINENO[-2]}" "$*"
}

# expect CODE TEXT COMMAND…: the exit code, and a part of stdout or stderr; "" for any. Both stay in $output.
expect() {
  local code=$1 text=$2 got=0
  shift 2
  output=$("$@" 2>&1 </dev/null) || got=$?
  [[ $got == "$code" ]] || fail "'${*:2}': exit code $got, not $code: $output"
  [[ $output == *"$text"* ]] || fail "'${*:2}': no '$text' in: $output"
  [[ $output != *$'\e'* ]] || fail "'${*:2}': a terminal escape in its output"
}

# json CODE QUERY VALUE COMMAND…: stdout alone is one JSON document of which QUERY, on a column doc, gives VALUE.
json() {
  local code=$1 query=$2 value=$3 got=0 found
  shift 3
  "$@" >"$dir/doc" 2>"$dir/err" </dev/null || got=$?
  [[ $got == "$code" ]] || fail "'${*:2}': exit code $got, not $code: $(cat "$dir/err")"
  found=$(psql -X -q -At -v ON_ERROR_STOP=1 -v doc="$(cat "$dir/doc")" -v query="$query" "$url" <<'SQL' 2>&1
CREATE TEMP TABLE d AS SELECT :'doc'::jsonb AS doc;
SELECT format('SELECT %s FROM d', :'query') \gexec
SQL
  ) || true
  [[ $found == "$value" ]] || fail "'${*:2}': $query is '$found', not '$value'"
}

enqueue() { "$outboxd" jobs enqueue --url "$app_url" "$@"; }

psql -X -q "$server" -c "CREATE DATABASE $database TEMPLATE template0"
psql -X -q -v ON_ERROR_STOP=1 --single-transaction "$url" -f "$source/migrations/roles.sql" -f "$source/tests/support/logins.sql"

# --- the command line itself
expect 2 'subcommand is required' "$outboxd"
expect 2 'hint:' "$outboxd" frobnicate
expect 2 '' "$outboxd" jobs
expect 0 'Exit codes:' "$outboxd" --help
expect 0 'outboxd ' "$outboxd" --version
expect 0 ', schema ' "$outboxd" version
json 0 "doc ->> 'version' ~ '^[0-9.]+$' AND (doc ->> 'schema')::int > 0" t "$outboxd" version --json

# --- which database
expect 2 'OUTBOX_URL' env -u OUTBOX_URL "$outboxd" jobs list
expect 2 'excludes' "$outboxd" jobs list --url "$url" --config x
expect 2 'cannot be read' "$outboxd" jobs list --url nonsense
expect 69 'retrying helps' "$outboxd" stats --url postgresql://127.0.0.1:1/none
expect 69 'does not exist' "$outboxd" stats --url "$url&dbname=no_such_database_$$"
expect 69 '' "$outboxd" stats --url 'postgresql://u:se%zzcret@127.0.0.1:1/none'
[[ $output != *zzcret* ]] || fail "the password is in the output: $output"
expect 78 'cannot open' env -u OUTBOX_URL OUTBOX_CONFIG="$dir/none.yaml" "$outboxd" jobs list
expect 3 'outboxd migrate up' "$outboxd" jobs list
expect 3 'outboxd migrate up' enqueue mail
expect 0 'the schema is at version' "$outboxd" migrate up --url "$migrator_url"
printf 'database:\n  url_env: THE_URL\nkinds:\n  mail:\n    sql: SELECT $1, $2, $3, $4\n' >"$dir/good.yaml"
expect 0 'no jobs' env -u OUTBOX_URL THE_URL="$operator_url" "$outboxd" jobs list --config "$dir/good.yaml"
expect 0 'no jobs' env -u OUTBOX_URL THE_URL="$operator_url" OUTBOX_CONFIG="$dir/good.yaml" "$outboxd" jobs list
expect 0 'no jobs' env OUTBOX_URL=postgresql://127.0.0.1:1/none "$outboxd" jobs list --url "$operator_url" # the flag wins

# --- enqueue
expect 0 'job 1 is enqueued' enqueue mail
json 0 "doc ->> 'id' || ' ' || (doc ->> 'created')" '2 true' enqueue mail --json --unique-key u \
  --payload '{"n": 123456789012345678901234567890}' --headers '{"h": 1}' --queue q --priority 2 --max-attempts 3 --delay 2h \
  --expires-at 2999-01-01T00:00:00Z
json 0 "doc ->> 'id' || ' ' || (doc ->> 'created')" '2 false' enqueue mail --json --unique-key u
expect 0 'the live job 2 has' enqueue mail --unique-key u
printf '[1, 2]' >"$dir/payload"
expect 0 'enqueued' enqueue mail --payload "@$dir/payload" --run-at '2026-01-01T00:00:00Z'
printf '"from stdin"' | enqueue mail --payload - >"$dir/out" || fail 'payload from stdin'
[[ $(sql "SELECT count(*) FROM outbox.jobs WHERE payload IN ('[1, 2]', '\"from stdin\"')") == 2 ]] || fail 'payloads did not arrive'
expect 2 '--payload is not JSON' enqueue mail --payload '{no'
expect 2 'is not JSON' enqueue mail --payload ''"'single'"
printf '1\0garbage' >"$dir/nul"
expect 2 'NUL' enqueue mail --payload "@$dir/nul"
expect 2 'cannot read' enqueue mail --payload "@$dir/none"
expect 2 'object is expected' enqueue mail --headers '[1]'
expect 2 'priority is 9' enqueue mail --priority 9
expect 2 '64 characters' enqueue "$(printf 'k%.0s' {1..64})"
expect 2 '64 characters' enqueue mail --queue "$(printf 'q%.0s' {1..64})"
expect 2 '--delay' enqueue mail --delay 5
expect 2 'excludes' enqueue mail --delay 5s --run-at now
expect 2 'timestamp' enqueue mail --run-at soonish
head -c 2000000 /dev/urandom | base64 -w0 | sed 's/.*/"&"/' >"$dir/large"
expect 2 'outbox.max_payload' enqueue mail --payload "@$dir/large"
[[ $(sql 'SELECT count(*) FROM outbox.jobs') == 4 ]] || fail 'refused jobs are there'

# --- list and show, with texts that try to break out
sql "UPDATE outbox.jobs SET last_error = E'first\\nline \\x1b[31m \\u202e' WHERE id = 1" >/dev/null
expect 0 'first line' "$outboxd" jobs list
json 0 "jsonb_array_length(doc -> 'jobs') || ' ' || (doc #>> '{jobs,0,id}') || ' ' || (doc #>> '{jobs,0,state}')" '4 6 waiting' \
  "$outboxd" jobs list --json
json 0 "doc #>> '{jobs,0,id}'" 2 "$outboxd" jobs list --json --queue q --kind mail --state scheduled
json 0 "(doc #>> '{jobs,0,id}') || ' ' || (doc ->> 'next')" '6 6' "$outboxd" jobs list --json --limit 1
json 0 "doc #>> '{jobs,0,id}'" 5 "$outboxd" jobs list --json --limit 1 --after 6
expect 0 'no jobs' "$outboxd" jobs list --state dead
expect 2 'not in' "$outboxd" jobs list --state odd
expect 2 '1 to 1000' "$outboxd" jobs list --limit 1001
expect 2 'not a job id' "$outboxd" jobs list --after x
json 0 "(doc #>> '{payload,n}') || ' ' || (doc #>> '{headers,h}') || ' ' || (doc ->> 'unique_key')" '123456789012345678901234567890 1 u' \
  "$outboxd" jobs show 2 --json --url "$url"
expect 0 '123456789012345678901234567890' "$outboxd" jobs show 2 --url "$url"
expect 0 'not readable by this role' "$outboxd" jobs show 2
expect 66 'there is no job 999' "$outboxd" jobs show 999
expect 2 'not a job id' "$outboxd" jobs show 0x10
expect 2 'not a job id' "$outboxd" jobs show 99999999999999999999

# --- discard and retry
expect 0 'is a dead letter now' "$outboxd" jobs discard 1 --why 'not wanted' --actor anna
[[ $(sql 'SELECT login, actor, action, why, job_id FROM outbox.audit') == 'outbox_test_operator|anna|discard|not wanted|1' ]] || fail 'the audit says otherwise'
expect 0 'would be waiting again' "$outboxd" jobs retry --all-dead --error '%NOT wanted%' --preview
expect 0 'would requeue 0' "$outboxd" jobs retry --all-dead --since 2100-01-01 --preview
json 0 "(doc ->> 'preview') || ' ' || (doc #>> '{jobs,0,result}')" 'true requeued' "$outboxd" jobs retry --all-dead --preview --json
expect 2 'requires' "$outboxd" jobs retry 1 --preview
expect 2 'timestamp' "$outboxd" jobs retry --all-dead --since soonish
expect 6 'dead letter already' "$outboxd" jobs discard 1
expect 66 'no such job' "$outboxd" jobs discard 999
json 0 "(doc ->> 'state') || ' ' || (doc ->> 'dead_reason') || ' ' || (doc ->> 'last_error' LIKE '%not wanted%')" 'dead discarded true' \
  "$outboxd" jobs show 1 --json
OUTBOX_ACTOR=bert expect 0 'fresh budget' "$outboxd" jobs retry 1
[[ $(sql "SELECT actor FROM outbox.audit WHERE action = 'retry'") == bert ]] || fail 'OUTBOX_ACTOR is not the actor'
expect 0 'is due already' "$outboxd" jobs retry 1
expect 0 'is due now' "$outboxd" jobs retry 2
json 66 "doc #>> '{jobs,1,result}'" not_found "$outboxd" jobs retry 1 999 --json
expect 2 'which job' "$outboxd" jobs retry
expect 2 'requires' "$outboxd" jobs retry 1 --queue q
expect 2 'excludes' "$outboxd" jobs retry 1 --all-dead
expect 0 '' "$outboxd" jobs discard 2
expect 0 '' enqueue mail --unique-key u
expect 6 'has the same kind and unique_key' "$outboxd" jobs retry 2
expect 0 '1 stay dead' "$outboxd" jobs retry --all-dead --queue q
json 0 "(doc ->> 'requeued') || ' ' || (doc ->> 'skipped')" '0 1' "$outboxd" jobs retry --all-dead --json
sql "INSERT INTO outbox.processors (name, version, built_for, pid, queues, kinds, session_lock, dead_after)
     VALUES ('elsewhere', '0', 3, 1, '{q}', '{mail}', false, '1 hour');
     UPDATE outbox.jobs SET claimed_by = 1, claimed_at = now(), claim_token = 1 WHERE id = 1" >/dev/null
expect 6 'processor 1 (elsewhere) runs it' "$outboxd" jobs retry 1
expect 6 'processor 1 (elsewhere) runs it' "$outboxd" jobs discard 1
sql "UPDATE outbox.processors SET dead_at = now(), dead_reason = 'test'" >/dev/null
expect 6 'died while it ran it' "$outboxd" jobs retry 1
expect 0 '' "$outboxd" jobs discard 1

# --- queues and stats
expect 0 'is paused, since' "$outboxd" queues pause default --why full
[[ $(sql "SELECT why, actor = '$(id -un)' FROM outbox.audit WHERE action = 'pause'") == 'full|t' ]] || fail 'the pause is not in the audit'
expect 0 'is paused already' "$outboxd" queues pause default
expect 0 'is the name right?' "$outboxd" queues pause new
expect 2 '64 characters' "$outboxd" queues pause "$(printf 'q%.0s' {1..64})"
expect 0 'since ' "$outboxd" queues list
json 0 "doc #>> '{queues,0,queue}'" default "$outboxd" queues list --json
json 0 "doc ->> 'result'" resumed "$outboxd" queues resume default --json
expect 0 'nothing to do' "$outboxd" queues resume default
expect 66 "there is no queue 'typo'" "$outboxd" queues resume typo
expect 0 'is paused, since' "$outboxd" kinds pause mail --why 'the endpoint is gone'
expect 0 'is paused already' "$outboxd" kinds pause mail
expect 0 'is the name right?' "$outboxd" kinds pause typos
expect 2 '64 characters' "$outboxd" kinds pause "$(printf 'k%.0s' {1..64})"
expect 0 'the endpoint is gone' "$outboxd" kinds list
json 0 "(doc #>> '{kinds,0,kind}') || ' ' || (doc #>> '{kinds,0,paused_why}')" 'mail the endpoint is gone' "$outboxd" kinds list --json
json 0 "doc ->> 'result'" was_paused "$outboxd" kinds pause mail --json
json 0 "doc ->> 'result'" resumed "$outboxd" kinds resume mail --json
expect 0 'nothing to do' "$outboxd" kinds resume mail
expect 66 "there is no kind 'typo'" "$outboxd" kinds resume typo
[[ $(sql "SELECT string_agg(action, ' ' ORDER BY id) FROM outbox.audit WHERE kind = 'mail' AND queue = '*'") == 'pause resume' ]] ||
  fail 'the kind is not in the audit'
expect 0 'dead: test' "$outboxd" stats
json 0 "(doc #>> '{processors,0,state}') || ' ' || (doc ->> 'schema')::int || ' ' || (doc #>> '{ended,0,queue}')" 'dead 5 default' \
  "$outboxd" stats --json

# --- config
export THE_URL=$worker_url
expect 0 'is right' "$outboxd" config check --config "$dir/good.yaml"
expect 0 'concurrency:' "$outboxd" config print --config "$dir/good.yaml"
expect 2 'OUTBOX_CONFIG' "$outboxd" config check
printf 'database:\n  url: postgresql://u:secret@h/d\n  nonsense: 1\nqueues:\n  a:\n    concurrency: many\n' >"$dir/bad.yaml"
expect 78 'bad.yaml:3:' "$outboxd" config check --config "$dir/bad.yaml"
[[ $output == *'bad.yaml:6:'* ]] || fail "not all errors at once: $output"
expect 78 'bad.yaml:3:' "$outboxd" config print --config "$dir/bad.yaml"
expect 78 'bad.yaml:3:' "$outboxd" run --config "$dir/bad.yaml"
printf 'database:\n  url: postgresql://u:hunter2@h/d\nkinds:\n  mail:\n    sql: SELECT $1, $2, $3, $4\n' >"$dir/secret.yaml"
expect 0 '[secret]' "$outboxd" config print --config "$dir/secret.yaml"
[[ $output != *hunter2* ]] || fail 'config print shows the password'

# --- a processor with its endpoint
cp "$dir/good.yaml" "$dir/run.yaml"
printf 'queues: {default: {}}\nlog: {format: json}\nadmin: {listen: "127.0.0.1:0"}\n' >>"$dir/run.yaml"
: >"$dir/log" # the other process may make it later than we read it
"$outboxd" run --config "$dir/run.yaml" >"$dir/log" 2>&1 &
pid=$!
endpoint=''
for _ in {1..400}; do
  endpoint=$(sed -n 's/.*admin endpoint: \(http:[^"]*\)".*/\1/p' "$dir/log")
  [[ -z $endpoint ]] || break
  sleep 0.05
done
[[ -n $endpoint ]] || fail "the endpoint did not come up: $(cat "$dir/log")"
status() { curl -s -o "$dir/body" -w '%{http_code}' --max-time 5 "$@"; }
[[ $(status "$endpoint/health") == 200 ]] || fail "/health: $(cat "$dir/body")"
for _ in {1..200}; do
  ready=$(status "$endpoint/ready")
  [[ $ready != 200 ]] || break
  sleep 0.05
done
[[ $ready == 200 ]] || fail "/ready: $(cat "$dir/body")"
[[ $(status "$endpoint/metrics") == 200 ]] || fail "/metrics: $(cat "$dir/body")"
grep -q '^outboxd_build_info{version=' "$dir/body" || fail "/metrics has no build info"
[[ $(status -H 'Host: evil.example' "$endpoint/metrics") == 421 ]] || fail 'a foreign Host is answered'
[[ $(status -X POST -d x "$endpoint/health") == 405 ]] || fail 'POST is answered'
expect 0 'alive' "$outboxd" stats
sql "UPDATE outbox.jobs SET queue = 'default', run_at = now()" >/dev/null
for _ in {1..400}; do
  [[ $(sql 'SELECT count(*) FROM outbox.jobs') != 0 ]] || break
  sleep 0.05
done
json 0 "doc #>> '{jobs,0,state}'" finished "$outboxd" jobs list --state finished --json
expect 6 'has finished' "$outboxd" jobs retry 5
kill -TERM "$pid"
wait "$pid" || fail "the processor ended with $?"
pid=''

# --- sign, deliver: the vector is that of the reference libraries of Standard Webhooks
(umask 077 && echo whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw >"$dir/keys" && echo bearer-secret >"$dir/token")
output=$(printf '{"test": 2432232314}' | "$outboxd" sign --secret-file "$dir/keys" --id msg_p5jXN8AQM9LWM0D4loKWxJek --timestamp 1614265330)
[[ $output == *'webhook-signature: v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=' ]] || fail "sign: $output"
json 0 "doc ->> 'webhook-timestamp'" 7 "$outboxd" sign --secret-file "$dir/keys" --timestamp 7 --json
expect 2 "--id: expected" "$outboxd" sign --secret-file "$dir/keys" --id 'a.b'
echo whsec_short >"$dir/keys.bad" && chmod 600 "$dir/keys.bad"
expect 78 'hint: ' "$outboxd" sign --secret-file "$dir/keys.bad"
[[ $output != *short* ]] || fail 'sign quotes a key'
chmod 644 "$dir/keys.bad"
expect 78 'can be read by everybody' "$outboxd" sign --secret-file "$dir/keys.bad"
cat >"$dir/deliver.yaml" <<YAML
database:
  url: "$worker_url"
kinds:
  hook:
    http: {url: "http://127.0.0.1:9/orders/{id}", signing_file: keys, bearer_file: token}
  program:
    exec: {argv: [/bin/cat, -n], env: [HOME]}
YAML
hook=$(sql "INSERT INTO outbox.jobs (kind, queue, payload, headers) VALUES ('hook', 'later', '{\"id\": \"a b\"}', '{\"http\": {\"X-T\": \"1\"}}') RETURNING id")
program=$(sql "INSERT INTO outbox.jobs (kind, queue, payload) VALUES ('program', 'later', '[1]') RETURNING id")
other=$(sql "INSERT INTO outbox.jobs (kind, queue) VALUES ('other', 'later') RETURNING id")
expect 0 'POST http://127.0.0.1:9/orders/a%20b' "$outboxd" deliver --dry-run "$hook" --config "$dir/deliver.yaml"
for part in "webhook-id: msg_" "_$hook" 'webhook-signature: v1,' 'Authorization: (hidden)' 'X-T: 1' 'outbox-attempt: 1' '{"id": "a b"}'; do
  [[ $output == *"$part"* ]] || fail "deliver: no '$part' in $output"
done
[[ $output != *bearer-secret* ]] || fail 'deliver shows the token'
json 0 "doc ->> 'body'" '{"id": "a b"}' "$outboxd" deliver --dry-run "$hook" --config "$dir/deliver.yaml" --json
expect 0 '/bin/cat -n' "$outboxd" deliver --dry-run "$program" --config "$dir/deliver.yaml"
[[ $output == *"OUTBOX_JOB_ID=$program"* && $output == *'HOME=(hidden)'* && $output == *'[1]' ]] || fail "deliver: $output"
expect 2 'expected --dry-run' "$outboxd" deliver "$hook" --config "$dir/deliver.yaml"
expect 6 'no http or exec kind here' "$outboxd" deliver --dry-run "$other" --config "$dir/deliver.yaml"
expect 6 'not live' "$outboxd" deliver --dry-run 999999 --config "$dir/deliver.yaml"
sql "UPDATE outbox.jobs SET payload = '{}' WHERE id = $hook"
expect 6 'cannot be delivered' "$outboxd" deliver --dry-run "$hook" --config "$dir/deliver.yaml"

if ((failures > 0)); then
  echo "$failures failures"
  exit 1
fi
