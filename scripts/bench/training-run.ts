// Runs an epoch of `equipoise train` on generated images, and times its parts.
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { foldIn, seedKey } from '../../src/core/key.ts';
import { synthetic } from '../../src/data/sets/synthetic.ts';
import type { Split } from '../../src/data/types.ts';
import { parseConfig, type TrainOptions } from '../../src/training/config/config.ts';
import { train } from '../../src/training/train.ts';

/** What one epoch of `equipoise train` took, in seconds. */
export interface TrainingRun {
  readonly steps: number;
  /** Training alone, with its attacks and pre-pass, as metrics.csv has it. */
  readonly training: number;
}

/** One image in this many is held out, and the pretended data set has some to spare. */
const SPARE = 1.1;
const TEST_IMAGES = 100;

/** CIFAR's binary records of a generated data set of `count` training images; the folder for `--data`. */
export function pretendedCifar(folder: string, count: number): string {
  const dataset = synthetic({
    key: foldIn(seedKey('bench'), 'cifar'),
    imageShape: [32, 32, 3],
    classes: 10,
    train: Math.ceil(SPARE * count),
    test: TEST_IMAGES,
    noise: 0.2,
  });
  const data = mkdtempSync(join(folder, 'data-'));
  mkdirSync(join(data, 'cifar10'));
  writeFileSync(join(data, 'cifar10', 'data_batch_1.bin'), records(dataset.train));
  writeFileSync(join(data, 'cifar10', 'test_batch.bin'), records(dataset.test));
  return data;
}

/** A label and three planes of pixels each. */
function records({ count, images, labels }: Split): Uint8Array {
  const area = 32 * 32;
  const bytes = new Uint8Array(count * (1 + 3 * area));
  for (let image = 0; image < count; image++) {
    const start = image * (1 + 3 * area);
    bytes[start] = labels[image];
    for (let i = 0; i < 3 * area; i++)
      bytes[start + 1 + (i % 3) * area + Math.floor(i / 3)] = images[image * 3 * area + i];
  }
  return bytes;
}

/** Trains for one epoch into a new folder below `folder`, on the current backend. */
export async function runTraining(options: TrainOptions, dataDirectory: string, folder: string): Promise<TrainingRun> {
  const out = join(mkdtempSync(join(folder, 'run-')), 'run');
  const config = parseConfig({ dataset: 'cifar10', epochs: 1, backend: 'engine', ...options });
  const { step, last } = await train(config, { out, dataDirectory });
  return { steps: step, training: last?.seconds ?? Number.NaN };
}
