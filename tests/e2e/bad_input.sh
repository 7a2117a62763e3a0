#!/usr/bin/env bash
# What `outboxd run` does with a configuration, a database, jobs and handlers that are wrong: a message that says what was
# expected, a stable exit code, and neighbours that go on. (Commands for people: cli.sh. Producers: enqueue_sql_pgtest.)
# Needs OUTBOX_TEST_PG (superuser's URL), OUTBOXD (the program) and OUTBOX_SOURCE_DIR.
set -euo pipefail
source "$OUTBOX_SOURCE_DIR/scripts/lib.sh"
source "$OUTBOX_SOURCE_DIR/tests/e2e/support/processor.sh"
trap 'database_drop; rm -rf "$work"' EXIT

configure() { # configure YAML [URL [MORE]]: with the database
  { printf "database: {url: '%s'%s}\n" "${2:-$worker_url}" "${3:-}" && say "$1"; } >"$config"
}
refuses() { # refuses CODE TEXT [YAML]: a start with it
  [[ -z ${3:-} ]] || configure "$3"
  expect "$1" "$2" timeout 10 "$outboxd" run --config "$config"
}
refuses_sql() { refuses 78 "$1" "kinds: {k: {sql: \"$2\"}}"; }
insert_refused() { # insert_refused TEXT VALUES-OF-INSERT
  expect 1 "$1" sql "INSERT INTO outbox.jobs (kind, payload, queue) VALUES ($2)" "$app_url"
}

say "a database that is not ready"
database_create "e2e_bad_input_$$"
configure 'kinds: {k: {sql: SELECT 1}}'
refuses 3 'outboxd migrate up'
"$outboxd" migrate up --to 2 --url "$migrator_url" >/dev/null
refuses 3 'the schema is older than version 5'
configure 'kinds: {k: {sql: SELECT 1}}' "$url" ', allow_privileged_role: true'
refuses 3 'the schema is at version 2, this program needs '
configure 'kinds: {k: {sql: SELECT 1}}'
migrate_up
sql "INSERT INTO outbox.schema_migrations (version, name, min_reader) VALUES (99, 'future', 99)"
refuses 8 'do not restart it: deploy the newer program'
sql 'DELETE FROM outbox.schema_migrations WHERE version = 99'
sql "INSERT INTO outbox.schema_migrations (version, name, min_reader) VALUES (99, 'future', 3)"
processor_start newer # newer, but it says that this program may run
processor_stop newer
sql 'DELETE FROM outbox.schema_migrations WHERE version = 99'
printf 'database: {url: "postgresql://127.0.0.1:1/none"}\nkinds: {k: {sql: SELECT 1}}\n' >"$config"
refuses 69 'retrying helps'
configure 'kinds: {k: {sql: SELECT 1}}'
sed -i "s/dbname=$database/dbname=no_such_database/" "$config"
refuses 69 'no_such_database'

say "a role that may too much, or too little"
outsider="outbox_bad_input_$$"
sql "CREATE ROLE $outsider LOGIN IN ROLE outbox_owner"
kinds='kinds: {k: {sql: SELECT 1}}'
configure "$kinds" "$url"
refuses 78 ", a superuser, and so would every handler; expected a login role that is a member of outbox_runtime"
grep -q 'GRANT outbox_runtime TO app_worker.*database.allow_privileged_role: true' "$work/out" || die "it does not say what to do: $(<"$work/out")"
configure "$kinds" "$migrator_url"
refuses 78 'a member of outbox_owner, the owner of schema outbox'
configure "$kinds" "$url&user=$outsider" ', allow_privileged_role: true'
processor_start allowed
processor_stop allowed
grep -q " privileged_role .*role $outsider is a member of outbox_owner" "$(processor_log allowed)" || die "no warning: $(<"$(processor_log allowed)")"
grep -q " started .*role=$outsider" "$(processor_log allowed)" || die "it does not tell its role: $(<"$(processor_log allowed)")"
sql "REVOKE outbox_owner FROM $outsider"
configure "$kinds" "$url&user=$outsider"
refuses 78 "role '$outsider' lacks rights that a processor needs: USAGE on schema outbox; DELETE, INSERT on outbox.dead_jobs"
grep -q 'roles.sql.*grant_roles()' "$work/out" || die "it does not say what to do: $(<"$work/out")"
sql "DROP ROLE $outsider"
configure "$kinds"

