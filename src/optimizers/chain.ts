import * as tf from '@tensorflow/tfjs-core';
import type { Tensors } from '../core/params.ts';
import type { GradientTransformation, OptimizerState } from './types.ts';

/**
 * The transformations one after the other, each given the updates of the one before. Their slots share one state, so no
 * two may use the same slot.
 */
export const chain = <Extra>(
  first: GradientTransformation<Extra>,
  ...rest: readonly GradientTransformation<Extra>[]
): GradientTransformation<Extra> => ({
  init: (params) => Object.assign({}, first.init(params), ...rest.map((link) => link.init(params))) as OptimizerState,
  update: (grads, state, params, extra) =>
    tf.tidy(() => {
      let { updates, state: slots } = first.update(grads, state, params, extra);
      for (const link of rest) {
        const result: { updates: Tensors; state: OptimizerState } = link.update(updates, state, params, extra);
        updates = result.updates;
        slots = { ...slots, ...result.state };
      }
      return { updates, state: slots };
    }),
});

/** A transformation without memory, of one tensor at a time. */
export const stateless = <Extra>(
  transform: (grads: Tensors, params: Tensors, extra: Extra) => Tensors,
): GradientTransformation<Extra> => ({
  init: () => ({}),
  update: (grads, _state, params, extra) => ({ updates: tf.tidy(() => transform(grads, params, extra)), state: {} }),
});
