#!/usr/bin/env bash
# Delivery over HTTP to real receivers (Node): signatures, every class of answer, connections that break, TLS of all sorts, HTTP/2.
# Needs OUTBOX_TEST_PG (superuser's URL), OUTBOXD (the program), OUTBOX_BUILD_DIR and OUTBOX_SOURCE_DIR.
set -euo pipefail
source "$OUTBOX_SOURCE_DIR/scripts/lib.sh"
source "$OUTBOX_SOURCE_DIR/tests/e2e/support/processor.sh"
source "$OUTBOX_SOURCE_DIR/tests/e2e/http/lib.sh"
source "$OUTBOX_SOURCE_DIR/tests/e2e/http/certificates.sh"
trap 'receiver_stop; database_drop; rm -rf "$work"' EXIT

# Two HMAC keys, the newer first, and an ed25519 one; the receivers know one each, and one knows a key that is not ours.
make_keys() {
  local new old stranger seed public
  new=whsec_$(openssl rand -base64 32) old=whsec_$(openssl rand -base64 24) stranger=whsec_$(openssl rand -base64 32)
  openssl genpkey -algorithm ed25519 -outform DER -out "$work/ed25519.der"
  seed=$(tail -c 32 "$work/ed25519.der" | base64)
  public=$(openssl pkey -inform DER -in "$work/ed25519.der" -pubout -outform DER | tail -c 32 | base64)
  (umask 077 && printf '%s\n' "$new" "$old" "whsk_$seed" >"$work/keys")
  printf '{"new": "%s", "old": "%s", "ed25519": "whpk_%s", "stranger": "%s"}' "$new" "$old" "$public" "$stranger" >"$received/keys.json"
}

kind() { # kind NAME URL [KEYS OF http [KEYS OF THE KIND]]
  say "  $1: {backoff: {first: 10ms, cap: 50ms}, http: {url: '$2'${3:+, $3}}${4:+, $4}}" >>"$config"
}

configure() {
  local plain=http://127.0.0.1:${port[plain]} secure=https://localhost trust="ca_file: $received/ca.pem" name
  say "database: {url: '$worker_url'}" >"$config"
  say 'kinds:' >>"$config"
  kind signed "$plain/flaky" "signing_file: $work/keys"
  kind unsigned "$plain/status/200"
  kind nothing "$plain/status/204" 'idempotency_key: plain, method: PUT'
  kind moved "$plain/status/301"
  kind gone "$plain/status/410"
  kind refused "$plain/status/422"
  for name in busy busy-date zipped cut-headers cut-body; do kind "$name" "$plain/$name"; done
  kind hangs "$plain/hangs" '' 'timeout: 2s'
  kind endless "$plain/endless" 'response_most: 64KiB'
  kind nobody "http://127.0.0.1:${port[closed]}/"
  [[ -z ${port[v6]:-} ]] || kind v6 "http://[::1]:${port[v6]}/"
  for name in good unknown expired other_host old_tls h2; do kind "$name" "$secure:${port[$name]}/" "$trust"; done
  kind system "$secure:${port[good]}/"
  kind mutual "$secure:${port[mutual]}/" "$trust, client_cert_file: $received/client.pem, client_key_file: $received/client.key"
  kind mutual_without "$secure:${port[mutual]}/" "$trust"
}

enqueue() { # enqueue KIND [MAX-ATTEMPTS [COUNT]]
  sql "SELECT outbox.enqueue('$1', jsonb_build_object('n', n, 'text', E'a \"quote\", ü, \\\\ and 🐘', 'amount', 12.50), max_attempts => ${2:-5})
    FROM generate_series(1, ${3:-1}) n" "$app_url" >/dev/null
}

