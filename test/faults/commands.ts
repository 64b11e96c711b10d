// Small commands whose file operations fail, and what each comes to. To have another command tried, add a row.
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { tarGz } from '../data/tar-gz.ts';
import { outcome } from '../training/tiny.ts';
import type { Scenario } from './scenario.ts';

const net = ['--dataset', 'synthetic', '--model', 'mlp', '--width', '0.1', '--train-limit', '64', '--test-limit', '20'];
const training = [...net, '--batch-size', '16', '--steps', '1', '--backend', 'cpu'];

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

const digest = (content: string | Uint8Array): string => createHash('sha256').update(content).digest('hex');

/** The hashes of the files that `which` picks below a folder. */
async function filesBelow(folder: string, which: RegExp = /./): Promise<unknown> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const wanted = files.filter((file) => which.test(file)).sort();
  return Promise.all(wanted.map(async (file) => [relative(folder, file), digest(await readFile(file))]));
}

/** The runs of a sweep, and its report without what depends on how long the runs took. */
async function sweepBelow(folder: string): Promise<unknown> {
  const results = await readFile(join(folder, 'runs', 'results.csv'), 'utf8');
  const [header, ...rows] = results
    .trimEnd()
    .split('\n')
    .map((row) => row.split(','));
  const timed = header.indexOf('train_seconds');
  const report = ['summary.csv', 'epochs-to-accuracy.csv', 'report.html', 'gallery.json'];
  return {
    runs: await runsBelow(folder),
    results: rows.map((row) => row.toSpliced(timed, 1)),
    report: report.filter((name) => existsSync(join(folder, 'runs', name))),
  };
}

/** Two editions of a small CIFAR-10 as archives. */
async function writeArchives(folder: string): Promise<void> {
  const file = (label: number) => Buffer.concat([Buffer.of(label), Buffer.alloc(3072, label)]);
  for (const [name, label] of [
    ['old', 3],
    ['new', 7],
  ] as const) {
    const files = { 'data_batch_1.bin': file(label), 'data_batch_2.bin': file(1), 'test_batch.bin': file(label) };
    await writeFile(join(folder, `${name}.tar.gz`), tarGz(files));
  }
}

const trainInto = (run: string, seed: number): string[] => [
  ...['train', ...training, '--epochs', '2', '--sparsity', '0.5', '--update-interval', '3'],
  ...['--seed', String(seed), '--out', run, '--quiet'],
];
const train = trainInto('run', 0);
const evaluate = ['evaluate', 'run', '--attacks', 'fgsm,pgd-2', '--batch-size', '8', '--backend', 'cpu', '--quiet'];
const sweep = [
  'sweep',
  ...training,
  '--epochs',
  '1',
  '--sparsity',
  '0,0.5',
  '--attacks',
  'fgsm',
  '--out',
  'runs',
  '--jobs',
  '2',
];
const report = ['report', 'run', '--out', 'report', '--backend', 'cpu', '--quiet'];
const add = (edition: string): string[] => ['data', 'add', `${edition}.tar.gz`, '--data', 'data', '--quiet'];
const exportTo = (format: string): string[] => ['export', 'run', '--to', format, '--backend', 'cpu', '--quiet'];
const exportInto = (run: string): string[] => [
  ...['export', run, '--to', 'layers', '--out', 'net', '--backend', 'cpu', '--quiet'],
];
const exported = (folder: string) => filesBelow(join(folder, 'run', 'export'));
const dataset = (folder: string) => filesBelow(join(folder, 'data', 'cifar10'));

/** A command with the number of operations that the sample lets fail, for each kind of failure. */
export interface Command extends Scenario {
  readonly sample: number;
}

export const commands: readonly Command[] = [
  {
    name: 'train',
    sample: 1,
    command: [...train, '--optimizer', 'agent', '--checkpoint-every', '1e-6'],
    again: [...train, '--optimizer', 'agent', '--checkpoint-every', '1e-6', '--resume'],
    who: 'parent',
    outcome: runsBelow,
  },
  // The two that keep gradients in files: of the last epoch, and of the pre-pass.
  ...[['memory'], ['matched', '--cache-memory', '0']].map((prepass) => ({
    name: `train --agent-prepass ${prepass.join(' ')}`,
    sample: 1,
    command: [...train, '--optimizer', 'agent', '--agent-prepass', ...prepass],
    again: [...train, '--optimizer', 'agent', '--agent-prepass', ...prepass, '--resume'],
    who: 'parent' as const,
    outcome: runsBelow,
  })),
  {
    name: 'evaluate',
    sample: 1,
    before: [train],
    command: evaluate,
    again: [...evaluate, '--resume'],
    who: 'parent',
    outcome: runsBelow,
  },
  {
    name: 'evaluate --save-examples',
    sample: 1,
    before: [train],
    command: [...evaluate, '--save-examples', 'examples'],
    again: [...evaluate, '--save-examples', 'examples', '--resume'],
    who: 'parent',
    outcome: async (folder) => [await runsBelow(folder), await filesBelow(join(folder, 'examples'))],
  },
  { name: 'a run of sweep --jobs 2', sample: 1, command: sweep, again: sweep, who: 'child', outcome: runsBelow },
  { name: 'the parent of sweep --jobs 2', sample: 1, command: sweep, again: sweep, who: 'parent', outcome: sweepBelow },
  {
    name: 'report',
    sample: 1,
    before: [train, evaluate],
    command: report,
    again: report,
    who: 'parent',
    outcome: (folder) => filesBelow(join(folder, 'report')),
  },
  {
    name: 'data add',
    sample: 1,
    files: writeArchives,
    before: [add('old')],
    command: add('new'),
    again: add('new'),
    who: 'parent',
    outcome: dataset,
    kept: dataset,
  },
  ...['compact', 'pytorch', 'onnx'].map((format) => ({
    name: `export --to ${format}`,
    sample: 1,
    before: [train],
    command: exportTo(format),
    again: exportTo(format),
    who: 'parent' as const,
    outcome: exported,
  })),
  {
    name: 'export --to layers over another export',
    sample: 1,
    before: [train, trainInto('other', 1), exportInto('run')],
    command: exportInto('other'),
    again: exportInto('other'),
    who: 'parent',
    outcome: (folder) => filesBelow(join(folder, 'net')),
    read: async (folder) =>
      existsSync(join(folder, 'net/model.json'))
        ? filesBelow(join(folder, 'net'), /(model\.json|weights\.bin)$/)
        : undefined,
  },
];
