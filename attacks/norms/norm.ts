import type { Tensor1D, Tensor4D } from '@tensorflow/tfjs-core';
import type { Key } from '../../src/core/key.ts';
import type { NormName } from '../types.ts';

/** What attacks need to know of a norm. Perturbations and gradients are [batch, height, width, channels]. */
export interface Norm {
  readonly name: NormName;
  /** `size` numbers, a point uniform in the ball of radius `epsilon`. */
  readonly sample: (key: Key, size: number, epsilon: number) => Float32Array;
  /**
   * The step of length 1 that increases a linear function most, given its gradient; 0 where the gradient is. Owned by
   * the caller.
   */
  readonly steepest: (gradient: Tensor4D) => Tensor4D;
  /** The point of the ball of radius `epsilon` nearest to each perturbation, up to float32. Owned by the caller. */
  readonly project: (perturbation: Tensor4D, epsilon: number) => Tensor4D;
  /** The length of each perturbation: [batch], owned by the caller. */
  readonly length: (perturbation: Tensor4D) => Tensor1D;
  /** The length of one difference a − b, in float64. */
  readonly distance: (a: ArrayLike<number>, b: ArrayLike<number>) => number;
}
