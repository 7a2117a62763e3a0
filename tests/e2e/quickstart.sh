#!/usr/bin/env bash
# scripts/quickstart with the program under test: its table when all is well, its exit code when the mirror differs, and that
# it leaves nothing running. Needs OUTBOXD (the program) and OUTBOX_SOURCE_DIR.
set -euo pipefail
source "$OUTBOX_SOURCE_DIR/scripts/lib.sh"
program=${OUTBOXD:?the program}
work=$(mktemp -d) name=quickstart_test_$$
trap 'rm -rf "$work" "$root/build/$name"' EXIT

quickstart() { # quickstart CODE PROGRAM [OPTION]…
  local code=$1 file=$2 got=0
  shift 2
  "$root/scripts/quickstart" --program "$file" --name "$name" --scale 1 "$@" >"$work/out" 2>&1 </dev/null || got=$?
  ((got == code)) || die "expected exit code $code, got $got: $(<"$work/out")"
}
prints() { grep -qE -- "$1" "$work/out" || die "expected '$1': $(<"$work/out")"; }

quickstart 0 "$program" --seconds 3
prints 's  [0-9]+ transactions committed, [0-9]+ jobs finished, [0-9]+ waiting$'
prints 'transactions committed +[1-9][0-9]+$'
prints 'transactions rolled back +[1-9][0-9]*$'
prints 'finished +[1-9][0-9]+$'
prints 'retried after a failure +[0-9]+$'
prints 'dead +0$'
prints 'entries +[1-9][0-9]+ \(missing 0, too many 0\)$'
prints 'accounts that differ +0 of [1-9][0-9]+$'
prints 'effects of each finished job +exactly one$'
prints 'jobs per second +[1-9][0-9]*$'
prints 'from commit to effect +p50 [0-9.]+ ms, p99 [0-9.]+ ms$'
prints '^the mirror equals pgbench_history'
prints 'what to try next'
[[ ! -d $root/build/pg/$name ]] || die "expected the private server to be gone"

# A program that does one thing twice.
cat >"$work/outboxd" <<SH
#!/usr/bin/env bash
if [[ \$1 == run ]]; then
  url=\$(sed -n "s/^  url: '\(.*\)'/\1/p" "\$3")
  psql -X -q -d "\$url&user=postgres" -c "CREATE FUNCTION ledger.twice() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO ledger.mirror SELECT NEW.*; RETURN NULL; END'" \\
    -c "CREATE TRIGGER twice AFTER INSERT ON ledger.mirror FOR EACH ROW WHEN (NEW.entry % 10 = 7 AND pg_trigger_depth() = 0) EXECUTE FUNCTION ledger.twice()" >&2
fi
exec '$program' "\$@"
SH
chmod +x "$work/outboxd"
quickstart 1 "$work/outboxd" --seconds 1
prints 'effects of each finished job +NOT one: [1-9][0-9]* jobs$'
prints 'entries +[1-9][0-9]+ \(missing 0, too many [1-9][0-9]*\)$'
prints 'FAILED: the mirror does not equal pgbench_history'
[[ ! -d $root/build/pg/$name ]] || die "expected the private server to be gone"

quickstart 1 "$program" --seconds 0
prints '--seconds: expected a whole number from 1'
quickstart 2 "$program" --bogus
prints 'usage: scripts/quickstart'
