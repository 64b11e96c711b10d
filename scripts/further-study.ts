// The second part of the study of AGENT, in standard training and in adversarial training of a larger network. Makes the runs
// that are missing and prints the tables; stopped anywhere, it goes on from there. Outcomes of finished runs are kept in
// docs/results/further-study.jsonl, and a run that is in there is not made again.
//
//   npm run study:further [-- --out runs/further --jobs 2 --revectorize]
//   npm run study:further -- --part standard   makes one part: standard or adversarial
//   npm run study:further -- --runs standard-rigl-99   makes the runs of one cell
//   npm run study:further -- --tables          only prints the tables of what is done

import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ATTACK, TEST_IMAGES } from './study/design.ts';
import { furtherSection, partNames, plannedJobs } from './study/further.ts';
import { runKept } from './study/kept-outcomes.ts';

const { outcomes, parts } = await runKept(
  fileURLToPath(new URL('../../docs/results/further-study.jsonl', import.meta.url)),
  {
    out: join('runs', 'further'),
    parts: partNames,
    jobsOf: plannedJobs,
    evaluation: { attacks: [ATTACK], testLimit: TEST_IMAGES },
  },
);
console.log(furtherSection(outcomes, parts));
