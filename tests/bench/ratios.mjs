// Reads the JSON lines of scripts/bench --peers; prints medians and ratios as a Markdown table.
import { readFileSync } from 'node:fs';

const lines = readFileSync(0, 'utf8').trim().split('\n').map((line) => JSON.parse(line));
const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const groups = new Map();
for (const line of lines) {
  const p = line.parameters ?? {};
  const who = line.peer ? `${line.peer} ${line.version}`
    : ['outboxd', p.handler, p.lane, p.history && line.scenario === 'drain' ? `history ${p.history}` : ''].filter(Boolean).join(', ');
  const key = `${line.scenario}\t${who}`;
  if (!groups.has(key)) groups.set(key, []);
  groups.get(key).push(line);
}
const of = (key, field) => median(groups.get(key).map((line) => line[field]).filter((value) => value != null));
const text = (value, digits) => (value == null ? '' : value.toFixed(digits));
console.log('\n| scenario | who | jobs/s | × graphile-worker | × pg-boss | p50 ms | p99 ms | WAL B/job |\n|---|---|---|---|---|---|---|---|');
for (const key of [...groups.keys()].sort()) {
  const [scenario, who] = key.split('\t');
  const rate = of(key, 'jobs_per_s');
  const ratio = (peer) => {
    const other = [...groups.keys()].find((k) => k.startsWith(`${scenario}\t${peer}`));
    const theirs = other && of(other, 'jobs_per_s');
    return rate && theirs ? text(rate / theirs, 2) : '';
  };
  const latency = scenario === 'latency';
  console.log(`| ${scenario} | ${who} | ${text(rate, 0)} | ${ratio('graphile-worker')} | ${ratio('pg-boss')} | ` +
    `${latency ? text(of(key, 'p50_ms'), 2) : ''} | ${latency ? text(of(key, 'p99_ms'), 2) : ''} | ${text(of(key, 'wal_bytes_per_job'), 0)} |`);
}
console.log('\nsettings of the peers:');
const seen = new Set();
for (const line of lines.filter((l) => l.peer)) {
  const setting = `${line.peer} ${line.version}, ${line.scenario}: ${JSON.stringify(line.settings)}`;
  if (!seen.has(setting)) console.log(`- ${setting}`);
  seen.add(setting);
}
