// Fuzzed parsers of text: the files of runs and of results, and what users and queues write beside them.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ATTACK_FLAGS } from '../../src/cli/flags/attack-flags.ts';
import { gridOf, readConfigFile } from '../../src/cli/flags/setting-flags.ts';
import { CORRUPTIONS } from '../../src/data/sets/corruptions.ts';
import { type Certification, readCertifications } from '../../src/evaluation/certify/record.ts';
import { type CorruptionEvaluation, readCorruptionEvaluations } from '../../src/evaluation/corruptions/record.ts';
import { readNames } from '../../src/evaluation/formats/pytorch-weights.ts';
import { accuracyOf } from '../../src/evaluation/intervals.ts';
import { readEvaluations } from '../../src/evaluation/results/results-file.ts';
import { readKept, writeInterrupted } from '../../src/evaluation/results/resume-file.ts';
import { outputsOf, readClassMap } from '../../src/evaluation/targets/class-map.ts';
import { zooCards } from '../../src/evaluation/zoo/cards.ts';
import { lockHolder } from '../../src/files/lock.ts';
import { formatRecord } from '../../src/files/lock-record.ts';
import { thisProcess } from '../../src/files/owner.ts';
import { parseGallery } from '../../src/reporting/pictures/gallery.ts';
import { collectReport } from '../../src/reporting/report-data.ts';
import { findRuns } from '../../src/reporting/runs/runs.ts';
import { formatResults } from '../../src/reporting/tables/results.ts';
import { jobsOf } from '../../src/sweeps/grid.ts';
import { queuedJob, readQueuedJob } from '../../src/sweeps/queue/job-data.ts';
import { readProgress } from '../../src/sweeps/queue/progress.ts';
import { formatMetricRow, METRICS_HEADER } from '../../src/training/run/metrics.ts';
import { readInputs, readRunConfig, runFolder } from '../../src/training/run/run-folder.ts';
import { sampleGallery, sampleRuns } from '../reporting/sample.ts';
import { tinyConfig } from '../training/tiny.ts';
import { inFolder, parserOfFile } from './in-folder.ts';
import type { FuzzedParser } from './parser.ts';

const json = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));

const [{ metrics, evaluations }] = sampleRuns();
const [{ target, dataset }] = evaluations;

const certification: Certification = {
  target,
  dataset,
  split: 'test',
  norm: 'l2',
  sigma: 0.25,
  n0: 10,
  n: 100,
  alpha: 0.001,
  seed: 0,
  images: [0, 1].map((index) => ({ index, label: 1, prediction: index - 1, radius: index / 4, successes: 90 })),
  backend: 'cpu',
  version: '0.1.0',
};

const corrupted: CorruptionEvaluation = {
  target,
  dataset: { name: 'cifar10-c', sha256: 'abc' },
  n: 10,
  corruptions: CORRUPTIONS.map((corruption) => ({ corruption, correct: [9, 8, 7, 6, 5] })),
  backend: 'cpu',
  version: '0.1.0',
};

/** A whole run, without checkpoints. */
const run: Readonly<Record<string, Uint8Array | string>> = {
  'config.json': json(tinyConfig()),
  'metrics.csv': METRICS_HEADER + metrics.slice(0, 3).map(formatMetricRow).join(''),
  'events.jsonl': [
    { kind: 'start', epoch: 0, step: 0, time: '2026-01-01T00:00:00.000Z', machine: 'one', batches: 4 },
    { kind: 'step', epoch: 0, step: 1, loss: 2.3, time: '2026-01-01T00:00:01.000Z' },
    { kind: 'epoch', epoch: 1, step: 4, metrics: { train_loss: 2.1 }, time: '2026-01-01T00:00:04.000Z' },
    { kind: 'collapse', message: 'collapsed', returnsTo: 0, time: '2026-01-01T00:00:05.000Z' },
    { kind: 'end', epoch: 2, step: 8, time: '2026-01-01T00:00:09.000Z' },
  ]
    .map((event) => `${JSON.stringify(event)}\n`)
    .join(''),
  'evaluation.json': json({ version: 1, evaluations: evaluations.slice(0, 1) }),
};

/** A run with one damaged file, as a report and a resumed training read it. */
const runWith = (name: string): FuzzedParser => ({
  seeds: [Buffer.from(run[name])],
  parse: (bytes) =>
    inFolder({ ...run, [name]: bytes }, async (folder) => {
      await readRunConfig(folder);
      const { runs, leftOut } = await findRuns(folder);
      formatResults(collectReport(runs, 'fuzzed', { leftOut }).results);
    }),
});

