// Networks with weights everywhere, as checkpoints that training might have written.
import * as tf from '@tensorflow/tfjs-core';
import type { Checkpoint } from '../../src/checkpoints/types.ts';
import { foldIn, normal, sample, seedKey, uniform } from '../../src/core/key.ts';
import {
  disposeParams,
  disposeTensors,
  isKernel,
  type Param,
  type Params,
  type Tensors,
} from '../../src/core/params.ts';
import { sizeOf, structure } from '../../src/core/structure.ts';
import { parametersOf, statisticsOf } from '../../src/models/inspect.ts';
import { buildModel, models } from '../../src/models/models.ts';

/** Networks that differ from one of the others in the number or width of layers alone. */
const LIKE_OTHERS = ['lenet300', 'resnet34', 'wrn-28-2', 'wrn-28-4', 'wrn-28-10', 'wrn-34-10'];

/** One network of each kind. */
export const NETWORKS = Object.keys(models).filter((name) => !LIKE_OTHERS.includes(name));

export const key = seedKey('export');

/** A checkpoint with weights everywhere, every second kernel sparse, and everything that training adds. */
export function checkpointOf(name: string): Checkpoint {
  const inputShape: [number, number, number] = name.startsWith('vgg') ? [32, 32, 3] : [16, 20, 3];
  const width = name === 'mlp' || name.startsWith('lenet') ? 0.1 : 1 / 16;
  // One that normalises its images.
  const normalize = { mean: [0.4914, 0.4822, 0.4465], std: [0.2471, 0.2435, 0.2616] };
  const model = { name, width, inputShape, classes: 7, ...(name === 'preactresnet18' && { normalize }) };
  const program = buildModel(name, model);
  let kernels = 0;
  const params: Params = Object.fromEntries(
    parametersOf(program).map(({ name: parameter, shape }): [string, Param] => {
      const values = normal(foldIn(key, parameter), sizeOf(shape)).map((value) => value * 0.2);
      if (!isKernel(parameter) || kernels++ % 2 === 0) return [parameter, tf.tensor(values, [...shape])];
      const count = Math.ceil(0.2 * values.length);
      const positions = Int32Array.from(sample(foldIn(key, 'mask'), count, values.length)).sort();
      const active = values.slice(0, count);
      // As freshly grown weights are, and as rounding can leave one.
      active.set([0, -0].slice(0, count));
      return [parameter, { structure: structure(shape, positions), values: tf.tensor1d(active) }];
    }),
  );
  const state: Tensors = Object.fromEntries(
    statisticsOf(program).map(({ name: statistic, shape }) => [
      statistic,
      tf.tensor(
        uniform(foldIn(key, statistic), sizeOf(shape)).map((value) => 0.5 + value),
        [...shape],
      ),
    ]),
  );
  const trace = Object.fromEntries(
    Object.entries(params).map(([parameter, param]) => [
      parameter,
      tf.zerosLike('structure' in param ? param.values : param),
    ]),
  );
  return {
    config: { dataset: 'synthetic', norm: 'linf', epsilon: 0.1 },
    model,
    epoch: 3,
    step: 99,
    progress: { datasetSha256: 'ab' },
    params,
    state,
    optimizer: { trace },
    snapshot: null,
    meanGradient: {},
    average: null,
    explored: {},
    grownAt: {},
  };
}

/** Disposes what `checkpointOf` made. */
export function dispose({ params, state, optimizer }: Checkpoint): void {
  disposeParams(params);
  for (const tree of [state, ...Object.values(optimizer)]) disposeTensors(tree);
}
