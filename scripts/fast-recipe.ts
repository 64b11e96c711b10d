// The recipe `fast` and its alternatives on held-out training images. Makes the runs that are missing and prints the tables;
// stopped anywhere, it goes on from there.
//
//   npm run study:fast [-- --out runs/fast --data DIR --jobs 2 --revectorize]
//   npm run study:fast -- --part attack     makes one part: learning-rate, attack or distribution
//   npm run study:fast -- --tables          only prints the tables of what is done

import { join } from 'node:path';
import { fastJobs, fastParts, fastSection } from './study/fast-recipe.ts';
import { runParts } from './study/parts.ts';

const { records, parts } = await runParts({
  out: join('runs', 'fast'),
  parts: fastParts,
  jobsOf: fastJobs,
  // Test images choose nothing.
  evaluation: null,
});
console.log(fastSection(records, parts));
