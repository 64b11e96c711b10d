// The main job on the shipped digits: adversarial training at several sparsities, with and without AGENT, beside a net
// without defence; clean and robust accuracy of all of them as a table and as a page.
//
//   npm run quickstart [-- --out runs/quickstart]
//
// A quickstart that was stopped goes on where it was.

import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { startBackend } from '../src/backends/start.ts';
import { reportText } from '../src/cli/commands/report.ts';
import { outliveOutput } from '../src/cli/terminal/output-errors.ts';
import { listenForSignals } from '../src/cli/terminal/signals.ts';
import type { AttackSpec } from '../src/evaluation/attacks/named-attacks.ts';
import { evaluate } from '../src/evaluation/evaluate.ts';
import type { CheckpointName } from '../src/evaluation/targets/checkpoint-names.ts';
import { writeReport } from '../src/reporting/report.ts';
import { readRuns } from '../src/reporting/runs/runs.ts';
import { formatSparsity, optimizerTitle, percent } from '../src/reporting/tables/table.ts';
import { type Grid, type Job, jobsOf } from '../src/sweeps/grid.ts';
import { warningOf } from '../src/sweeps/job.ts';
import { runSweep, type SweepEvent } from '../src/sweeps/sweep.ts';
import type { TrainOptions } from '../src/training/config/config.ts';

/** What all runs share. */
const SETTINGS: TrainOptions = {
  dataset: 'mnist10k',
  model: 'cnn',
  width: 0.5,
  method: 'rigl',
  // No divisor of the epoch's 50 steps: AGENT's snapshots should not fall right behind a mask update.
  updateInterval: 19,
  objective: 'at',
  norm: 'linf',
  epsilon: 0.1,
  steps: 3,
  stepSize: 0.05,
  epochs: 6,
  batchSize: 32,
  // The best of 0.02, 0.05 and 0.1 for SGD and for AGENT alike, on held-out digits of two other seeds.
  lr: 0.05,
  trainLimit: 1600,
};

/** What every run is measured by, on this many test images. */
const ATTACK: AttackSpec = { kind: 'pgd', steps: 20, restarts: 2, loss: 'ce' };
const TEST_IMAGES = 500;
/** With so few held-out digits, the choice of `best` among the epochs is mostly chance. */
const CHECKPOINTS: readonly CheckpointName[] = ['last'];

const GRID: Grid = {
  settings: SETTINGS,
  axes: { sparsity: [0.9, 0.95, 0.98], optimizer: ['sgd', 'agent'], seed: [0, 1, 2, 3, 4] },
  // One seed each: a dense net takes several times as long as a sparse one.
  controls: [
    { objective: 'natural', method: 'dense', sparsity: 0, optimizer: 'sgd', seed: 0 },
    { method: 'dense', sparsity: 0, optimizer: 'sgd', seed: 0 },
  ],
};
/** Radii of the curve of robust accuracy beside the 0.1 that every run is evaluated at; three of the nets are drawn. */
const CURVE = { epsilons: [0, 0.05, 0.2, 0.3], testLimit: 250 };

const { values: options } = parseArgs({ options: { out: { type: 'string', default: join('runs', 'quickstart') } } });
const { out } = options;
const started = Date.now();
const interruption = listenForSignals(() =>
  console.log('\nstopping after the current steps; the same command goes on from there'),
);
outliveOutput([process.stdout, process.stderr]);

const clock = (): string => {
  const seconds = Math.round((Date.now() - started) / 1000);
  return `${String(Math.floor(seconds / 60)).padStart(2)}:${String(seconds % 60).padStart(2, '0')}`;
};
const say = (line: string): void => console.log(`${clock()}  ${line}`);

const titleOf = ({ config }: Job): string =>
  config.objective === 'natural'
    ? `dense, undefended, seed ${config.seed}`
    : `${formatSparsity(config.sparsity)} sparse, ${optimizerTitle(config.optimizer)}, seed ${config.seed}`;

const running = new Map<number, string>();
let finished = 0;

