// What both peers' programs share: the clock, the effect, and the line that they print.
import pg from 'pg';

export const url = process.env.BENCH_URL;
export const [scenario, count] = [process.argv[2], Number(process.argv[3])];
export const pool = new pg.Pool({ connectionString: url, max: 25 });

export const now = () => Number(process.hrtime.bigint()) / 1e6;
export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export async function prepareEffects() {
  await pool.query('DROP SCHEMA IF EXISTS bench_peers CASCADE');
  await pool.query('CREATE SCHEMA bench_peers');
  await pool.query('CREATE TABLE bench_peers.effects (job_id text NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp())');
}

// The same row as outboxd's handler writes; for a peer it is a statement of its own, so at least once.
export const effect = (id) => ({ name: 'effect', text: 'INSERT INTO bench_peers.effects (job_id) VALUES ($1)', values: [id] });

export async function counters() {
  const { rows } = await pool.query("SELECT (pg_current_wal_insert_lsn() - '0/0')::float8 AS wal");
  return rows[0];
}

export function print(peer, version, settings, line) {
  console.log(JSON.stringify({ scenario, peer, version, settings, ...line }));
}

const at = (sorted, p) => sorted[Math.round(p * (sorted.length - 1))];
export function times(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return { p50_ms: at(sorted, 0.5), p99_ms: at(sorted, 0.99), max_ms: at(sorted, 1) };
}

// Latency: one job at a time with pauses in between, as outboxd bench latency does.
export async function latency(insert, started) {
  const samples = [];
  for (let i = 0; i < 320; i += 1) {
    await sleep(30 + Math.random() * 50);
    const done = started();
    const before = now();
    await insert();
    const at = await done;
    if (i >= 20) samples.push(at - before);
  }
  return times(samples);
}
