// AGENT's settings one by one, with and without, and the setting that the quickstart had at 99 % sparsity over ten seeds. Makes the runs that are
// missing and prints the tables; stopped anywhere, it goes on from there.
//
//   npm run study:agent-settings [-- --out runs/agent-settings --jobs 2]
//   npm run study:agent-settings -- --part memory   makes one part: quickstart, settings or memory
//   npm run study:agent-settings -- --tables        only prints the tables of what is done

import { join } from 'node:path';
import { ATTACK, partNames, plannedJobs, settingsSection, TEST_IMAGES } from './study/agent-settings.ts';
import { outcomesOf } from './study/paired.ts';
import { runParts } from './study/parts.ts';

const { records, parts } = await runParts({
  out: join('runs', 'agent-settings'),
  parts: partNames,
  jobsOf: plannedJobs,
  evaluation: { attacks: [ATTACK], testLimit: TEST_IMAGES },
});
console.log(settingsSection(outcomesOf(records), parts));
