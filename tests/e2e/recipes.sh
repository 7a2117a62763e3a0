#!/usr/bin/env bash
# Runs what README.md says about endpoints and scripts: each receiver of its recipes gets jobs, the same request twice, and a forged one; the
# script gets jobs. Hosts, paths and logins are replaced by this test's own. Needs OUTBOX_TEST_PG (superuser's URL), OUTBOXD (the program),
# OUTBOX_BUILD_DIR and OUTBOX_SOURCE_DIR.
set -euo pipefail
source "$OUTBOX_SOURCE_DIR/scripts/lib.sh"
source "$OUTBOX_SOURCE_DIR/tests/e2e/support/processor.sh"
source "$OUTBOX_SOURCE_DIR/tests/e2e/http/lib.sh"
shop=''
finish() {
  [[ -z $shop ]] || kill "$shop" 2>/dev/null || true
  database_drop
  rm -rf "$work"
}
trap finish EXIT
export PATH="${OUTBOXD%/*}:$PATH"

section() { # section HEADING: its code blocks, as files $work/HEADING/NN.LANGUAGE
  mkdir -p "$work/$1"
  awk -v heading="## $1" -v dir="$work/$1" '
    /^## / { here = $0 == heading }
    here && /^```./ && !inside { inside = 1; file = sprintf("%s/%02d.%s", dir, ++n, substr($0, 4)); next }
    inside && /^```/ { inside = 0; close(file); next }
    inside { print > file }' "$OUTBOX_SOURCE_DIR/README.md"
}
block() { # block HEADING LANGUAGE TEXT: the one file of that section and language that has the text
  local files
  mapfile -t files < <(grep -lF -- "$3" "$work/$1/"*".$2")
  ((${#files[@]} == 1)) || die "expected one block of '$2' with '$3' in '$1', found ${#files[@]}"
  say "${files[0]}" | tee -a "$work/used"
}
adapt() { # adapt FILE: with our database, address and folders
  local text
  text=$(<"$1")
  text=${text//postgresql:\/\/app_worker@\/app/"'$worker_url'"}
  text=${text//https:\/\/shop.example/"http://127.0.0.1:$PORT"}
  text=${text//--dry-run 1 /--dry-run "$(sql 'SELECT max(id) FROM outbox.jobs') "}
  text=${text//\/usr\/local\/bin/"$work/bin"}
  say "${text//\/var\/spool/"$work"}"
}
run_lines() { # run_lines FILE: in $work, each as a reader would, and all must succeed
  local line
  while IFS= read -r line <&3; do
    (cd "$work" && eval "$line") >"$work/out" 2>&1 </dev/null || die "'$line' failed: $(tail -n 20 "$work/out")"
  done 3< <(adapt "$1")
}

answers() { # answers CODE HEADERS BODY
  [[ $(curl -sS -o "$work/out" -w '%{http_code}' -H "@$2" --data-binary "$3" "http://127.0.0.1:$PORT/hooks/orders") == "$1" ]]
}
is_up() {
  kill -0 "$shop" 2>/dev/null || die "the receiver ended: $(<"$work/shop.log")"
  curl -sS -o /dev/null "http://127.0.0.1:$PORT/" 2>"$work/out"
}
orders() { # orders: those that the receiver has, and how many messages it knows
  local query="SELECT group_concat(number, ' ') FROM (SELECT number FROM orders ORDER BY 1) UNION ALL SELECT count(*) FROM received"
  if [[ -f $work/shop.db ]]; then
    python3 -c 'import sqlite3, sys; print("|".join(str(row[0]) for row in sqlite3.connect(sys.argv[1]).execute(sys.argv[2])))' "$work/shop.db" "$query"
  else
    sql "SELECT concat_ws('|', (SELECT string_agg(number::text, ' ' ORDER BY number) FROM orders), (SELECT count(*) FROM received))"
  fi
}
expect_orders() { [[ $(orders) == "$1" ]] || die "expected orders and messages '$1', got '$(orders)': $(tail -n 5 "$work/shop.log")"; }

receive() { # receive COMMAND…: what starts a receiver in $work
  local try
  (cd "$work" && exec "$@") >"$work/shop.log" 2>&1 </dev/null &
  shop=$!
  eventually 20 "the receiver to listen" is_up
  sql 'TRUNCATE received, orders'
  sql "DELETE FROM outbox.finished_jobs"
  sql "INSERT INTO outbox.jobs (kind, payload) SELECT 'order_placed', jsonb_build_object('number', n) FROM generate_series(1, 3) n" "$app_url"
  try=$(block 'Call an endpoint' sh 'outboxd sign')
  for _ in 1 2; do run_lines "$try"; done
  grep -qE '^webhook-signature: v1,' "$work/out" || die "expected the request of a job, got: $(<"$work/out")"
  processor_start a
  eventually 20 "three orders" ended 3 0
  processor_stop a
  expect_orders '1 2 3 7|4'
  # By hand, with a signature of the public package; and one of a key that is not ours.
  # shellcheck disable=SC2016  # it is JavaScript
  (cd "$work" && node --input-type=module -e '
    import { Webhook } from "standardwebhooks";
    const now = new Date();
    const signature = new Webhook(process.env.WEBHOOK_SECRET).sign("msg_by_hand", now, `{"number": 9}`);
    console.log(`webhook-id: msg_by_hand\nwebhook-timestamp: ${Math.floor(now / 1000)}\nwebhook-signature: v1,bm9uZQ== ${signature}`);') >"$work/headers"
  for _ in 1 2; do answers 204 "$work/headers" '{"number": 9}' || die "expected 204: $(<"$work/out")"; done
  answers 401 "$work/headers" '{"number": 8}' || die "expected a forged body to be refused"
  answers 401 /dev/null '{"number": 8}' || die "expected one without signature to be refused"
  sed 's/^webhook-timestamp: .*/webhook-timestamp: 1700000000/' "$work/headers" >"$work/old"
  answers 401 "$work/old" '{"number": 9}' || die "expected an old one to be refused"
  expect_orders '1 2 3 7 9|5'
  kill "$shop"
  wait "$shop" 2>/dev/null || true
}

receiver_packages
ln -s "$npm_home/node_modules" "$work/node_modules"
PORT=$(closed_port)
export PORT
database_create "e2e_recipes_$$"
migrate_up
DATABASE_URL=$(sed -E "s#^(postgresql://[^/]*/)[^?]*#\1$database#" <<<"$OUTBOX_TEST_PG") # node-pg knows no dbname=
export DATABASE_URL
section 'Call an endpoint'
section 'Run a script'

say "endpoints"
run_lines "$(block 'Call an endpoint' sh 'openssl rand')"
WEBHOOK_SECRET=$(<"$work/keys")
export WEBHOOK_SECRET
adapt "$(block 'Call an endpoint' yaml http:)" >"$config"
sql "$(<"$(block 'Call an endpoint' sql received)")"
sql 'CREATE TABLE orders (number int NOT NULL)'
cp "$(block 'Call an endpoint' js 'export async function POST')" "$work/route.mjs"
cp "$programs/next.mjs" "$work/"
receive node next.mjs "$work/route.mjs"
cp "$(block 'Call an endpoint' js 'app.listen')" "$work/shop.mjs"
receive node shop.mjs
cp "$(block 'Call an endpoint' py make_server)" "$work/shop.py"
receive python3 shop.py

say "a script"
mkdir -p "$work/bin" "$work/labels"
adapt "$(block 'Run a script' bash '#!')" >"$work/bin/print-label"
chmod 755 "$work/bin/print-label"
adapt "$(block 'Run a script' yaml exec:)" >"$config"
sql "DELETE FROM outbox.finished_jobs"
job=$(sql "INSERT INTO outbox.jobs (kind, payload) VALUES ('print_label', '{\"for\": \"ann\"}') RETURNING id" "$app_url")
processor_start a
eventually 20 "the label" ended 1 0
processor_stop a
labels=("$work"/labels/*)
((${#labels[@]} == 1)) || die "expected one label, got ${labels[*]}"
[[ ${labels[0]} == */msg_*"$job" && $(<"${labels[0]}") == '{"for": "ann"}' ]] || die "expected a label of job $job: ${labels[0]}: $(<"${labels[0]}")"

unused=$(comm -23 <(printf '%s\n' "$work/"{Call,Run}*/* | sort) <(sort -u "$work/used"))
[[ -z $unused ]] || die "blocks of README.md that nothing runs: $unused"
