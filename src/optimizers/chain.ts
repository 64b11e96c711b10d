// Composes gradient transformations.
import * as tf from '@tensorflow/tfjs-core';
import { InputError } from '../core/errors.ts';
import type { Tensors } from '../core/params.ts';
import type { GradientTransformation, OptimizerState } from './types.ts';

/**
 * The transformations one after the other, each given the updates of the one before. Their slots share one state, so no
 * two may use the same slot.
 *
 * @throws InputError from `init` if two do
 */
export const chain = <Extra>(
  first: GradientTransformation<Extra>,
  ...rest: readonly GradientTransformation<Extra>[]
): GradientTransformation<Extra> => ({
  init: (params) => {
    const slots = [first, ...rest].flatMap((link) => Object.entries(link.init(params)));
    const state: OptimizerState = Object.fromEntries(slots);
    if (Object.keys(state).length < slots.length) {
      throw new InputError(
        `The transformations of a chain must not share a slot of the state, got the slots ${slots.map(([slot]) => slot)}.`,
      );
    }
    return state;
  },
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
