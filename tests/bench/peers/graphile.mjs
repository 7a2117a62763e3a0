// graphile-worker, set as its performance page advises for throughput: a local queue, batched ends.
import { run, runMigrations } from 'graphile-worker';
import { readFileSync } from 'node:fs';
import { counters, count, effect, latency, now, pool, prepareEffects, print, scenario, sleep, url } from './common.mjs';

const { version } = JSON.parse(readFileSync(new URL('node_modules/graphile-worker/package.json', import.meta.url)));
const throughput = scenario !== 'latency';
const settings = throughput
  ? { concurrentJobs: 24, maxPoolSize: 25, localQueue: { size: 500 }, completeJobBatchDelay: 0, failJobBatchDelay: 0 }
  : { concurrentJobs: 24, maxPoolSize: 25 };

let finished = 0;
let first = 0;
let onStart = () => {};
const task = async (_payload, helpers) => {
  if (first === 0) first = now();
  onStart(now());
  if (scenario === 'effect') await pool.query(effect(helpers.job.id));
};

await pool.query('DROP SCHEMA IF EXISTS graphile_worker CASCADE');
await runMigrations({ connectionString: url });
await prepareEffects();
if (throughput) {
  await pool.query(
    "SELECT graphile_worker.add_jobs(array_agg(('task', json_build_object('n', i), NULL, NULL, NULL, NULL, NULL, NULL)::graphile_worker.job_spec)) FROM generate_series(1, $1::int) i GROUP BY i / 10000",
    [count]);
  await pool.query('VACUUM ANALYZE graphile_worker._private_jobs');
  await pool.query('CHECKPOINT');
}
const before = await counters();
const { Logger } = await import('graphile-worker');
const runner = await run({
  connectionString: url,
  noHandleSignals: true,
  logger: new Logger(() => (level, message) => level === 'error' && console.error(message)),
  taskList: { task },
  preset: { worker: settings },
});
runner.events.on('job:complete', () => { finished += 1; });
if (throughput) {
  // The end is when no job is left: completions are batched after the event.
  while (finished < count) await sleep(1);
  for (;;) {
    const { rows } = await pool.query('SELECT EXISTS (SELECT FROM graphile_worker._private_jobs) AS left');
    if (!rows[0].left) break;
    await sleep(1);
  }
  const end = now();
  const after = await counters();
  print('graphile-worker', version, settings,
    { jobs: count, jobs_per_s: (count / (end - first)) * 1000, wal_bytes_per_job: (after.wal - before.wal) / count });
} else {
  await sleep(500);
  print('graphile-worker', version, settings, await latency(
    () => pool.query("SELECT graphile_worker.add_job('task')"),
    () => new Promise((resolve) => { onStart = resolve; })));
}
await runner.stop();
await pool.query('DROP SCHEMA graphile_worker CASCADE; DROP SCHEMA bench_peers CASCADE');
await pool.end();
process.exit(0);
