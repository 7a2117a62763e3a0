# What the scenarios share that take the database away: when jobs finish again, that no job is charged
# for it, and servers of the scenario's own, which it may break. Sourced after lib.sh.
# shellcheck shell=bash disable=SC2154

# ---- outages

outages_begin() { sql 'CREATE TABLE chaos.outages (round int, how text, down timestamptz, up timestamptz)'; }

# writable ROUND HOW DOWN: waits until the database takes writes; DOWN (seconds since 1970) is any moment
# at which it surely took none: what finished since then is the first after the outage.
writable() {
  local end=$((SECONDS + 120))
  until sql "INSERT INTO chaos.outages VALUES ($1, '$2', to_timestamp($3), clock_timestamp())" 2>>"$work/psql.log"; do
    ((SECONDS < end)) || die "round $1, $2: the server takes no writes: $(tail -n 3 "$work/psql.log")"
    sleep 0.01
  done
  eventually 30 "round $1, $2: a job to finish after the outage" finished_since "$3"
  processors_live
}

finished_since() { [[ $(sql "SELECT EXISTS (SELECT FROM outbox.finished_jobs WHERE finished_at > to_timestamp($1))") == t ]]; }

processors_live() {
  local name
  for name in "${!processors[@]}"; do
    kill -0 "${processors[$name]}" 2>/dev/null || die "processor $name ended: $(tail -n 20 "$(processor_log "$name")")"
  done
}

resumed() { # for each way to fail: when jobs finished, counted from the first write that the server took
  sql "SELECT format('%s after %s: jobs finished again after p50 %s max %s ms', count(*), how,
              percentile_disc(0.5) WITHIN GROUP (ORDER BY ms), max(ms))
         FROM (SELECT o.how, greatest(0, round(date_part('epoch', min(f.finished_at) - o.up) * 1000)) AS ms
                 FROM chaos.outages o JOIN outbox.finished_jobs f ON f.finished_at > o.down GROUP BY o.round, o.how, o.up) w
        GROUP BY how"
}

# Failed attempts that the load did not ask for. A crash of a processor is recorded, but is none.
unasked="FROM outbox.job_failures WHERE reason <> 'crash' AND error NOT LIKE '%fails, as it was told%'"

charged() { # by reason and SQLSTATE
  sql "SELECT coalesce(string_agg(format('%s %s %s', n, reason, sqlstate), ', ' ORDER BY n DESC), 'none')
         FROM (SELECT count(*) AS n, reason, coalesce(sqlstate, '-') AS sqlstate $unasked GROUP BY 2, 3) f"
}

# charged_none [CONDITION]: no attempt was charged but those that the load asked for, each of these once,
# and those of CONDITION.
charged_none() {
  local all
  all=$(charged)
  say "charged besides what was asked for: $all"
  expect_sql 0 "SELECT count(*) $unasked AND NOT (${1:-false})"
  expect_sql 0 "SELECT (SELECT count(*) FROM outbox.finished_jobs WHERE (payload ->> 'fail')::int > 0)
    - (SELECT count(*) FROM outbox.job_failures WHERE error LIKE '%fails, as it was told%')"
}

# ---- servers: node NAME has its socket and its data below $nodes/NAME, its log in $nodes/NAME.log. All
# have the same port number: their addresses differ in the directory.

nodes='' node_port=5432 node_user='' bin='' initdb_options=()

nodes_begin() { # takes the place of chaos_begin, up to the database
  trap 'chaos_end || true; nodes_end' EXIT
  say "seed $seed, $rounds rounds, $rate jobs/s"
  bin=$(pg_bindir) || die "no PostgreSQL server found. hint: run scripts/setup"
  nodes=$(mktemp -d /tmp/chaos-XXXXXX)
  node_user=$(id -un)
  ((EUID != 0)) || node_user=postgres
  chown "$node_user" "$nodes"
}

nodes_end() {
  local data
  for data in "$nodes"/*/data; do
    [[ ! -f $data/postmaster.pid ]] || as_server "$bin/pg_ctl" stop -D "$data" -m immediate -s -w -t 30 || true
  done
  [[ -z ${CHAOS_KEEP:-} ]] || { note "servers are in $nodes" && return; }
  for data in "$nodes"/*/; do ! mountpoint -q "$data" || umount "$data"; done
  rm -rf "$nodes"
}

as_server() {
  if ((EUID == 0)); then
    (cd / && runuser -u "$node_user" -- "$@")
  else
    "$@"
  fi
}

node_create() { # node_create NAME [name=value]…
  as_server mkdir -p -m 700 "$nodes/$1"
  quietly "$work/initdb.log" as_server "$bin/initdb" -D "$nodes/$1/data" -U postgres --auth=trust -E UTF8 --locale=C.UTF-8 --no-sync \
    ${initdb_options[@]+"${initdb_options[@]}"} || die "initdb failed, see above"
  printf '%s\n' "port = $node_port" "listen_addresses = ''" "max_connections = 200" "shared_buffers = 128MB" "wal_log_hints = on" "wal_keep_size = 2GB" \
    "log_line_prefix = '%m [%p] %q%a '" "${@:2}" | as_server tee -a "$nodes/$1/data/postgresql.conf" >/dev/null
}

# What differs between the nodes is on the command line: pg_rewind and pg_basebackup copy the files.
node_start() { # node_start NAME [PRIMARY that it would follow]
  eventually 60 "server $1 to start, see $nodes/$1.log" node_starts "$@"
}

# Children of a server that was killed may be there for a while, and keep the next one from starting.
node_starts() {
  local options="-c unix_socket_directories=$nodes/$1"
  [[ -z ${2:-} ]] || options+=" -c 'primary_conninfo=$(node_address "$2") application_name=$1'"
  as_server "$bin/pg_ctl" start -D "$nodes/$1/data" -l "$nodes/$1.log" -o "$options" -s -w -t 120 >"$work/start.log" 2>&1 </dev/null
}

node_address() { say "host=$nodes/$1 port=$node_port user=postgres"; }
node_pid() { head -n 1 "$nodes/$1/data/postmaster.pid" 2>/dev/null; }
node_runs() { kill -0 "$(node_pid "$1")" 2>/dev/null; }
node_stop() { as_server "$bin/pg_ctl" stop -D "$nodes/$1/data" -m "$2" -s -w -t 60; } # node_stop NAME MODE

node_sql() { # node_sql NAME QUERY
  psql -X -q -A -t -v ON_ERROR_STOP=1 -d "$(node_address "$1") dbname=postgres" -c "$2"
}

gone() { ! kill -0 "$1" 2>/dev/null; }