say "a configuration that is wrong"
expect 78 'cannot open the file' "$outboxd" run --config "$work/none.yaml"
{ configure 'kinds: {k: {sql: SELECT 1}}' && head -c 2M /dev/zero | tr '\0' '#' >>"$config"; }
refuses 78 'larger than 1 MiB'
refuses 78 'has 64 characters, expected at most 63' "queues: {$(printf 'q%.0s' {1..64}): {}}
kinds: {k: {sql: SELECT 1}}"
refuses 78 'kind nowhere: there is no function app.nowhere(jsonb[, bigint[, integer[, jsonb]]])' 'kinds: {nowhere: {function: app.nowhere}}'
refuses 78 'may not use the role nobody_here' 'kinds: {k: {sql: SELECT 1, role: nobody_here}}'
refuses 78 'it has no http, exec, sql or function' 'kinds: {k: {timeout: 1s}}'
refuses 78 'kinds.k.http: is a second handler' "kinds: {k: {sql: SELECT 1, http: {url: 'https://h/'}}}"
refuses 78 'a host that ends in a number, but is no IPv4 address' "kinds: {k: {http: {url: 'https://2130706433/'}}}"
refuses 78 "the header 'Host' is set by outboxd itself" "kinds: {k: {http: {url: 'https://h/', headers: {Host: x}}}}"
refuses 78 "the program 'thumb' is not an absolute path" 'kinds: {k: {exec: {argv: [thumb]}}}'
(umask 022 && printf 'whsec_s3cret\n' >"$work/keys")
refuses 78 "can be read by everybody" "kinds: {k: {http: {url: 'https://h/', signing_file: keys}}}"
chmod 600 "$work/keys"
refuses 78 'key 1 of 1 is not base64' "kinds: {k: {http: {url: 'https://h/', signing_file: keys}}}"
! grep -q s3cret "$work/out" || die "it quotes a secret: $(<"$work/out")"
refuses_sql 'syntax error' 'SELEC 1'
refuses_sql 'app.nothing' 'SELECT * FROM app.nothing'
refuses_sql "there is no parameter \$5" "SELECT \$5"
refuses_sql 'syntax error' 'COMMIT'
refuses_sql 'multiple commands' 'SELECT 1; COMMIT'
refuses_sql 'syntax error' 'CALL app.commit()'
refuses_sql 'syntax error' "DO 'BEGIN COMMIT; END'"

say "jobs that are wrong"
insert_refused 'the queue name has 64 characters; 1 to 63 are allowed' "'k', '{}', repeat('q', 64)"
insert_refused 'invalid input syntax for type json' "'k', '{not json', 'default'"
insert_refused 'unsupported Unicode escape sequence' "'k', '\"\\u0000\"', 'default'"
insert_refused 'Retrying unchanged does not help' "repeat('k', 64), '{}', 'default'"

sql 'CREATE SCHEMA app'
sql 'CREATE TABLE app.effects (id bigint)'
sql "CREATE PROCEDURE app.commit() LANGUAGE plpgsql AS 'BEGIN COMMIT; END'"
sql "CREATE FUNCTION app.break(payload jsonb, id bigint) RETURNS void LANGUAGE plpgsql AS \$\$
DECLARE how text := payload ->> 'how';
BEGIN
  INSERT INTO app.effects VALUES (id); -- to be undone
  CASE how
    WHEN 'sql' THEN PERFORM 1 / (payload ->> 'zero')::int;
    WHEN 'raise' THEN RAISE EXCEPTION USING MESSAGE = 'it rained', DETAIL = 'for days', HINT = 'wait for the sun';
    WHEN 'execute commit' THEN EXECUTE 'COMMIT';
    WHEN 'call commit' THEN CALL app.commit();
    WHEN 'do commit' THEN EXECUTE 'DO ''BEGIN ROLLBACK; END''';
    WHEN 'megabyte' THEN RAISE EXCEPTION '%', repeat('large ', 200000);
    WHEN 'wide megabyte' THEN RAISE EXCEPTION '%', repeat('ü€😀', 100000);
    WHEN 'control' THEN RAISE EXCEPTION '%', E'red \\x1b[31m bell \\x07 back \\x08 line\\r\\nnext \\u0085 c1';
    WHEN 'empty' THEN RAISE EXCEPTION USING MESSAGE = '';
    WHEN 'fake' THEN RAISE EXCEPTION USING ERRCODE = 'OB013', MESSAGE = 'not one of ours';
    WHEN 'leave' THEN PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(1);
    WHEN 'role' THEN EXECUTE 'SET LOCAL ROLE no_such_role';
  END CASE;
END \$\$"

