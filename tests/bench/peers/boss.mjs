// pg-boss, set for throughput as its documentation describes: large batches, fetched without a pause
// while they come full; for latency with its LISTEN/NOTIFY.
import { PgBoss } from 'pg-boss';
import { readFileSync } from 'node:fs';
import { counters, count, effect, latency, now, pool, prepareEffects, print, scenario, sleep, url } from './common.mjs';

const { version } = JSON.parse(readFileSync(new URL('node_modules/pg-boss/package.json', import.meta.url)));
const throughput = scenario !== 'latency';
const settings = throughput
  ? { batchSize: 1000, localConcurrency: 2, burstWhenBatchFull: true, pollingIntervalSeconds: 0.5 }
  : { batchSize: 1, pollingIntervalSeconds: 0.5 };  // and LISTEN/NOTIFY, below

let finished = 0;
let first = 0;
let onStart = () => {};

await pool.query('DROP SCHEMA IF EXISTS pgboss CASCADE');
await prepareEffects();
const boss = new PgBoss({ connectionString: url, max: 25, supervise: false, schedule: false, useListenNotify: !throughput });
boss.on('error', (error) => console.error(error));
await boss.start();
await boss.createQueue('bench', throughput ? {} : { notify: true });
if (throughput) {
  for (let i = 0; i < count; i += 10000) {
    await boss.insert('bench', Array.from({ length: Math.min(10000, count - i) }, (_, n) => ({ data: { n: i + n } })));
  }
  await pool.query('VACUUM ANALYZE');
  await pool.query('CHECKPOINT');
}
const before = await counters();
await boss.work('bench', settings,
  async (jobs) => {
    if (first === 0) first = now();
    onStart(now());
    if (scenario === 'effect') await Promise.all(jobs.map((job) => pool.query(effect(job.id))));
    finished += jobs.length;
  });
if (throughput) {
  while (finished < count) await sleep(1);
  for (;;) {
    const { rows } = await pool.query("SELECT EXISTS (SELECT FROM pgboss.job WHERE name = 'bench' AND state < 'completed') AS left");
    if (!rows[0].left) break;
    await sleep(1);
  }
  const end = now();
  const after = await counters();
  print('pg-boss', version, settings,
    { jobs: count, jobs_per_s: (count / (end - first)) * 1000, wal_bytes_per_job: (after.wal - before.wal) / count });
} else {
  await sleep(500);
  print('pg-boss', version, settings, await latency(
    () => boss.send('bench', {}),
    () => new Promise((resolve) => { onStart = resolve; })));
}
await boss.stop({ graceful: false });
await pool.query('DROP SCHEMA pgboss CASCADE; DROP SCHEMA bench_peers CASCADE');
await pool.end();
process.exit(0);