requests() { expect_sql "$1" "SELECT string_agg(attempt::text, ' ' ORDER BY at, attempt) FROM requests WHERE kind = '$2'"; } # requests ATTEMPTS KIND
done_at() { expect_sql "$1" "SELECT attempt FROM outbox.finished_jobs WHERE kind = '$2'"; }                                  # done_at ATTEMPT KIND
failed() { # failed KIND REASON TEXT…: its first failure, and what stands in it
  local kind=$1 reason=$2 got
  shift 2
  got=$(sql "SELECT reason || ': ' || error FROM outbox.job_failures WHERE kind = '$kind' ORDER BY failed_at LIMIT 1")
  [[ $got == "$reason: "* ]] || die "kind $kind: expected a failure of reason $reason, got '$got'"
  while (($#)); do
    [[ $got == *"$1"* ]] || die "kind $kind: expected '$1' in '$got'"
    shift
  done
}
sent_again() {
  look
  [[ $(sql "SELECT string_agg(attempt::text, ' ') FROM requests WHERE kind = 'gone'") == '1 1' ]]
}
undelivered() { # undelivered KIND TEXT…: it is dead after its one attempt, and nothing of it came in
  expect_sql 1 "SELECT count(*) FROM outbox.dead_jobs WHERE kind = '$1' AND attempt = 1"
  expect_sql 0 "SELECT count(*) FROM requests WHERE kind = '$1'"
  failed "$1" error "${@:2}"
}

receiver_packages
mkdir -p "$received"
make_keys
certificates "$received"
receiver_start
port[closed]=$(closed_port)
database_create "e2e_http_$$"
migrate_up
configure
expect 0 '' "$outboxd" config check --config "$config"

once=(unknown expired other_host old_tls system mutual_without nobody)
fine=(signed unsigned nothing busy busy-date zipped cut-headers cut-body hangs endless good mutual)
[[ -z ${port[v6]:-} ]] || fine+=(v6)
for one in "${fine[@]}"; do enqueue "$one"; done
for one in "${once[@]}"; do enqueue "$one" 1; done
enqueue moved 2
enqueue refused
enqueue gone
enqueue h2 5 300
processor_start a
eventually 40 "all jobs to end" ended $((${#fine[@]} + 300)) $((${#once[@]} + 2))
look

say "signatures, ids and bodies over three attempts"
requests '1 2 3' signed
expect_sql '3 1 1' "SELECT count(*) || ' ' || count(DISTINCT id) || ' ' || count(DISTINCT sha256) FROM requests WHERE kind = 'signed'"
expect_sql 'true true true "No matching signature found"' \
  "SELECT DISTINCT concat_ws(' ', r -> 'new', r -> 'old', r -> 'ed25519', r -> 'stranger') FROM requests WHERE kind = 'signed'"
expect_sql '"Missing required headers"' "SELECT r -> 'new' FROM requests WHERE kind = 'unsigned'"
expect_sql t "SELECT bool_and(r ->> 'key' = '\"' || id || '\"' AND id LIKE 'msg\_%') FROM requests WHERE kind <> 'nothing'"
expect_sql 'PUT t' "SELECT concat_ws(' ', r ->> 'method', r ->> 'key' = id) FROM requests WHERE kind = 'nothing'"
expect_sql t "SELECT bool_and(r ->> 'sha256' = encode(sha256(convert_to(jsonb_build_object('n', 1, 'text', E'a \"quote\", ü, \\\\ and 🐘', 'amount', 12.50)::text,
  'UTF8')), 'hex')) FROM requests WHERE kind <> 'h2'"
expect_sql t "SELECT bool_and(abs(at / 1000 - (r ->> 'timestamp')::bigint) < 30) FROM requests"

say "answers"
done_at 3 signed
failed signed error "POST http://127.0.0.1:${port[plain]}/flaky: answered 500" 'try again'
done_at 1 nothing
requests '1 2' moved
failed moved error 'answered 301' 'a redirect, which is not followed' '/elsewhere'
requests 1 refused
failed refused discarded 'answered 422'
for one in busy busy-date; do
  requests '1 2' "$one"
  done_at 2 "$one"
done
expect_sql t "SELECT max(at) - min(at) >= 1999 FROM requests WHERE kind = 'busy'"
expect_sql t "SELECT max(at) - min(at) >= 999 FROM requests WHERE kind = 'busy-date'" # a date has whole seconds
failed busy error 'it asked to be left alone for 2s'
requests '1 2' hangs
failed hangs timeout 'no whole answer within 2s' 'hint: raise timeout'
requests 1 endless
done_at 1 endless
done_at 2 zipped
failed zipped error 'answered 500'
requests 1 gone
gone() { [[ $(sql "SELECT paused_why LIKE '%answered 410%' FROM outbox.kinds WHERE name = 'gone' AND paused_at IS NOT NULL") == t ]]; }
gone || die "kind gone is not paused"
expect_sql paused "SELECT state FROM outbox.job_states WHERE kind = 'gone'"
expect 0 'goes on' "$outboxd" kinds resume gone --url "$operator_url"
eventually 20 "the paused job to be sent again" sent_again
eventually 20 "the kind to be paused again" gone
expect_sql '1 0' "SELECT (SELECT count(*) FROM outbox.jobs WHERE kind = 'gone') || ' ' || (SELECT count(*) FROM outbox.job_failures WHERE kind = 'gone')"
expect_sql 503 "SELECT detail ->> 'status' FROM outbox.job_failures WHERE kind = 'busy-date' LIMIT 1"

say "connections"
for one in cut-headers cut-body; do
  requests '1 2' "$one"
  done_at 2 "$one"
  failed "$one" error "/$one: "
done
undelivered nobody 'Failed to connect' 'hint: is it running'
[[ -z ${port[v6]:-} ]] || expect_sql ::1 "SELECT r ->> 'from' FROM requests WHERE kind = 'v6'"

say "TLS"
requests 1 good
requests 1 mutual
expect_sql client "SELECT r ->> 'client' FROM requests WHERE kind = 'mutual'"
for one in unknown system; do undelivered "$one" 'its certificate is not accepted' 'hint: ' 'ca_file'; done
undelivered expired 'certificate has expired' 'hint: mend the certificate'
undelivered other_host "'localhost'" 'hint: '
undelivered old_tls 'hint: ' 'TLS 1.2'
undelivered mutual_without 'hint: ' client_cert_file

say "HTTP/2"
expect_sql '300 300 1 2.0' "SELECT concat_ws(' ', count(*), count(DISTINCT id), count(DISTINCT connection), max(r ->> 'version')) FROM requests WHERE kind = 'h2'"

processor_stop a