died_of() { # died_of HOW SQLSTATE TEXT
  expect_sql "attempts error $2 t t t" "SELECT concat_ws(' ', d.reason, f.reason, f.sqlstate, strpos(f.error, '$3') > 0, length(f.error) <= 8192,
    octet_length(d.last_error) <= 4096) FROM outbox.dead_jobs d JOIN outbox.job_failures f ON f.job_id = d.id WHERE d.payload ->> 'how' = '$1'"
}
none_left_but_unknown() { [[ $(sql "SELECT count(*) FROM outbox.jobs WHERE kind <> 'unknown'") == 0 ]]; }

for lane in direct claimed; do
  say "handlers that are wrong, lane $lane"
  configure "kinds:
  works: {sql: 'INSERT INTO app.effects VALUES (\$2)', lane: $lane}
  breaks: {function: app.break, lane: $lane, backoff: {first: 1ms, cap: 1ms}}"
  sql "INSERT INTO outbox.jobs (kind, payload, max_attempts)
    SELECT unnest(ARRAY['works', 'breaks', 'unknown']), jsonb_build_object('how', how), 1 FROM unnest(ARRAY['sql', 'raise', 'execute commit', 'call commit',
      'do commit', 'megabyte', 'wide megabyte', 'control', 'empty', 'fake', 'leave', 'role']) AS how"
  sql "UPDATE outbox.jobs SET payload = payload || '{\"zero\": 0}' WHERE payload ->> 'how' = 'sql'"
  processor_start p
  eventually 30 "all jobs but the unknown ones to end" none_left_but_unknown
  processor_stop p

  died_of sql 22012 'division by zero'
  died_of raise P0001 'it rained'
  died_of 'execute commit' 0A000 'transaction'
  died_of 'call commit' 2D000 'invalid transaction termination'
  died_of 'do commit' 2D000 'invalid transaction termination'
  died_of megabyte P0001 'large large'
  died_of 'wide megabyte' P0001 'ü€😀ü€😀'
  died_of control P0001 'red '
  died_of empty P0001 ''
  died_of fake P0001 'not one of ours'
  died_of leave 08006 'the connection was lost each time it ran'
  died_of role 22023 'no_such_role'
  expect_sql 12 'SELECT count(*) FROM outbox.dead_jobs'
  expect_sql '12 12' "SELECT count(*) || ' ' || count(DISTINCT id) FROM app.effects" # the works alone
  expect_sql 12 "SELECT count(*) FROM outbox.finished_jobs WHERE kind = 'works'"
  expect_sql 12 "SELECT count(*) FROM outbox.jobs WHERE kind = 'unknown' AND attempt = 0 AND claim_token = 0"
  for id in $(sql "SELECT id FROM outbox.dead_jobs WHERE payload ->> 'how' IN ('control', 'wide megabyte', 'empty')"); do
    expect 0 "$id" "$outboxd" jobs show "$id" --url "$operator_url"
    ! LC_ALL=C grep -q $'[\x01-\x08\x0b-\x1f\x7f]' "$work/out" || die "control characters in what is shown: $(cat -v "$work/out")"
  done
  sql 'DELETE FROM app.effects; DELETE FROM outbox.jobs; DELETE FROM outbox.dead_jobs; DELETE FROM outbox.job_failures; DELETE FROM outbox.finished_jobs'
done
database_drop

say "bytes that are not UTF-8, in a database that does not care"
database_create "e2e_bad_bytes_$$" "ENCODING SQL_ASCII LC_COLLATE 'C' LC_CTYPE 'C'"
migrate_up
sql "CREATE FUNCTION bad_bytes() RETURNS void LANGUAGE plpgsql AS \$\$ BEGIN RAISE EXCEPTION '%', E'broken \\xff\\xfe bytes'; END \$\$"
for lane in direct claimed; do
  configure "kinds:
  works: {sql: SELECT 1, lane: $lane}
  breaks: {sql: SELECT bad_bytes(), lane: $lane}"
  sql "INSERT INTO outbox.jobs (kind, max_attempts) SELECT unnest(ARRAY['works', 'breaks']), 1 FROM generate_series(1, 3)"
  processor_start p
  eventually 30 "the queue to be empty" jobs_done
  processor_stop p
  expect_sql '3 3' "SELECT (SELECT count(*) FROM outbox.dead_jobs) || ' ' || (SELECT count(*) FROM outbox.finished_jobs)"
  expect 0 'breaks' "$outboxd" jobs list --url "$operator_url"
  sql 'DELETE FROM outbox.dead_jobs; DELETE FROM outbox.finished_jobs'
done
