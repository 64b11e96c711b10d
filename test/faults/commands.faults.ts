// Every file operation of small commands fails once, in each way; after the command is repeated, nothing may differ.
//
//   npm run test:faults                               every operation
//   EQUIPOISE_FAULTS=sample npm run test:faults       a few of them, spread over each command
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { outcome } from '../training/tiny.ts';
import { FAULT_KINDS } from './preload.ts';
import { check, dispose, type Prepared, prepare, type Scenario } from './scenario.ts';

const net = ['--dataset', 'synthetic', '--model', 'mlp', '--width', '0.1', '--train-limit', '64', '--test-limit', '20'];
const training = [...net, '--batch-size', '16', '--epochs', '2', '--steps', '1', '--backend', 'cpu'];

/** What all runs below a folder came to. */
async function runsBelow(folder: string): Promise<unknown> {
  const found: Record<string, unknown> = {};
  const names = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('config.json')).sort();
  for (const name of names) {
    const run = join(folder, name, '..');
    const { kinds, ...result } = await outcome(run);
    const evaluation = join(run, 'evaluation.json');
    found[name] = {
      ...result,
      last: digest(result.last),
      best: digest(result.best),
      kinds: kinds.filter((kind) => !kind.startsWith('failed')),
      evaluation: existsSync(evaluation) ? digest(await readFile(evaluation, 'utf8')) : null,
      config: await readFile(join(run, 'config.json'), 'utf8'),
    };
  }
  return found;
}

const digest = (text: string): string => createHash('sha256').update(text).digest('hex');

const train = ['train', ...training, '--sparsity', '0.5', '--update-interval', '3', '--out', 'run', '--quiet'];
const evaluate = ['evaluate', 'run', '--attacks', 'fgsm,pgd-2', '--batch-size', '8', '--backend', 'cpu', '--quiet'];
const sweep = ['sweep', ...training, '--sparsity', '0,0.5', '--attacks', 'fgsm', '--out', 'runs', '--jobs', '2'];

/** The scenarios, each with the number of operations of each kind that the sample tries. */
const scenarios: readonly (Scenario & { readonly sample: number })[] = [
  {
    name: 'train',
    sample: 3,
    command: [...train, '--optimizer', 'agent', '--checkpoint-every', '1e-6'],
    again: [...train, '--optimizer', 'agent', '--checkpoint-every', '1e-6', '--resume'],
    who: 'parent',
    outcome: runsBelow,
  },
  {
    name: 'evaluate',
    sample: 2,
    before: [train],
    command: evaluate,
    again: [...evaluate, '--resume'],
    who: 'parent',
    outcome: runsBelow,
  },
  { name: 'a run of sweep --jobs 2', sample: 1, command: sweep, again: sweep, who: 'child', outcome: runsBelow },
];

describe('a file operation that fails', function () {
  this.timeout(0);
  for (const scenario of scenarios) {
    describe(`in ${scenario.name}`, () => {
      let prepared: Prepared;
      before(async () => {
        prepared = await prepare(scenario);
      });
      after(() => dispose(prepared));
      for (const [k, kind] of FAULT_KINDS.entries()) {
        it(`loses nothing and changes nothing: ${kind}`, async () => {
          const { operations } = prepared;
          const all = Array.from({ length: operations }, (_, i) => i);
          const step = operations / scenario.sample;
          // Other operations for each kind.
          const some = Array.from({ length: scenario.sample }, (_, i) =>
            Math.floor((i + k / FAULT_KINDS.length) * step),
          );
          const queue = process.env.EQUIPOISE_FAULTS === 'sample' ? some : all;
          const problems: string[] = [];
          const work = async (): Promise<void> => {
            for (let at = queue.shift(); at !== undefined; at = queue.shift()) {
              const problem = await check(prepared, kind, at);
              if (problem !== null) problems.push(problem);
            }
          };
          await Promise.all([work(), work()]);
          expect(problems.join('\n\n')).to.equal('');
        });
      }
    });
  }
});
