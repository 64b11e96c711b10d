import type { Checkpoint } from './types.ts';

/** A checkpoint of the network alone, without what only training needs; borrows its tensors. */
export const networkOnly = (checkpoint: Checkpoint): Checkpoint => ({
  ...checkpoint,
  optimizer: {},
  snapshot: null,
  meanGradient: {},
  explored: {},
});