/** The file of an evaluation under way, as it is written. */
async function interruptedEvaluation(): Promise<Uint8Array> {
  let bytes: Uint8Array = Buffer.of();
  await inFolder({}, async (folder) => {
    const path = join(folder, 'evaluation.best.interrupted.json');
    const state = {
      predictions: Int32Array.of(0, 1, -1, 2),
      done: 1,
      seen: { outside: 0, successes: 1, unstable: 0, nonFinite: 0, withinNoise: 0, notNumbers: 0 },
      cells: [
        {
          survived: Uint8Array.of(1, 0, 0, 1),
          standing: { fgsm: Uint8Array.of(1, 0, 0, 1) },
          cost: { forwardPasses: 4, inputGradients: 4 },
        },
      ],
    };
    await writeInterrupted(path, { 'the model': 'abc' }, state, async () => {});
    bytes = await readFile(path);
  });
  return bytes;
}

const accuracy = accuracyOf(9, 10);
const card = {
  network: 'VGG16, RigL 99 %',
  dataset: 'cifar10',
  command: 'equipoise train',
  made: {
    preliminary: null,
    bytes: 100,
    sha256: 'a'.repeat(64),
    data: { sha256: 'b'.repeat(64), note: 'official' },
    seed: 0,
    machine: 'one',
    seconds: 3,
    norm: 'linf',
    epsilon: 0.03,
    clean: accuracy,
    pgd: { attack: 'pgd-20', robust: accuracy },
    autoattack: { attack: 'autoattack', robust: accuracy },
  },
};

const sweepFile = `# A sweep.
dataset: synthetic
model: cnn
epochs: 2
sparsity: [0, 0.9]
optimizer: [sgd, agent]
epsilon: 8/255
seeds: 0..2
attacks: fgsm,pgd-20
`;

const provenance = { version: '0.1.0', backend: 'cpu', kernels: null, fingerprint: 'abc', data: 'def' };
const queued = queuedJob(tinyConfig(), { attacks: [{ kind: 'pgd', steps: 20 }], epsilons: [0.1] }, provenance);

/** What text a queue holds reaches a reader as JSON. */
const ofQueue =
  (read: (data: unknown) => unknown) =>
  async (bytes: Uint8Array): Promise<void> => {
    let data: unknown;
    try {
      data = JSON.parse(Buffer.from(bytes).toString());
    } catch {
      data = Buffer.from(bytes).toString();
    }
    read(data);
  };

/** A lock is a folder with a file that is named by its owner's token. */
const parseLock = (bytes: Uint8Array): Promise<void> =>
  inFolder({ 'run.lock/owner-token': bytes }, (folder) => lockHolder(join(folder, 'run.lock')));

export const textParsers: Readonly<Record<string, FuzzedParser>> = {
  config: runWith('config.json'),
  metrics: runWith('metrics.csv'),
  // Lines that cannot be read are passed over.
  history: { ...runWith('events.jsonl'), acceptsAll: true },
  evaluation: runWith('evaluation.json'),
  inputs: {
    seeds: [json({ from: '/a/b.safetensors', extraImages: '/c' })],
    parse: (bytes) => inFolder({ 'inputs.json': bytes }, (folder) => readInputs(runFolder(folder))),
  },
  evaluations: {
    seeds: [json({ version: 1, evaluations })],
    parse: parserOfFile('evaluation.json', readEvaluations),
  },
  interrupted: {
    seeds: [await interruptedEvaluation()],
    parse: parserOfFile('evaluation.best.interrupted.json', readKept),
  },
  certificates: {
    seeds: [json({ version: 1, certifications: [certification] })],
    parse: parserOfFile('certificates.json', readCertifications),
  },
  corruptions: {
    seeds: [json({ version: 1, evaluations: [corrupted] })],
    parse: parserOfFile('corruptions.json', readCorruptionEvaluations),
  },
  gallery: {
    seeds: [json({ identity: 'a', gallery: sampleGallery() })],
    parse: async (bytes) => parseGallery(Buffer.from(bytes).toString(), 'gallery.json'),
  },
  lock: {
    seeds: [Buffer.from(formatRecord({ ...thisProcess(), token: 'token', beat: 3 }))],
    parse: parseLock,
    acceptsAll: true,
  },
  'zoo-card': {
    seeds: [json(card)],
    parse: (bytes) => inFolder({ 'net.json': bytes }, zooCards),
  },
  'class-map': {
    seeds: [json({ cat: 2, dog: 0 }), json([2, 0])],
    parse: parserOfFile('classes.json', async (path) => outputsOf(await readClassMap(path), ['cat', 'dog'])),
  },
  names: {
    seeds: [json({ 'stem.0': 'conv1' }), Buffer.from('stem.0: conv1\nhead: fc\n')],
    parse: parserOfFile('names.yaml', readNames),
  },
  'sweep-yaml': {
    seeds: [Buffer.from(sweepFile)],
    parse: parserOfFile('sweep.yaml', async (path) => {
      const { settings } = await readConfigFile(path, { flags: ATTACK_FLAGS, lists: true });
      jobsOf(gridOf(settings));
    }),
  },
  'queued-job': { seeds: [json(queued)], parse: ofQueue(readQueuedJob) },
  'queue-progress': {
    seeds: [json({ worker: 'a:1', epoch: 1, epochs: 2, stage: 'training', secondsLeft: 3, refused: null })],
    parse: ofQueue(readProgress),
    acceptsAll: true,
  },
};
