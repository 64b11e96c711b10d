// Runs and rows of results made up for tests of reports.
import type { Alarm, AlarmName } from '../../src/evaluation/alarms/alarms.ts';
import { accuracyOf } from '../../src/evaluation/intervals.ts';
import { packBits } from '../../src/evaluation/results/bits.ts';
import { withUnions } from '../../src/evaluation/results/union.ts';
import { type AttackResult, CLAIM, type Evaluation } from '../../src/evaluation/types.ts';
import type { Gallery, GalleryRow } from '../../src/reporting/pictures/gallery.ts';
import { pngBase64 } from '../../src/reporting/pictures/png.ts';
import { parseHistory } from '../../src/reporting/runs/run-history.ts';
import type { RunRecord } from '../../src/reporting/runs/runs.ts';
import type { ResultRow } from '../../src/reporting/tables/results.ts';
import { jobsOf } from '../../src/sweeps/grid.ts';
import type { TrainConfig } from '../../src/training/config/config.ts';
import { METRIC_COLUMNS, type MetricRow } from '../../src/training/run/metrics.ts';

/** A row of results.csv with plausible values, some of them replaced. */
export const resultRow = (replaced: Partial<ResultRow>): ResultRow => ({
  run: 'run',
  group: 'mnist10k abc linf 0.1',
  dataset: 'mnist10k',
  dataset_sha256: 'abc',
  split: 'test',
  model: 'cnn',
  width: 1,
  method: 'rigl',
  distribution: 'erk',
  optimizer: 'sgd',
  agent_prepass: '',
  gamma: null,
  alpha: null,
  objective: 'at',
  sparsity: 0.9,
  sparsity_actual: 0.9001,
  nonzeros: 1234,
  seed: 0,
  complete: 'true',
  epoch: 10,
  checkpoint: 'best',
  attack: 'pgd-20-ce',
  attacks: 'pgd-20-ce',
  norm: 'linf',
  epsilon: 0.1,
  steps: 20,
  step_size: 0.0125,
  restarts: 1,
  attack_seed: 0,
  preprocessing: '',
  n: 2000,
  clean_accuracy: 0.8,
  clean_low: 0.78,
  clean_high: 0.82,
  robust_accuracy: 0.4,
  robust_low: 0.38,
  robust_high: 0.42,
  forward_passes: 1000,
  input_gradients: 700,
  weight_gradients: 100,
  train_seconds: 12.5,
  flops: 5000,
  bytes: 6000,
  version: '0.1.0',
  ...replaced,
});

const EPSILONS = [0, 0.05, 0.1, 0.2, 0.3];
const IMAGES = 400;

/** Robust accuracy as a smooth function of what matters, so that charts have a shape. */
function level({ sparsity, optimizer, objective, seed }: TrainConfig, epsilon: number): number {
  const clean = objective === 'natural' ? 0.985 : 0.955 - 0.12 * sparsity ** 8 + (optimizer === 'agent' ? 0.004 : 0);
  const decay = objective === 'natural' ? 28 : 2.2 + 2.4 * sparsity ** 8 - (optimizer === 'agent' ? 0.2 : 0);
  const wobble = 0.008 * Math.sin(7 * seed + 3 * sparsity + (optimizer === 'agent' ? 1 : 0));
  return Math.min(1, Math.max(0, clean * Math.exp(-decay * epsilon - 14 * epsilon ** 3) + wobble));
}

/** The first images survive, and a few more or less by the attack. */
function result(config: TrainConfig, attack: string, epsilon: number): AttackResult {
  const strength = attack === 'pgd-20-ce' ? 0.01 : 0;
  const count = Math.round(IMAGES * Math.min(level(config, 0), level(config, epsilon) + (epsilon > 0 ? strength : 0)));
  return {
    attack,
    norm: 'linf',
    epsilon,
    steps: 20,
    stepSize: epsilon / 8,
    restarts: attack === 'pgd-20-ce' ? 1 : 2,
    robust: accuracyOf(count, IMAGES),
    survived: packBits(Array.from({ length: IMAGES }, (_, i) => i < count)),
    forwardPasses: 9000,
    inputGradients: 8000,
  };
}

const alarm = (name: AlarmName, status: Alarm['status'], detail: string): Alarm => ({
  name,
  status,
  detail,
  help: 'docs/alarms.md',
});

const alarms = (randomised: boolean): Alarm[] => [
  alarm('zero gradients', 'ok', '0 of 64 images have a cross-entropy gradient of zero.'),
  alarm('larger epsilon not stronger', 'ok', 'Accuracy falls as ε grows.'),
  randomised
    ? alarm('randomised output', 'raised', 'The same images gave other logits <twice>.')
    : alarm('randomised output', 'ok', 'The same images gave the same logits twice.'),
  alarm('black-box beats white-box', 'not checked', 'This needs an attack without gradients and one with gradients.'),
];

