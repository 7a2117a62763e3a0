# PgBouncer in transaction mode before the test server. Sourced after support/processor.sh; needs OUTBOX_TEST_PG_TCP
# (a URL with a password). Sets bouncer (its pid, for bouncer_stop) and pooled (the URL of $database through it).
# shellcheck shell=bash disable=SC2154

bouncer='' pooled=''

# bouncer_start [LOGIN]: pooled is that login's URL (the superuser's, if none is named). Six server connections: those who hold
# more take turns.
bouncer_start() {
  local login=()
  [[ $OUTBOX_TEST_PG_TCP =~ ^postgresql://[^@]+@([^:]+):([0-9]+)/ ]] || die "OUTBOX_TEST_PG_TCP: expected a URL with a password"
  cat >"$work/pgbouncer.ini" <<INI
[databases]
* = host=${BASH_REMATCH[1]} port=${BASH_REMATCH[2]}
[pgbouncer]
pool_mode = transaction
default_pool_size = 6
auth_type = trust
auth_file = $work/users
listen_addr =
listen_port = 6432
unix_socket_dir = $work
INI
  login_passwords "$OUTBOX_TEST_PG_TCP" "$work/users"
  ((EUID != 0)) || login=(setpriv --reuid nobody --regid nogroup --clear-groups)
  ((EUID != 0)) || chown nobody "$work"
  "${login[@]}" /usr/sbin/pgbouncer -q "$work/pgbouncer.ini" >"$work/pgbouncer.log" 2>&1 </dev/null &
  bouncer=$!
  pooled="postgresql://${1:-postgres}@/$database?host=${work//\//%2F}&port=6432"
  eventually 10 "PgBouncer to answer, see $work/pgbouncer.log" psql -X -q -d "$pooled" -c 'SELECT 1' -o /dev/null
}

bouncer_stop() {
  [[ -z $bouncer ]] || { kill "$bouncer" && wait "$bouncer"; } 2>/dev/null || true
  bouncer=''
}
