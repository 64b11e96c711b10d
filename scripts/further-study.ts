// The second part of the study of AGENT, in standard training and in adversarial training of a larger network. Makes the runs
// that are missing and prints the tables; stopped anywhere, it goes on from there.
//
//   npm run study:further [-- --out runs/further --jobs 2 --revectorize]
//   npm run study:further -- --part standard   makes one part: standard or adversarial
//   npm run study:further -- --runs standard-rigl-99   makes the runs of one cell
//   npm run study:further -- --tables          only prints the tables of what is done

import { join } from 'node:path';
import { ATTACK, TEST_IMAGES } from './study/design.ts';
import { furtherSection, partNames, plannedJobs } from './study/further.ts';
import { outcomesOf } from './study/paired.ts';
import { runParts } from './study/parts.ts';

await runParts({
  out: join('runs', 'further'),
  parts: partNames,
  jobsOf: plannedJobs,
  evaluation: { attacks: [ATTACK], testLimit: TEST_IMAGES },
  sectionOf: (records, parts) => furtherSection(outcomesOf(records), parts),
});
