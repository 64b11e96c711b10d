// Makes dense kernels sparse at random positions.
import * as tf from '@tensorflow/tfjs-core';
import { InputError } from '../core/errors.ts';
import { foldIn, type Key, sample } from '../core/key.ts';
import { copyParam, isKernel, isSparse, type Param, type Params } from '../core/params.ts';
import { structure } from '../core/structure.ts';
import { gather } from '../ops/sparse-kernel.ts';
import type { WeightCounts } from './distributions.ts';

/**
 * Dense parameters with each kernel reduced to the given number of weights, at positions drawn uniformly at random
 * without replacement; the weights kept have their initial values.
 *
 * A kernel that keeps all its weights stays a dense tensor: it has no place to grow into, dense code runs it faster, and
 * it needs no list of positions.
 *
 * @param params dense; borrowed
 * @param counts as a distribution gives them; kernels not named stay dense
 * @param key of the masks; each kernel has the stream of its own name
 * @returns parameters owned by the caller
 */
export const sparsify = (params: Params, counts: WeightCounts, key: Key): Params =>
  Object.fromEntries(
    Object.entries(params).map(([name, param]) => [
      name,
      name in counts ? sparsifyKernel(name, param, counts[name], foldIn(key, name)) : copyParam(param),
    ]),
  );

function sparsifyKernel(name: string, param: Param, count: number, key: Key): Param {
  if (isSparse(param) || !isKernel(name)) {
    throw new InputError(
      `Only a dense kernel can be made sparse; ${name} ${isSparse(param) ? 'is sparse already' : 'is not a kernel'}.`,
    );
  }
  if (!(Number.isInteger(count) && count >= 0 && count <= param.size)) {
    throw new InputError(`The kernel ${name} has ${param.size} weights; it cannot keep ${count}.`);
  }
  if (count === param.size) return tf.clone(param);
  const kept = structure(param.shape, sample(key, count, param.size));
  return { structure: kept, values: gather(kept, param) };
}
