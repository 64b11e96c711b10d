// What the training loop takes beside the bare steps in it: batches, augmentation, mask updates, events, and the
// measurements at an epoch's end. Steps of the loop and bare steps of the same network take turns.

import { mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { writeCheckpoint } from '../../src/checkpoints/checkpoint.ts';
import { cloneTensors, copyParams } from '../../src/core/params.ts';
import { batchesOf, batchImages } from '../../src/data/batch.ts';
import { attackedModel, validationAttack } from '../../src/training/adversary/training-batches.ts';
import { parseConfig } from '../../src/training/config/config.ts';
import { trainEpoch } from '../../src/training/epoch.ts';
import { eventLog } from '../../src/training/run/event-log.ts';
import { stopwatch } from '../../src/training/run/stopwatch.ts';
import { measureAccuracy } from '../../src/training/run/validate.ts';
import { disposeTrainState, startState, type TrainState, toCheckpoint } from '../../src/training/state.ts';
import { openTask, type Task } from '../../src/training/task.ts';
import { actionsOf } from './actions.ts';
import type { Context } from './context.ts';
import { disposeNet, type Net, randomBatch } from './nets.ts';
import { median, min } from './statistics.ts';
import { markdownTable, number, percent, ratio } from './table.ts';
import { verdictAtMost } from './targets.ts';
import { pretendedCifar } from './training-run.ts';
import { milliseconds } from './turns.ts';

/** Steps of training between two mask updates, and those that are timed around each of them. */
const INTERVAL = 100;
const TIMED_INTERVAL = 20;
/** Steps at the start of the epoch that do not count. */
const WARM_UP = 3;
/** Images on which the measurements are timed, two blocks of them, and the bare steps after each time. */
const MEASURED = 512;
const STEPS_BESIDE = 4;
/** CIFAR-10: the images that an epoch trains on, and those that are measured after it: held out, and from the training set. */
const EPOCH_IMAGES = 49_000;
const METRIC_IMAGES = 1_000 + 256;
/** One image in this many is misclassified: robust networks reach about 80 % on CIFAR-10. */
const WRONG = 5;
/** A radius in which no prediction changes, so that no image leaves the attack early. */
const NO_RADIUS = 1e-7;

/** The most that an epoch may take over its bare steps, by sparsity, and what its metrics may add. */
const LIMITS: Readonly<Record<string, number>> = { 0.95: 1.1, 0.99: 1.15 };
const METRICS_LIMIT = 0.1;

/** Milliseconds. */
interface LoopTimes {
  /** Times of the steps without a mask update in them or right before, as `equipoise train` runs them. */
  readonly steps: readonly number[];
  /** Times of mask updates: their step and the step after it, beyond the time of two other steps. */
  readonly updates: readonly number[];
  /** Bare steps in turn with those: a one-step attack, gradients and update, on a batch that is there already. */
  readonly bare: readonly number[];
  /**
   * The metrics of MEASURED images, of which all that are classified right need all ten steps of the attack, and the bare
   * steps in turn with them.
   */
  readonly metrics: readonly number[];
  readonly bareBeside: readonly number[];
}

/** The loop at one sparsity. */
export interface Loop {
  readonly sparsity: number;
  readonly times: LoopTimes;
  /** The trained network. */
  readonly checkpoint: string;
}

/** The sparsities at which the loop is timed. */
export const loopSparsities = ({ sparsities }: Context): readonly number[] =>
  sparsities.filter((sparsity) => sparsity in LIMITS);

/** Trains VGG16 by RigL against a one-step attack, with as many mask updates as there are rounds, and times it. */
export async function timeLoop(sparsity: number, { batch, width, folder, rounds }: Context): Promise<Loop> {
  const out = mkdtempSync(join(folder, 'loop-'));
  const images = TIMED_INTERVAL * (rounds + 1) * batch;
  const config = parseConfig({
    dataset: 'cifar10',
    model: 'vgg16',
    width,
    method: 'rigl',
    sparsity,
    distribution: 'uniform',
    steps: 1,
    stepSize: 10 / 255,
    epochs: 1,
    updateInterval: TIMED_INTERVAL,
    updateEnd: 1,
    dropSchedule: 'constant',
    batchSize: batch,
    trainLimit: images,
    backend: 'engine',
  });
  const task = await openTask(config, { dataDirectory: pretendedCifar(folder, images) });
  const state = await startState(task);
  const net: Net = {
    name: 'bare',
    program: task.program,
    params: copyParams(state.params),
    state: cloneTensors(state.statistics),
  };
  const still = randomBatch(batch);
  const actions = actionsOf(net, still);
  const checkpoint = join(out, 'last.safetensors');
  try {
    const epoch = await timeEpoch(task, state, out, actions['one-step']);
    await writeCheckpoint(checkpoint, toCheckpoint(task, state, 'engine'));
    const metrics = await timeMetrics(task, state, rounds, actions['one-step']);
    return { sparsity, times: { ...epoch, ...metrics }, checkpoint };
  } finally {
    actions.dispose();
    disposeNet(net);
    disposeTrainState(state);
    tf.dispose([still.images, still.labels]);
  }
}

async function timeEpoch(
  task: Task,
  state: TrainState,
  out: string,
  bareStep: () => Promise<void>,
): Promise<Pick<LoopTimes, 'steps' | 'updates' | 'bare'>> {
  const all: number[] = [];
  const bare: number[] = [];
  const updated: number[] = [];
  const events = join(out, 'events.jsonl');
  writeFileSync(events, '');
  let start = performance.now();
  await trainEpoch(task, state, {
    report: eventLog(
      events,
      async () => {},
      ({ kind }) => {
        if (kind === 'mask-update') updated.push(all.length);
      },
    ),
    watch: stopwatch(),
    store: { file: join(out, 'gradients.bin') },
    afterStep: async () => {
      all.push(performance.now() - start);
      bare.push(await milliseconds(bareStep));
      start = performance.now();
    },
  });
  const isPlain = (step: number): boolean => !updated.includes(step) && !updated.includes(step - 1);
  const steps = all.filter((_, step) => step >= WARM_UP && isPlain(step));
  const updates = updated.map((step) => all[step] + all[step + 1] - 2 * median(steps));
  return { steps, updates, bare: bare.slice(WARM_UP) };
}

/** Times the metrics at their dearest: of images that are mostly classified right, and then robust. */
async function timeMetrics(
  task: Task,
  state: TrainState,
  rounds: number,
  bareStep: () => Promise<void>,
): Promise<Pick<LoopTimes, 'metrics' | 'bareBeside'>> {
  const indices = task.indices.train.slice(0, MEASURED);
  const robust = {
    ...(await withPredictions(task, state, indices)),
    attacks: { ...task.attacks, validation: validationAttack({ ...task.config, epsilon: NO_RADIUS }) },
  };
  const [metrics, bareBeside]: [number[], number[]] = [[], []];
  for (let round = 0; round <= rounds; round++) {
    metrics.push(await milliseconds(async () => void (await measureAccuracy(robust, state, indices))));
    for (let i = 0; i < STEPS_BESIDE; i++) bareBeside.push(await milliseconds(bareStep));
  }
  return { metrics: metrics.slice(1), bareBeside: bareBeside.slice(STEPS_BESIDE) };
}

/** The task with the network's predictions as the labels of some training images, and every fifth label wrong. */
async function withPredictions(task: Task, { params, statistics }: TrainState, indices: Int32Array): Promise<Task> {
  const { train } = task.dataset;
  const labels = train.labels.slice();
  const model = attackedModel(task.program, { params, state: statistics }, 'evaluate');
  for (const block of batchesOf(indices, task.config.batchSize)) {
    const predictions = tf.tidy(() => tf.argMax(model(batchImages(train, block, task.dataset.imageShape)), -1));
    for (const [i, label] of (await predictions.data()).entries()) {
      labels[block[i]] = i % WRONG === 0 ? (label + 1) % task.program.classes : label;
    }
    predictions.dispose();
  }
  return { ...task, dataset: { ...task.dataset, train: { ...train, labels } } };
}

/** Milliseconds by one statistic of the times, and the shares that follow from them. */
function figures({ steps, updates, bare, metrics, bareBeside }: LoopTimes, batch: number, of: typeof min) {
  const epochSteps = EPOCH_IMAGES / batch;
  return {
    bare: of(bare),
    step: of(steps),
    update: of(updates),
    loop: (of(steps) + of(updates) / INTERVAL) / of(bare),
    metrics: ((METRIC_IMAGES / MEASURED) * of(metrics)) / (epochSteps * of(bareBeside)),
  };
}

/** What the loop and the metrics take over bare steps, as a table. */
export function loopTable(loops: readonly Loop[], { batch, judge }: Context): string {
  const rows = loops.map(({ sparsity, times }) => {
    const [minima, medians] = [min, median].map((statistic) => figures(times, batch, statistic));
    const label = `VGG16, ${percent(sparsity)}`;
    judge(`${label}, epoch over bare steps`, verdictAtMost(minima.loop, LIMITS[sparsity], '×'));
    judge(`${label}, metrics`, verdictAtMost(100 * minima.metrics, 100 * METRICS_LIMIT, ' %'));
    return [
      label,
      ...[minima, medians].flatMap(({ bare, step, update }) => [bare, step, update].map(number)),
      ...[minima, medians].map(({ loop }) => ratio(loop)),
      ...[minima, medians].map(({ metrics }) => percent(metrics)),
    ];
  });
  const header = [
    'one-step attack, RigL',
    ...['bare step min, ms', 'step of the loop min', 'mask update min', 'bare step median', 'step of the loop median'],
    ...['mask update median', 'epoch over bare steps, minima', 'medians', 'metrics at most, minima', 'medians'],
  ];
  return markdownTable(header, rows);
}
