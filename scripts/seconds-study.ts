// Seconds to robust accuracy: one-step attacks in training against PGD-10. Makes the runs that are missing and prints the tables;
// stopped anywhere, it goes on from there. Outcomes of finished runs are kept in docs/results/seconds-study.jsonl, and a run that
// is in there is not made again.
//
//   npm run study:seconds [-- --out runs/seconds --data DIR --jobs 2 --revectorize]
//   npm run study:seconds -- --runs half-n-fgsm-seed0   makes some of the runs
//   npm run study:seconds -- --tables                   only prints the tables of what is done

import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runKept } from './study/kept-outcomes.ts';
import { ATTACK, plannedJobs, secondsSection, TEST_IMAGES } from './study/seconds.ts';

const { outcomes } = await runKept(fileURLToPath(new URL('../../docs/results/seconds-study.jsonl', import.meta.url)), {
  out: join('runs', 'seconds'),
  parts: ['all'],
  jobsOf: plannedJobs,
  evaluation: { checkpoints: ['last', 'ema'], attacks: [ATTACK], testLimit: TEST_IMAGES },
});
console.log(secondsSection(outcomes));
