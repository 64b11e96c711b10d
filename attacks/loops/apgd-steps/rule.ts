// What Auto-PGD leaves to each norm: where it starts, how a step goes, and how steps adapt to what they achieve.
import type { Key } from '../../../src/core/key.ts';
import type { Ball } from '../../norms/index.ts';

/** The steps of an attempt at one radius. */
export interface Stretch {
  readonly epsilon: number;
  readonly steps: number;
  /** The share of steps that must raise the loss between two checkpoints. */
  readonly rho: number;
}

/** The point of highest loss of a stretch so far. */
export interface Best {
  readonly pixels: Float32Array;
  readonly gradient: Float32Array;
  readonly loss: number;
}

/** The steps of one attempt at one image at one radius. It has a state of its own. */
export interface Stepper {
  /** Takes in the loss of a point: that of the start first, then that of the point after every step. */
  readonly arrive: (loss: number) => void;
  /** Adapts the steps if `step` steps end a stage; returns true if the image is to continue from its best point. */
  readonly judge: (step: number, best: Best) => boolean;
  /** The point after a step, inside the ball and the bounds. */
  readonly move: (pixels: Float32Array, gradient: Float32Array) => Float32Array;
}

/** Auto-PGD's steps in one norm. */
export interface StepRule {
  /** A random perturbation to start from, which is then projected. */
  readonly noise: (key: Key, size: number, epsilon: number) => Float32Array;
  /**
   * Starts the steps of an attempt.
   *
   * @param from where it starts
   * @param isRandom whether that is a random point, of which the steps can learn nothing
   */
  readonly stepper: (
    stretch: Stretch,
    ball: Ball,
    image: Float32Array,
    from: Float32Array,
    isRandom: boolean,
  ) => Stepper;
}
