// Random networks and batches for the bench.
import type { Tensor1D, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import type { StoredTensor } from '../../src/checkpoints/safetensors/safetensors.ts';
import { foldIn, integers, seedKey, uniform } from '../../src/core/key.ts';
import {
  disposeParams,
  disposeTensors,
  isSparse,
  type Params,
  type Tensors,
  trainable,
} from '../../src/core/params.ts';
import { scatterValues, sizeOf } from '../../src/core/structure.ts';
import { init } from '../../src/models/init.ts';
import { kernelsOf } from '../../src/models/inspect.ts';
import { buildModel } from '../../src/models/models.ts';
import type { Program } from '../../src/ops/network.ts';
import { uniform as uniformSparsity, type WeightCounts } from '../../src/sparsity/distributions.ts';
import { sparsify } from '../../src/sparsity/sparsify.ts';

/** A network with its weights, owned by whoever made it. */
export interface Net {
  readonly name: string;
  readonly program: Program;
  params: Params;
  readonly state: Tensors;
}

/** Images and labels as every side gets them. */
export interface Batch {
  readonly images: Tensor4D;
  readonly labels: Tensor1D;
}

const KEY = seedKey('bench');
const CIFAR = [32, 32, 3] as const;

export const randomBatch = (size: number, classes = 10): Batch => ({
  images: tf.tensor4d(uniform(foldIn(KEY, 'images'), size * sizeOf(CIFAR)), [size, ...CIFAR]),
  labels: tf.tensor1d(integers(foldIn(KEY, 'labels'), size, classes), 'int32'),
});

/** A CIFAR network whose kernels have the same sparsity at random places, the first convolution dense. */
export function randomNet(model: string, sparsity: number, width = 1): Net {
  const program = buildModel(model, { inputShape: CIFAR, classes: 10, width });
  return netOf(`${model} ${sparsity} ${width}`, program, uniformSparsity(kernelsOf(program), sparsity));
}

/** A network with given numbers of nonzeros per kernel, at random places. */
export function netOf(name: string, program: Program, counts: WeightCounts): Net {
  const { params: dense, state } = init(program, foldIn(KEY, 'init'));
  const sparse = sparsify(dense, counts, foldIn(KEY, 'masks'));
  const params = scaledUp(sparse);
  disposeParams(dense);
  disposeParams(sparse);
  return { name, program, params, state };
}

/** Sparse kernels times √(1 / density), so that signals neither vanish nor explode. */
const scaledUp = (params: Params): Params =>
  Object.fromEntries(
    Object.entries(params).map(([name, param]) => {
      if (!isSparse(param)) return [name, name.endsWith('.beta') ? tf.fill(param.shape, 0.1) : tf.clone(param)];
      const scale = Math.sqrt(sizeOf(param.structure.shape) / param.structure.positions.length);
      return [name, { ...param, values: tf.mul(param.values, scale) as Tensor1D }];
    }),
  );

/** The nonzeros of each kernel. */
export const countsOf = ({ program, params }: Net): WeightCounts =>
  Object.fromEntries(kernelsOf(program).map(({ name }) => [name, trainable(params[name]).size]));

export function disposeNet({ params, state }: Net): void {
  disposeParams(params);
  disposeTensors(state);
}

/** Weights (dense), statistics and images for another process. */
export function storedNet({ params, state }: Net, { images, labels }: Batch): Record<string, StoredTensor> {
  const tensors: Record<string, StoredTensor> = {
    images: storedTensor(images),
    labels: { dtype: 'I32', shape: labels.shape, data: Int32Array.from(labels.dataSync()) },
  };
  for (const [name, param] of Object.entries({ ...params, ...state })) {
    tensors[name] = isSparse(param)
      ? {
          dtype: 'F32',
          shape: param.structure.shape,
          data: scatterValues(param.structure, param.values.dataSync()),
        }
      : storedTensor(param);
  }
  return tensors;
}

export const storedTensor = (tensor: tf.Tensor): StoredTensor => ({
  dtype: 'F32',
  shape: tensor.shape,
  data: Float32Array.from(tensor.dataSync()),
});
