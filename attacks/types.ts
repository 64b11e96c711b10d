// The contracts: what attacks are given, and what they are.
import type { Tensor, Tensor1D, Tensor2D, Tensor4D } from '@tensorflow/tfjs-core';
import type { Key } from '../src/core/key.ts';

/** The lowest and the highest value of a pixel. */
export type Bounds = readonly [low: number, high: number];

/** What a model is asked for; a gradient takes more memory. */
export type Question = 'logits' | 'gradient';

/** Answers about images in portions. */
export interface Portions {
  /**
   * Asks about `count` images, and joins the answers along their first axis. The caller's tidy owns them.
   *
   * @param ask gives its tensors for `size` images from `begin` on
   * @throws what `ask` throws, but if it runs out of memory with several images, it is asked again about half of them
   */
  readonly ask: (
    question: Question,
    count: number,
    ask: (begin: number, size: number) => readonly Tensor[],
  ) => readonly Tensor[];
}

/** images [batch, height, width, channels], pixels in [0, 1] → logits [batch, classes]. */
export interface Classifier {
  (images: Tensor4D): Tensor2D;
  /** How gradients of many images are taken; by default of all of them at once. */
  readonly portions?: Portions;
}

/** Anything with the `apply` of a TensorFlow.js LayersModel; called as `apply(images, { training: false })`. */
export interface AppliedModel {
  apply(inputs: Tensor, options?: { training?: boolean }): unknown;
}

/** A classifier as attacks take it: a function from images to logits, or a model of TensorFlow.js. */
export type AttackedModel = Classifier | AppliedModel;

/** Class numbers, one an image: whole numbers from 0, in a tensor [batch], a typed array or an array. */
export type Labels = Tensor1D | ArrayLike<number> | ArrayLike<bigint>;

/**
 * What an attack is after: any class but the labels, or one given class an image. Labels of a targeted goal serve only
 * losses that compare the target with the true class (DLR), by default the clean prediction.
 */
export type GoalOf<Classes> =
  | { readonly kind: 'untargeted'; readonly labels: Classes }
  | { readonly kind: 'targeted'; readonly targets: Classes; readonly labels?: Classes };

/** A goal as losses see it: class numbers are int32 tensors [batch]. */
export type Goal = GoalOf<Tensor1D>;

/** A goal as callers give it; bare labels are untargeted. */
export type GivenGoal = Labels | GoalOf<Labels>;

/** What an attack increases. */
export interface Loss {
  /**
   * One value a sample, [batch].
   *
   * @param cleanLogits logits of the unperturbed images; given to losses with `needsCleanLogits`
   */
  (logits: Tensor2D, goal: Goal, cleanLogits?: Tensor2D): Tensor1D;
  /** True if the loss compares with the clean logits, which may cost a forward pass. */
  readonly needsCleanLogits?: boolean;
}

/** What an attack asked of the model, counted in images. */
export interface Cost {
  readonly forwardPasses: number;
  /** Gradients with respect to the images; each is a forward pass too. */
  readonly inputGradients: number;
}

/** How far an attack on a batch is. */
export interface AttackProgress {
  /** The attack's name; of a cascade, that of its attack under way. */
  readonly attack: string;
  /** Steps done, of `steps` at most, over all restarts, target classes and constants. */
  readonly step: number;
  readonly steps: number;
  /** Images of the batch still under attack. */
  readonly left: number;
  /** How much of the whole attack's work is done for an image that is still under attack: a share, 0 … 1. */
  readonly share: number;
}

/** The norms in which perturbations are measured. */
export type NormName = 'linf' | 'l2' | 'l1';

/** Options of one call of an attack. */
export interface PerturbOptions {
  /** Names the attack's random numbers; default `seedKey(0)`. */
  readonly key?: Key;
  /** The images' numbers in their data set, each with a random stream of its own; default 0 … batch − 1. */
  readonly samples?: readonly number[];
  /** The first adversarial iterate, which turns the random start off; borrowed. */
  readonly start?: Tensor4D;
  /** `evaluate` (default) drops solved samples and stacks restarts; `train` always runs every step. */
  readonly mode?: 'evaluate' | 'train';
  /** Called, possibly several times, with the cost since the last call. */
  readonly onCost?: (cost: Cost) => void;
  /** Called with the number of images whose gradients were not finite, each time that there are some. */
  readonly onNonFinite?: (gradients: number) => void;
  /** Called after every step with the progress of the attack. */
  readonly onProgress?: (progress: AttackProgress) => void;
  /** Stops the attack, which then throws the signal's reason before its next call of the model. */
  readonly signal?: AbortSignal;
}

/** An attack with its options: what it is called, and the function that perturbs images. */
export interface Attack {
  readonly name: string;
  readonly norm: NormName;
  /** The radius of the ball in pixel units of [0, 1]; null for an attack that searches the smallest perturbation. */
  readonly epsilon: number | null;
  /** The lowest and the highest value of a pixel; default [0, 1]. */
  readonly bounds?: Bounds;
  /** The largest cost of the attack on one image of a model with this number of classes, in mode `evaluate`. */
  readonly budget?: (classes: number) => Cost;
  /**
   * Adversarial images, owned by the caller.
   *
   * @param images [batch, height, width, channels], pixels within the attack's bounds; borrowed
   * @param goal bare labels mean untargeted; borrowed
   */
  perturb(model: AttackedModel, images: Tensor4D, goal: GivenGoal, options?: PerturbOptions): Promise<Tensor4D>;
}

/** What a cascade of attacks found. */
export interface CascadeResult {
  /** [batch, height, width, channels]; owned by the caller. */
  readonly adversarial: Tensor4D;
  /** The images that still resist after `clean` and after each attack in turn: true if an image does not meet the goal yet. */
  readonly standing: Readonly<Record<string, readonly boolean[]>>;
  /** What `clean` and each attack asked of the model, the check of its results included. */
  readonly cost: Readonly<Record<string, Cost>>;
}

/** Attacks in a row, as one attack. */
export interface Cascade extends Attack {
  readonly attacks: readonly Attack[];
  /** Runs the cascade like `perturb`, and also returns what each attack did. */
  readonly run: (
    model: AttackedModel,
    images: Tensor4D,
    goal: GivenGoal,
    options?: PerturbOptions,
  ) => Promise<CascadeResult>;
}
