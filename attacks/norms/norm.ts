// What attacks need to know of a norm, and of where its adversarial images may lie. Nothing outside this folder asks
// which norm it has.
import type { Tensor1D, Tensor4D } from '@tensorflow/tfjs-core';
import type { Key } from '../../src/core/key.ts';
import type { Bounds, NormName } from '../types.ts';

/** Where adversarial images may lie: inside the ball around each image and the box of valid pixels. */
export interface Region {
  /** Points of the region near the given ones, up to float32; owned by the caller. */
  readonly project: (adversarial: Tensor4D) => Tensor4D;
  /** The step of length 1 that increases the loss most; owned by the caller. */
  readonly steepest: (gradient: Tensor4D, adversarial: Tensor4D) => Tensor4D;
  readonly dispose: () => void;
}

/** Where one adversarial image may lie, in plain memory: exactly inside the ball around its image and the bounds. */
export interface Ball {
  /** Moves a point to the nearest of the ball and the bounds; in l2 to the nearest of the ball, then of the bounds. */
  readonly project: (point: Float32Array) => void;
}

/** A norm. Perturbations and gradients in tensors are [batch, height, width, channels]. */
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
  /**
   * Where adversarial images may lie: the ball around each image, and the bounds.
   *
   * @param pixels of the images, row-major; borrowed while the region is in use
   */
  readonly region: (epsilon: number, bounds: Bounds, pixels: Float32Array, shape: Tensor4D['shape']) => Region;
  /** True if points that a region projects lie in the ball exactly, not up to float32. */
  readonly isExact: boolean;
  /** The largest radius that means anything for pixels of this range. */
  readonly largestRadius: (range: number) => number;
  /** The norm as a sum over pixels: a term for each change, and their total at a radius. Null for a maximum. */
  readonly sum: { readonly term: (change: number) => number; readonly total: (radius: number) => number } | null;
  /** The ball around one image, and the bounds; in plain memory. */
  readonly ball: (epsilon: number, bounds: Bounds, image: Float32Array) => Ball;
  /** Adds to a point in plain memory the step of a length that increases a linear function most, given its gradient. */
  readonly climb: (point: Float32Array, gradient: Float32Array, length: number) => void;
  /** The length of a gradient in the dual norm: the most that a step of length 1 can gain. */
  readonly gain: (gradient: Float32Array) => number;
  /**
   * The shortest move of a point within the bounds which brings a linear function from `value` to 0, given its gradient.
   * Where no move within the bounds does, it is the one that comes nearest.
   */
  readonly toHyperplane: (
    point: Float32Array,
    gradient: Float32Array,
    value: number,
    bounds: Bounds,
  ) => ArrayLike<number>;
}
