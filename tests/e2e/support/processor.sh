# Databases and processors of end-to-end tests. Sourced after scripts/lib.sh; the caller may say
# which program, server and directory to use (outboxd, server, work), else the environment does.
# shellcheck shell=bash disable=SC2034,SC2154  # what the callers read; root

outboxd=${outboxd:-${OUTBOXD:-}}
server=${server:-${OUTBOX_TEST_PG:-}}
work=${work:-$(mktemp -d)}
config=$work/outboxd.yaml
logins=${logins:-outbox_test} # what the names of the logins of tests/support/logins.sql begin with
database='' url='' migrator_url='' worker_url='' app_url='' operator_url=''
declare -A processors=() # pids by name

database_plain() { # database_plain NAME [CREATE DATABASE options]: without roles. Sets database and url, the superuser's
  database=$1
  shift
  psql -X -q -v ON_ERROR_STOP=1 -d "$server" -c "CREATE DATABASE $database TEMPLATE template0 $*"
  url="$server&dbname=$database" migrator_url="$server&dbname=$database"
}

# database_create NAME [CREATE DATABASE options]: with roles and logins. The superuser's url is for tests to arrange and to look;
# the migrations, the processors, the application and people have logins of their own.
database_create() {
  database_plain "$@"
  PGOPTIONS="-c outbox.logins=$logins" psql -X -q -v ON_ERROR_STOP=1 --single-transaction -d "$url" -f "$root/migrations/roles.sql" \
    -f "$root/tests/support/logins.sql"
  migrator_url="$url&user=${logins}_migrator" worker_url="$url&user=${logins}_worker"
  app_url="$url&user=${logins}_app" operator_url="$url&user=${logins}_operator"
}

migrate_up() { quietly "$work/migrate.log" "$outboxd" migrate up --url "$migrator_url" || die "outboxd migrate up failed, see above"; }

# login_passwords URL FILE: over TCP the logins need one; they get the superuser's, which is in URL, and PgBouncer's list of users is written to FILE.
login_passwords() {
  local tcp=$1 file=$2 login password
  [[ $tcp =~ ^postgresql://([^:]+):([^@]+)@ ]] || die "expected a URL with a password, got $tcp"
  password=${BASH_REMATCH[2]}
  say "\"${BASH_REMATCH[1]}\" \"$password\"" >"$file"
  for login in migrator worker app operator; do
    sql "ALTER ROLE ${logins}_$login PASSWORD '$password'"
    say "\"${logins}_$login\" \"$password\"" >>"$file"
  done
}

processors_kill() {
  local name
  for name in "${!processors[@]}"; do kill -KILL "${processors[$name]}" 2>/dev/null || true; done
  processors=()
}

database_drop() { # with its processors
  processors_kill
  [[ -z $database ]] || psql -X -q -d "$server" -c "DROP DATABASE IF EXISTS $database WITH (FORCE)" || true
  database=''
}

sql() { psql -X -q -A -t -v ON_ERROR_STOP=1 -d "${2:-$url}" -c "$1"; } # sql QUERY [URL]

expect_sql() { # expect_sql VALUE QUERY
  local got
  got=$(sql "$2")
  [[ $got == "$1" ]] || die "expected '$1', got '$got': $2"
}

expect() { # expect CODE TEXT COMMAND…: its exit code, and a text in what it prints; that stays in $work/out
  local code=$1 text=$2 got=0
  shift 2
  "$@" >"$work/out" 2>&1 </dev/null || got=$?
  ((got == code)) || die "expected exit code $code, got $got: $*: $(tail -c 4000 "$work/out")"
  grep -qF -- "$text" "$work/out" || die "expected '$text' from: $*: $(tail -c 4000 "$work/out")"
}

eventually() { # eventually SECONDS WHAT COMMAND…
  local end=$((SECONDS + $1)) what=$2
  shift 2
  until "$@"; do
    ((SECONDS < end)) || die "waited in vain: $what"
    sleep 0.05
  done
}

has_finished() { (($(sql 'SELECT count(*) FROM outbox.finished_jobs') >= $1)); } # has_finished COUNT

jobs_done() { [[ $(sql 'SELECT count(*) FROM (SELECT FROM outbox.jobs LIMIT 1) j') == 0 ]]; }

processor_log() { say "$work/processor-$1.log"; }

processor_start() { # processor_start NAME [PROGRAM]: returns when it is registered
  "${2:-$outboxd}" run --config "$config" >"$(processor_log "$1")" 2>&1 </dev/null &
  processors[$1]=$!
  eventually 30 "processor $1 to register, see $(processor_log "$1")" processor_registered "$1"
}

processor_id() { sql "SELECT max(id) FROM outbox.processors WHERE pid = ${processors[$1]}"; }

processor_registered() {
  kill -0 "${processors[$1]}" 2>/dev/null || die "processor $1 ended: $(tail -n 20 "$(processor_log "$1")")"
  [[ -n $(processor_id "$1") ]]
}

processor_wait() { # processor_wait NAME CODE: waits for its end, which must have this exit code
  local code=0
  wait "${processors[$1]}" 2>/dev/null || code=$?
  unset "processors[$1]"
  ((code == $2)) || die "processor $1 ended with $code, expected $2: $(tail -n 20 "$(processor_log "$1")")"
}

processor_signal() { kill -"$2" "${processors[$1]}"; } # processor_signal NAME SIGNAL

processor_stop() {
  processor_signal "$1" TERM
  processor_wait "$1" 0
}

processor_kill() { # what a crash looks like
  processor_signal "$1" KILL
  processor_wait "$1" 137
}
