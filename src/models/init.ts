// Initial weights of a network, and running it.
import type { Tensor } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { foldIn, type Key, normal } from '../core/key.ts';
import { sizeOf } from '../core/structure.ts';
import { type Program, runNetwork } from '../ops/network.ts';
import { type ParameterInfo, parametersOf, statisticsOf } from './inspect.ts';
import type { Weights } from './types.ts';

/** Kernels ~ N(0, 2 / fanIn), fanIn = inputs · size² (He et al. 2015); gamma 1; beta and biases 0. */
function initParameter({ name, shape, role }: ParameterInfo, key: Key): Tensor {
  switch (role) {
    case 'kernel': {
      const deviation = Math.sqrt(2 / sizeOf(shape.slice(0, -1)));
      return tf.tensor(
        normal(foldIn(key, name), sizeOf(shape)).map((value) => value * deviation),
        [...shape],
      );
    }
    case 'gamma':
      return tf.ones([...shape]);
    case 'beta':
    case 'bias':
      return tf.zeros([...shape]);
    default:
      return role satisfies never;
  }
}

/**
 * Initial weights of a network, dense, owned by the caller. Every parameter draws from a key of its own name, so one
 * layer's values do not depend on the others.
 */
export const init = (program: Program, key: Key): Weights => ({
  params: Object.fromEntries(parametersOf(program).map((parameter) => [parameter.name, initParameter(parameter, key)])),
  state: Object.fromEntries(
    statisticsOf(program).map(({ name, shape }) => [
      name,
      name.endsWith('.moving_mean') ? tf.zeros([...shape]) : tf.ones([...shape]),
    ]),
  ),
});

/** Runs images through a network: logits and, in training mode, new batch-norm statistics. Pure. */
export const apply = runNetwork;
