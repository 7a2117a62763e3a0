#!/usr/bin/env bash
# Runs the blocks of README.md, in order, as a reader would: sh, sql, yaml, js; compares the C++ one with the example that is built. Those
# about endpoints and scripts are recipes.sh's.
# SQL that begins a transaction is an application's, SQL that looks at queue_health an operator's, other SQL a superuser's; the logins
# are those that README.md makes. What README.md deploys and rolls back is the next release's first migration (tests/next).
# Needs OUTBOXD and OUTBOXD_NEXT (the programs), OUTBOX_TEST_PG (superuser URL of a throw-away cluster), OUTBOX_SOURCE_DIR.
set -euo pipefail

work=$(mktemp -d)
last=$(printf '%s\n' "$OUTBOX_SOURCE_DIR"/migrations/*.up.sql | tail -n 1)
last=${last##*/}
next=$((10#${last%%_*} + 1))
database=readme_$$
processor=
cleanup() {
  [[ -z $processor ]] || kill -9 "$processor" 2>/dev/null || true
  psql -qX "$OUTBOX_TEST_PG" -c "DROP DATABASE IF EXISTS $database WITH (FORCE)" \
    -c 'DROP ROLE IF EXISTS app_deploy, app_worker, app_web, app_admin' || true
  rm -rf "$work"
}
trap cleanup EXIT
fail() {
  echo "readme: $*" >&2
  [[ ! -s $work/run.log ]] || tail -20 "$work/run.log" >&2
  exit 1
}

psql -qX "$OUTBOX_TEST_PG" -c "CREATE DATABASE $database"
# The same URL with another database: postgresql://…/name?… or postgresql:///name?…
url=$(sed -E "s#^(postgresql://[^/]*/)[^?]*#\1$database#" <<<"$OUTBOX_TEST_PG")
export PATH="${OUTBOXD%/*}:$PATH"
here() { # its URLs, for this database
  local line
  while IFS= read -r line; do
    [[ ! $line =~ ^(.*)postgresql://([a-z_]+)@/app(.*)$ ]] || line="${BASH_REMATCH[1]}$url&user=${BASH_REMATCH[2]}${BASH_REMATCH[3]}"
    printf '%s\n' "$line"
  done
}

# The client that the Node block requires: Debian's node-pg, else from the npm registry, once for a build directory.
find_node_client() {
  export NODE_PATH=/usr/share/nodejs
  ! node -e "require('pg')" 2>/dev/null || return 0
  local modules=$OUTBOX_BUILD_DIR/node
  mkdir -p "$modules"
  [[ -d $modules/node_modules/pg ]] ||
    npm install --prefix "$modules" --no-audit --no-fund --loglevel=error pg@8 >"$work/out" 2>&1 ||
    { cat "$work/out" >&2; fail "neither node-pg (Debian) nor npm's pg can be had"; }
  export NODE_PATH=$modules/node_modules
}

start_processor() {
  (cd "$work" && exec outboxd run --config outboxd.yaml) >"$work/run.log" 2>&1 &
  processor=$!
  for _ in $(seq 200); do
    kill -0 "$processor" 2>/dev/null || fail "the processor ended at once"
    [[ $(psql -qXAt "$url" -c 'SELECT count(*) FROM outbox.processors') == 1 ]] && return
    sleep 0.05
  done
  fail "the processor did not register"
}

run_line() {
  local line=$1
  case $line in
    '') ;;
    scripts/quickstart | scripts/test) [[ -x $OUTBOX_SOURCE_DIR/$line ]] || fail "$line cannot be run" ;; # tests of their own
    'export OUTBOX_URL='*)
      OUTBOX_URL=$(here <<<"${line#*=}")
      export OUTBOX_URL
      ;;
    'psql '*) psql -qX -v ON_ERROR_STOP=1 --single-transaction -d "$url" -f "$OUTBOX_SOURCE_DIR/${line##* -f }" ||
      fail "'$line' failed" ;;
    'outboxd run '*) start_processor ;;
    'outboxd migrate plan' | 'outboxd migrate rehearse '* | 'outboxd migrate up') # of a deploy: so with the next release
      run_line "$OUTBOXD_NEXT ${line#outboxd } --to $next" ;;
    *)
      echo "readme: $line"
      (cd "$work" && eval "$(sed -E "s#--url ([^ ]*)#--url '\1'#" <<<"$line" | here)") >"$work/out" 2>&1 </dev/null || {
        cat "$work/out" >&2
        fail "'$line' failed"
      }
      ;;
  esac
}

run_block() {
  local language=$1 file=$2 line as=$url
  case $language in
    sh)
      while IFS= read -r line <&3; do run_line "$(sed -E 's/[[:space:]]+#.*//' <<<"$line")"; done 3<"$file"
      ;;
    sql)
      ! grep -q '^BEGIN;' "$file" || as="$url&user=app_web"
      ! grep -q 'outbox\.queue_health' "$file" || as="$url&user=app_admin"
      psql -qX -v ON_ERROR_STOP=1 "$as" -f "$file" >/dev/null || fail "the SQL block $file failed"
      ;;
    yaml) sed -E "s#url: (.*)#url: '\1'#" "$file" | here >"$work/outboxd.yaml" ;;
    js) find_node_client
      node "$file" >"$work/out" 2>&1 || { cat "$work/out" >&2; fail "the Node block failed"; }
      grep -q '^job [0-9]*, new: true$' "$work/out" || fail "the Node block printed: $(cat "$work/out")" ;;
    cpp) tail -n +2 "$OUTBOX_SOURCE_DIR/tests/examples/welcome.cpp" | diff - "$file" || fail "the C++ block is not tests/examples/welcome.cpp" ;;
    *) fail "a block of language '$language' that nothing runs" ;;
  esac
}

awk -v dir="$work" '
  /^## / { elsewhere = /^## (Call an endpoint|Run a script)$/ }
  elsewhere { next }
  /^```./ && !inside { inside = 1; n++; file = sprintf("%s/block%02d.%s", dir, n, substr($0, 4)); next }
  /^```/ { inside = 0; close(file); next }
  inside { print > file }' "$OUTBOX_SOURCE_DIR/README.md"
blocks=("$work"/block*)
((${#blocks[@]} >= 8)) || fail "found only ${#blocks[@]} blocks"
for block in "${blocks[@]}"; do
  run_block "${block##*.}" "$block"
done

# Two jobs from SQL, one from Node, one from the command line.
for _ in $(seq 200); do
  [[ $(psql -qXAt "$url" -c 'SELECT count(*) FROM ledger.entries') == 4 ]] && break
  sleep 0.05
done
changes=$(psql -qXAt "$url" -c "SELECT string_agg(direction, ' ' ORDER BY id) FROM outbox.schema_changes WHERE version = $next")
[[ $changes == 'up down' ]] || fail "the deploy and the rollback did not happen: '$changes'"
result=$(psql -qXAt "$url" -c 'SELECT sum(delta), count(*) FROM ledger.entries' -c 'SELECT count(*) FROM outbox.jobs' | paste -sd' ')
[[ $result == "66|4 0" ]] || fail "sum and count of the entries, jobs left: $result, expected 66|4 0"
kill -TERM "$processor"
status=0
wait "$processor" || status=$?
processor=
((status == 0)) || fail "SIGTERM ended the processor with $status"
echo "readme: all ${#blocks[@]} blocks ran"
