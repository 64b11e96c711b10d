// A tiny data set and run for tests of evaluations.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { writeCheckpoint } from '../../src/checkpoints/checkpoint.ts';
import type { Checkpoint } from '../../src/checkpoints/types.ts';
import { disposeParams, disposeTensors } from '../../src/core/params.ts';
import type { Dataset, Split } from '../../src/data/types.ts';
import { buildModel } from '../../src/models/models.ts';
import { parseConfig, type TrainOptions } from '../../src/training/config/config.ts';

const SHAPE = [4, 4, 1] as const;

/** Images whose left or right half is bright, by their label; the later, the less so. */
function halves(count: number): Split {
  const images = new Uint8Array(count * 16);
  const labels = new Uint8Array(count);
  for (let i = 0; i < count; i++) {
    labels[i] = i % 2;
    const contrast = 120 - Math.floor((100 * i) / count);
    for (let pixel = 0; pixel < 16; pixel++) {
      const bright = (pixel % 4 < 2 ? 0 : 1) === labels[i];
      images[i * 16 + pixel] = 128 + (bright ? contrast : -contrast) / 2 + ((i * 7 + pixel * 3) % 5);
    }
  }
  return { count, images, labels };
}

/** Forty test images of two classes. */
export const tinyData = (name = 'synthetic'): Dataset => ({
  name,
  classes: ['left', 'right'],
  imageShape: SHAPE,
  train: halves(8),
  test: halves(40),
  sha256: 'tiny',
  official: true,
});

/** Weights by which the difference of the halves decides, so that the margin of an image is known; with the sign −1 always wrongly. */
async function checkpointOf(epoch: number, config: TrainOptions, sign: number): Promise<Checkpoint> {
  const model = { name: 'mlp', width: 1 / 128, inputShape: SHAPE, classes: 2 } as const;
  const program = buildModel(model.name, model);
  const dense = program.layers.flatMap((layer) => (layer.kind === 'dense' ? [layer] : []));
  const params: Record<string, tf.Tensor> = {};
  dense.forEach(({ name, inputs, units, bias }, depth) => {
    const kernel = new Float32Array(inputs * units);
    for (let i = 0; i < inputs; i++) {
      for (let j = 0; j < units; j++) {
        const half = depth === 0 ? (i % 4 < 2 ? 0 : 1) : i % 2;
        kernel[i * units + j] = (half === j % 2 ? 1 : -1) * (depth === 0 ? 0.25 * sign : 1);
      }
    }
    params[`${name}.kernel`] = tf.tensor2d(kernel, [inputs, units]);
    if (bias) params[`${name}.bias`] = tf.zeros([units]);
  });
  return {
    config: JSON.parse(JSON.stringify(parseConfig({ dataset: 'synthetic', model: 'mlp', epsilon: 0.1, ...config }))),
    model,
    epoch,
    step: 10 * epoch,
    progress: {},
    params,
    state: {},
    optimizer: {},
    snapshot: null,
    meanGradient: {},
    average: null,
    explored: {},
    grownAt: {},
  };
}

/**
 * Runs `use` with a run's folder that holds the checkpoints best and last, then removes it.
 *
 * @param ema epoch of an averaged network, which is wrong on every image; none by default
 */
export async function withRun(
  use: (folder: string) => Promise<void>,
  { best = 1, last = 2, ema, config = {} }: { best?: number; last?: number; ema?: number; config?: TrainOptions } = {},
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'equipoise-'));
  try {
    for (const [name, epoch] of Object.entries({ best, last, ...(ema !== undefined && { ema }) })) {
      const checkpoint = await checkpointOf(epoch, config, name === 'ema' ? -1 : 1);
      await writeCheckpoint(join(folder, 'checkpoints', `${name}.safetensors`), checkpoint);
      disposeParams(checkpoint.params);
      disposeTensors(checkpoint.state);
    }
    await use(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}
