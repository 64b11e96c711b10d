// AGENT's settings one by one, with and without, and the quickstart's sparsest setting over ten seeds. Makes the runs that are
// missing and prints the tables; stopped anywhere, it goes on from there.
//
//   npm run study:agent-settings [-- --out runs/agent-settings --jobs 2]
//   npm run study:agent-settings -- --part memory   makes one part: quickstart, settings or memory
//   npm run study:agent-settings -- --tables        only prints the tables of what is done

import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { readRuns } from '../src/reporting/runs.ts';
import { runSweep } from '../src/sweeps/sweep.ts';
import { ATTACK, TEST_IMAGES } from './quickstart-settings.ts';
import { outcomesOf, partNames, plannedJobs, settingsSection } from './study/agent-settings.ts';

const { values: options } = parseArgs({
  options: {
    out: { type: 'string', default: join('runs', 'agent-settings') },
    jobs: { type: 'string', default: '2' },
    part: { type: 'string', default: '' },
    tables: { type: 'boolean', default: false },
  },
});
const { out } = options;
const parts = partNames.filter((name) => options.part === '' || options.part === name);
if (parts.length === 0) {
  console.error(`--part must be one of ${partNames.join(', ')}, got ${options.part}.`);
  process.exit(2);
}
const abort = new AbortController();
process.on('SIGINT', () => abort.abort());
process.on('SIGTERM', () => abort.abort());

await mkdir(out, { recursive: true });
if (!options.tables) {
  const count = Number(options.jobs);
  const { failed } = await runSweep(plannedJobs(parts), {
    out,
    evaluation: { attacks: [ATTACK], testLimit: TEST_IMAGES },
    processes: { count, threads: count, entry: new URL('../src/cli/sweep-process.js', import.meta.url) },
    signal: abort.signal,
    onEvent: (event) => {
      if (event.kind === 'job-end') console.error(`${event.job.name}: ${event.status.kind}`);
    },
  });
  for (const { job, message } of failed) console.error(`${job.name} failed: ${message}`);
  if (failed.length > 0) process.exitCode = 1;
}
const records = (await readdir(out)).length === 0 ? [] : await readRuns(out);
console.log(settingsSection(outcomesOf(records), parts));
