# The ledger proof. The application is pgbench's TPC-B-like workload, whose every transaction also
# inserts a job; the processor posts each to a mirror of pgbench_history; proof.sql compares the two.
# Sourced after scripts/lib.sh by tests and by scripts/quickstart.
# shellcheck shell=bash

ledger=$(dirname "${BASH_SOURCE[0]}")
source "$ledger/../support/processor.sh"
pgbench=$(pg_bindir)/pgbench
bench='' bench_scale=1
declare -A proof=()

ledger_create() { # ledger_create DATABASE SCALE [LANE]: the tables, and the configuration
  local lane=${3:-auto}
  bench_scale=$2
  database_create "$1"
  sql "GRANT CREATE, USAGE ON SCHEMA public TO ${logins}_app"
  quietly "$work/init.log" "$pgbench" -i -I dtGvp -s "$bench_scale" -d "$app_url" || die "pgbench -i failed, see above"
  psql -X -q -v ON_ERROR_STOP=1 -v role="$database" -v worker="${logins}_worker" -d "$url" -f "$ledger/schema.sql"
  migrate_up
  cat >"$config" <<YAML
database:
  url: '$worker_url'
kinds:
  post_entry:
    function: ledger.post
    role: $database
    lane: $lane
    backoff: {first: 100ms, cap: 1s}
YAML
}

ledger_stop() { # at once, whatever runs
  [[ -z $bench ]] || kill "$bench" 2>/dev/null || true
  bench=''
  processors_kill
}

ledger_drop() {
  local role=$database
  ledger_stop
  database_drop
  [[ -z $role ]] || psql -X -q -d "$server" -c "DROP ROLE IF EXISTS $role" 2>/dev/null || true
}

# The four scripts: by INSERT and by outbox.enqueue; nine of ten commit, one rolls back.
load_start() { # load_start SECONDS CLIENTS
  local script
  for script in insert enqueue; do
    sed 's/^COMMIT;/ROLLBACK;/' "$ledger/$script.pgbench" >"$work/$script-undone.pgbench"
  done
  "$pgbench" -n -M prepared -s "$bench_scale" -T "$1" -c "$2" -j 1 -f "$ledger/insert.pgbench@9" -f "$work/insert-undone.pgbench@1" \
    -f "$ledger/enqueue.pgbench@9" -f "$work/enqueue-undone.pgbench@1" -d "$app_url" >"$work/pgbench.log" 2>&1 </dev/null &
  bench=$!
}

load_runs() { kill -0 "$bench" 2>/dev/null; }

# load_wait: sets committed and rolled_back as the client counted them, script by script.
load_wait() {
  local counts
  wait "$bench" || die "pgbench failed: $(tail -n 20 "$work/pgbench.log")"
  bench=''
  mapfile -t counts < <(sed -n 's/^ - \([0-9]*\) transactions .*/\1/p' "$work/pgbench.log")
  ((${#counts[@]} == 4)) || die "expected the counts of 4 scripts: $(<"$work/pgbench.log")"
  committed=$((counts[0] + counts[2])) rolled_back=$((counts[1] + counts[3]))
}

has_waiting() { # has_waiting COUNT
  (($(sql "SELECT count(*) FROM (SELECT FROM outbox.jobs LIMIT $1) j") == $1))
}

read_row() { # read_row FILE: its one row into proof, by column
  local name value
  while IFS='=' read -r name value; do
    [[ -z $name ]] || proof[$name]=$value
  done < <(psql -X -q -A -t -x -F = -v ON_ERROR_STOP=1 -d "$url" -f "$ledger/$1")
}

# ledger_problems: one line for each way in which not every committed transaction had exactly one
# effect, or another had one. Call read_row proof.sql first.
ledger_problems() {
  local name
  for name in missing extra accounts_differ balances_differ not_one_effect live claimed dead; do
    ((${proof[$name]:--1} == 0)) || say "$name: ${proof[$name]:-unknown}"
  done
  ((committed > 0 && rolled_back > 0)) || say "the load did nothing"
  for name in entries effects finished; do
    ((${proof[$name]:--1} == committed)) || say "$name: ${proof[$name]:-unknown} of $committed committed"
  done
}

ledger_check() {
  local problems
  read_row proof.sql
  problems=$(ledger_problems)
  [[ -z $problems ]] || die "the mirror is not the history: $problems"
}
