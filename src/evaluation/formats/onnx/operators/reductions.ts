// Reductions over axes, which are an attribute in older operators and an input in newer ones.
import type { Tensor } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { InputError } from '../../../../core/errors.ts';
import { partsOf } from '../axes.ts';
import { flagOf, input, listOrInput, type Operator } from '../call.ts';
import { stridesOf, viewed } from '../memory.ts';
import { axisOf, inMemory, likeStored, onBackend, storedAxis, storedTensor, tensorOf, type Value } from '../values.ts';
import { absolute } from './elementwise.ts';

type Reduce = (x: Tensor, axes: number[], keepDims: boolean) => Tensor;

/** @param compute the same on numbers in memory; without it they go to the backend */
const reduction =
  (reduce: Reduce, compute?: (numbers: readonly number[]) => number): Operator =>
  (call) => {
    const x = input(call, 0);
    const given = listOrInput(call, 'axes', 1);
    if ((given === undefined || given.length === 0) && flagOf(call, 'noop_with_empty_axes')) return x;
    const rank = x.shape.length;
    const axes = given === undefined || given.length === 0 ? x.shape.map((_, axis) => axis) : [...given];
    const from0 = axes.map((axis) => axisOf(axis, rank));
    const keep = flagOf(call, 'keepdims', true);
    if (compute !== undefined && x.numbers !== null) return inMemoryReduced(x, from0, keep, compute);
    if (!keep) {
      // What is left of images over all places is [batch, channels], in either order of axes.
      const places = x.channelsLast && from0.length === rank - 2 && !from0.includes(0) && !from0.includes(1);
      if (places)
        return onBackend(
          reduce(
            storedTensor(x),
            from0.map((axis) => storedAxis(x, axis)),
            false,
          ),
        );
      return onBackend(reduce(tensorOf(x), from0, false));
    }
    return likeStored(
      x,
      reduce(
        storedTensor(x),
        from0.map((axis) => storedAxis(x, axis)),
        true,
      ),
    );
  };

function inMemoryReduced(
  x: Value,
  axes: readonly number[],
  keep: boolean,
  compute: (numbers: readonly number[]) => number,
): Value {
  const strides = stridesOf(x.shape);
  const all = x.shape.map((_, axis) => axis);
  const kept = all.filter((axis) => !axes.includes(axis));
  const gone = all.filter((axis) => axes.includes(axis));
  const order = [...kept, ...gone];
  const numbers = viewed(
    x.numbers ?? [],
    order.map((axis) => x.shape[axis]),
    order.map((axis) => strides[axis]),
    0,
  );
  const size = gone.reduce((product, axis) => product * x.shape[axis], 1);
  const count = kept.reduce((product, axis) => product * x.shape[axis], 1);
  const reduced = Array.from({ length: count }, (_, i) =>
    compute(Array.from(numbers.subarray(i * size, (i + 1) * size))),
  );
  const shape = keep
    ? x.shape.map((extent, axis) => (axes.includes(axis) ? 1 : extent))
    : kept.map((axis) => x.shape[axis]);
  return inMemory(reduced, shape, x.type);
}

const total = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);

/** √Σ x², whose derivative is infinite at 0 and taken as 0 there. */
export const euclideanNorm: Reduce = (x, axes, keep) => tf.sqrt(atLeastTiny(tf.sum(tf.square(x), axes, keep)));

/** Numbers raised to the smallest normal float32 where they are less, so that dividing by them is finite. */
export const atLeastTiny = (x: Tensor): Tensor => tf.clipByValue(x, 2 ** -126, Number.POSITIVE_INFINITY);

/** Products of parts one after another, whose gradient is exact where some are 0. */
const products: Reduce = (x, axes, keep) => {
  const y = axes.reduce((tensor, axis) => partsOf(tensor, x.shape[axis], axis).reduce((a, b) => tf.mul(a, b)), x);
  return keep ? y : tf.squeeze(y, axes);
};

const argMax: Operator = () => {
  throw new InputError('expected logits to the end: a class number has no gradient. Export the model without ArgMax');
};

export const reductionOperators = {
  ReduceMean: reduction(tf.mean, (numbers) => total(numbers) / numbers.length),
  ReduceSum: reduction(tf.sum, total),
  ReduceMax: reduction(tf.max, (numbers) => Math.max(...numbers)),
  ReduceMin: reduction(tf.min, (numbers) => Math.min(...numbers)),
  ReduceProd: reduction(products, (numbers) => numbers.reduce((a, b) => a * b, 1)),
  ReduceL1: reduction((x, axes, keep) => tf.sum(absolute(x), axes, keep)),
  ReduceL2: reduction(euclideanNorm),
  ReduceSumSquare: reduction((x, axes, keep) => tf.sum(tf.square(x), axes, keep)),
  ReduceLogSum: reduction((x, axes, keep) => tf.log(tf.sum(x, axes, keep))),
  ReduceLogSumExp: reduction((x, axes, keep) => tf.logSumExp(x, axes, keep)),
  ArgMax: argMax,
  ArgMin: argMax,
} as const satisfies Readonly<Record<string, Operator>>;