function evaluation(config: TrainConfig, checkpoint: string): Evaluation {
  const results = EPSILONS.flatMap((epsilon) =>
    ['pgd-20-ce', 'pgd-20x2-cw'].map((name) => result(config, name, epsilon)),
  );
  const nonzeros = Math.round(100000 * (1 - config.sparsity));
  return {
    claim: CLAIM,
    target: {
      checkpoint,
      format: 'checkpoint',
      preprocessing: null,
      sha256: checkpoint.padEnd(64, '0'),
      epoch: checkpoint === 'best' ? 9 : 10,
      step: 100,
      sparsity: config.sparsity,
      nonzeros,
      flops: 30 * nonzeros,
      bytes: 8 * nonzeros,
    },
    dataset: { name: 'mnist10k', sha256: 'abc', official: true, classes: [...'0123456789'] },
    split: 'test',
    seed: 0,
    clean: accuracyOf(Math.round(IMAGES * level(config, 0)), IMAGES),
    attacks: withUnions(results),
    alarms: alarms(config.objective === 'natural'),
    forwardPasses: 100000,
    inputGradients: 90000,
    backend: 'cpu',
    version: '0.1.0',
  };
}

function metrics(config: TrainConfig): MetricRow[] {
  const corrected = config.optimizer !== 'sgd';
  return Array.from({ length: 10 }, (_, i): MetricRow => {
    const epoch = i + 1;
    const share = 1 - Math.exp(-0.45 * epoch * (corrected ? 1.2 : 1));
    return {
      ...(Object.fromEntries(METRIC_COLUMNS.map((column) => [column, null])) as MetricRow),
      epoch,
      step: 10 * epoch,
      train_loss: 2.3 * (1 - 0.8 * share) + 0.02 * Math.sin(epoch + config.seed),
      validation_clean_accuracy: level(config, 0) * (0.4 + 0.6 * share),
      validation_robust_accuracy: level(config, 0.1) * share + 0.01 * Math.sin(2 * epoch + config.seed),
      c: corrected ? 0.1 + 0.5 * share - 0.2 * config.sparsity : null,
      variance_ratio: corrected ? 1.02 - 0.12 * share : null,
      sparsity: config.sparsity,
      forward_passes: 9000 * epoch,
      input_gradients: 7000 * epoch,
      weight_gradients: 1000 * epoch * (corrected ? 2 : 1),
      seconds: 3.1 * epoch,
    };
  });
}

/** The runs of a sweep as a report reads them, with made-up figures. */
export const sampleRuns = (): RunRecord[] =>
  jobsOf({
    settings: { dataset: 'mnist10k', model: 'cnn', epochs: 10 },
    axes: { sparsity: [0, 0.9, 0.95, 0.99], optimizer: ['sgd', 'agent'], seed: [0, 1, 2] },
    controls: [{ objective: 'natural' }],
  }).map(({ name, config }) => ({
    name,
    folder: `runs/${name}`,
    config,
    last: { epoch: 10, datasetSha256: 'abc' },
    metrics: metrics(config),
    evaluations: ['best', 'last'].map((checkpoint) => evaluation(config, checkpoint)),
    certifications: [],
    corruptions: [],
    outdated: [],
    history: parseHistory(''),
    writer: null,
  }));

const SHAPE = [28, 28, 1] as const;

/** A ring, a noise pattern and their sum, as the pictures of two nets. */
export function sampleGallery(): Gallery {
  const ring = (i: number): number => {
    const radius = Math.hypot((i % 28) - 13.5, Math.floor(i / 28) - 13.5);
    return radius > 6 && radius < 9 ? 0.95 : 0;
  };
  const noise = (i: number): number => ((i * 7919) % 3) / 2 - 0.5;
  const rows = ['dense, undefended', '95 % sparse, AGENT'].map(
    (attacked, net): GalleryRow => ({
      attacked,
      clean: pngBase64(ring, SHAPE),
      perturbation: pngBase64((i) => 0.5 + noise(i), SHAPE),
      adversarial: pngBase64((i) => ring(i) + 0.2 * noise(i), SHAPE),
      magnification: 5,
      predictions: [
        { net: 'dense, undefended', clean: '0', adversarial: net === 0 ? '8' : '0', right: net !== 0 },
        { net: '95 % sparse, AGENT', clean: '0', adversarial: '0', right: true },
      ],
    }),
  );
  const images = [17, 23, 42].map((index) => ({ index, label: '0', rows }));
  return { norm: 'linf', epsilon: 0.1, attack: 'PGD-40', images };
}
