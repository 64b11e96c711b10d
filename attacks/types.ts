import type { Tensor, Tensor1D, Tensor2D, Tensor4D } from '@tensorflow/tfjs-core';
import type { Key } from '../src/core/key.ts';

/** images [batch, height, width, channels], pixels in [0, 1] → logits [batch, classes]. */
export type Classifier = (images: Tensor4D) => Tensor2D;

/** Anything with the `apply` of a TensorFlow.js LayersModel; called as `apply(images, { training: false })`. */
export interface AppliedModel {
  apply(inputs: Tensor, options?: { training?: boolean }): unknown;
}

export type AttackedModel = Classifier | AppliedModel;

/**
 * What an attack is after: any class but the labels, or one given class an image. Labels are int32 [batch]; those of a
 * targeted goal serve only losses that compare the target with the true class (DLR), by default the clean prediction.
 */
export type Goal =
  | { readonly kind: 'untargeted'; readonly labels: Tensor1D }
  | { readonly kind: 'targeted'; readonly targets: Tensor1D; readonly labels?: Tensor1D };

/**
 * What an attack increases: one value a sample, [batch]. `cleanLogits` are those of the unperturbed images, for losses
 * that compare with them.
 */
export type Loss = (logits: Tensor2D, goal: Goal, cleanLogits?: Tensor2D) => Tensor1D;

/** What an attack asked of the model, counted in images. */
export interface Cost {
  readonly forwardPasses: number;
  /** Gradients with respect to the images; each is a forward pass too. */
  readonly inputGradients: number;
}

export type NormName = 'linf' | 'l2' | 'l1';

export interface PerturbOptions {
  /** Names the attack's random numbers; default `seedKey(0)`. */
  readonly key?: Key;
  /** The images' numbers in their data set, each with a random stream of its own; default 0 … batch − 1. */
  readonly samples?: readonly number[];
  /** The first adversarial iterate, which turns the random start off; borrowed. */
  readonly start?: Tensor4D;
  /** `evaluate` (default) drops solved samples and stacks restarts; `train` always runs every step. */
  readonly mode?: 'evaluate' | 'train';
  /** Told, possibly several times, what has been spent since it was told last. */
  readonly onCost?: (cost: Cost) => void;
}

export interface Attack {
  readonly name: string;
  readonly norm: NormName;
  /** The radius of the ball in pixel units of [0, 1]; null for an attack that searches the smallest perturbation. */
  readonly epsilon: number | null;
  /**
   * Adversarial images, owned by the caller.
   *
   * @param images [batch, height, width, channels], pixels within the attack's bounds; borrowed
   * @param goal a bare integer label tensor means untargeted; borrowed
   */
  perturb(model: AttackedModel, images: Tensor4D, goal: Goal | Tensor1D, options?: PerturbOptions): Promise<Tensor4D>;
}
