#!/usr/bin/env bash
# outboxd bench on a small scale: its lines, what it leaves behind, and when it refuses. Needs
# OUTBOX_TEST_PG (superuser's URL), OUTBOXD (the program) and OUTBOX_SOURCE_DIR.
set -euo pipefail
source "$OUTBOX_SOURCE_DIR/scripts/lib.sh"
source "$OUTBOX_SOURCE_DIR/tests/e2e/support/processor.sh"
trap 'database_drop; rm -rf "$work"' EXIT

bench() { "$outboxd" bench "$@" --url "$url"; }

nothing_left() {
  expect_sql '' "SELECT to_regnamespace('outbox_bench')"
  expect_sql 0 'SELECT (SELECT count(*) FROM outbox.finished_jobs) + (SELECT count(*) FROM outbox.job_failures)
    + (SELECT count(*) FROM outbox.queues) + (SELECT count(*) FROM outbox.processors) + (SELECT count(*) FROM outbox.dead_jobs)'
}

database_create "e2e_bench_$$"
expect 3 'outboxd migrate up' bench drain
migrate_up
expect 2 'SCENARIO' bench dance

bench drain --jobs 2000 --json >"$work/lines"
[[ $(wc -l <"$work/lines") == 4 ]] || die "expected 4 lines: $(<"$work/lines")"
for field in scenario parameters jobs_per_s p50_ms p99_ms max_ms wal_bytes_per_job commits_per_job hot_update_ratio backlog rss_mb; do
  [[ $(grep -c "\"$field\":" "$work/lines") == 4 ]] || die "expected $field in every line: $(<"$work/lines")"
done
nothing_left

bench effect --failing 1 --jobs 2000 >"$work/lines"
[[ $(grep -c '^effect lane=.*jobs/s' "$work/lines") == 4 ]] || die "expected 4 lines: $(<"$work/lines")"
nothing_left
bench steady --rate 500 --seconds 2 --pin >"$work/lines"
[[ $(grep -c '^steady second=.*in_per_s' "$work/lines") == 2 ]] || die "expected 2 lines: $(<"$work/lines")"
nothing_left
bench idle --seconds 1 >"$work/lines"
grep -q 'queries_per_s' "$work/lines" || die "expected queries_per_s: $(<"$work/lines")"
for scenario in http http_slow exec; do
  bench "$scenario" --jobs 1000 >"$work/lines"
  grep -q "^$scenario .*jobs=1000:  jobs/s .*  rss_mb .*  cpu_us_per_job" "$work/lines" || die "expected its line: $(<"$work/lines")"
  [[ $scenario == exec ]] || grep -q ' connections .*  of_plain [0-9]' "$work/lines" || die "expected a comparison: $(<"$work/lines")"
  nothing_left
done

sql "INSERT INTO outbox.jobs (kind) VALUES ('real')"
expect 6 'this database has jobs of its own' bench drain
bench drain --jobs 1000 --force >/dev/null
expect_sql '1 real' "SELECT count(*) || ' ' || min(kind) FROM outbox.jobs"
sql 'DELETE FROM outbox.jobs'
bench steady --rate 100 --seconds 30 >/dev/null 2>&1 &
processors[other]=$!
other_runs() { [[ $(sql "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = 7306804 AND granted") == 1 ]]; }
eventually 10 "the other benchmark to run" other_runs
expect 5 'another benchmark runs' bench drain
