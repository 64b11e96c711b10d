// The gradients of ops whose result is constant almost everywhere, such as comparisons and ranks: zero. A model may use
// these ops on values that depend on its images, and only what it does besides them contributes.
import * as tf from '@tensorflow/tfjs-core';
import { gradient, zerosLike } from './gradient.ts';

/** The inputs of each such kernel. The kernels that tfjs-core treats correctly, such as Floor and Sign, are missing. */
const INPUTS: Readonly<Record<string, readonly string[]>> = {
  All: ['x'],
  Any: ['x'],
  ArgMax: ['x'],
  ArgMin: ['x'],
  Equal: ['a', 'b'],
  FloorDiv: ['a', 'b'],
  Greater: ['a', 'b'],
  GreaterEqual: ['a', 'b'],
  Less: ['a', 'b'],
  LessEqual: ['a', 'b'],
  LogicalAnd: ['a', 'b'],
  LogicalNot: ['x'],
  LogicalOr: ['a', 'b'],
  NotEqual: ['a', 'b'],
  OneHot: ['indices'],
};

const constant = (kernelName: string, inputs: readonly string[]) =>
  gradient({
    kernelName,
    inputsToSave: inputs,
    reads: {},
    gradFunc: (_, saved) => Object.fromEntries(inputs.map((input, i) => [input, () => zerosLike(saved[i])])),
  });

/** The gradient of a cast: integers and booleans do not follow a small change of what they are cast from. */
const cast = gradient<{ readonly dtype: tf.DataType }>({
  kernelName: 'Cast',
  gradFunc: (dy, _, { dtype }) => ({
    x: () => (dtype === 'int32' || dtype === 'bool' ? zerosLike(dy) : tf.clone(dy)),
  }),
});

export const constantGradients = [
  ...Object.entries(INPUTS).map(([kernelName, inputs]) => constant(kernelName, inputs)),
  cast,
];