/** A line where a run ends, and while the first ones run a line an epoch, so that something moves. */
function show(event: SweepEvent): void {
  switch (event.kind) {
    case 'start':
      finished = event.jobs.length - event.missing;
      say(`${event.jobs.length} runs of adversarial training on real digits, two at a time; ${event.missing} to do`);
      break;
    case 'job-start':
      running.set(event.position, titleOf(event.job));
      break;
    case 'job-event':
      if (warningOf(event.event) !== null) say(`${titleOf(event.job)}: warning: ${warningOf(event.event)}`);
      if (event.event.kind === 'train' && event.event.event.kind === 'epoch' && finished < 2) {
        const { epoch, metrics } = event.event.event;
        const { validation_clean_accuracy: clean, validation_robust_accuracy: robust } = metrics;
        say(
          `        ${titleOf(event.job)}: epoch ${epoch} of ${event.job.config.epochs}, on held-out digits ` +
            `${percent(clean ?? Number.NaN)} % clean, ${percent(robust ?? Number.NaN)} % under attack`,
        );
      }
      break;
    case 'job-end':
      running.delete(event.position);
      finished++;
      say(
        `${String(finished).padStart(2)} of ${jobs.length}  ${titleOf(event.job)}: ` +
          (event.status.kind === 'failed' ? `failed: ${event.status.message}` : event.status.kind),
      );
      break;
    default:
      event satisfies never;
  }
}

const jobs = jobsOf(GRID);
const result = await runSweep(jobs, {
  out,
  evaluation: { attacks: [ATTACK], testLimit: TEST_IMAGES, checkpoints: CHECKPOINTS },
  processes: { count: 2, entry: new URL('../src/cli/sweep-process.js', import.meta.url) },
  signal: interruption.signal,
  onEvent: show,
});
interruption.end();
if (result.left.length > 0) process.exit(1);
if (result.failed.length > 0) {
  for (const { job, message } of result.failed) console.error(`${titleOf(job)} failed: ${message}`);
  process.exit(1);
}

await startBackend('auto');
say(`robust accuracy of three of the nets at ε ${CURVE.epsilons.join(', ')}`);
const folderOf = ({ name }: Job): string => join(out, name);
const find = (matches: (config: Job['config']) => boolean): Job => {
  const job = jobs.find(({ config }) => config.seed === 0 && matches(config));
  if (job === undefined) throw new Error('The grid of the quickstart lacks a run that its page shows.');
  return job;
};
const sparsest = find((config) => config.sparsity === 0.98 && config.optimizer === 'agent');
const shown = [
  find((config) => config.objective === 'natural'),
  find((config) => config.objective === 'at' && config.sparsity === 0 && config.optimizer === 'sgd'),
  sparsest,
];
for (const job of shown) {
  await evaluate(folderOf(job), { attacks: [ATTACK], ...CURVE, checkpoints: CHECKPOINTS, warn: say });
}

const report = await writeReport(out, { title: 'Sparse adversarial training on digits', warn: say });
console.log(`\n${reportText(report)}`);
for (const run of await readRuns(out)) {
  if (run.evaluations.some(({ alarms }) => alarms.some(({ status }) => status === 'raised'))) {
    console.log(`an alarm was raised for ${run.name}; the page says which`);
  }
}
const checkpoint = relative('.', join(folderOf(sparsest), 'checkpoints', 'last.safetensors'));
console.log(`
${jobs.length} runs in ${clock().trim()} minutes. These digits are MNIST's test set split anew: no figure compares with published MNIST.

The page:  ${relative('.', report.files.page)}

Next, to copy:
  npx equipoise evaluate ${checkpoint} --attacks fgsm,pgd-20x2 --test-limit 500
  npx equipoise attack ${checkpoint} --count 10
  npx equipoise data fetch cifar10 && npx equipoise train --dataset cifar10 --model vgg16 --width 0.25 --method rigl --sparsity 0.95 --optimizer agent --objective at --epochs 10
`);
