// The options of an evaluation, as the library takes them.
import type { NormName } from '../../attacks/types.ts';
import type { Reading } from '../checkpoints/pytorch/reading.ts';
import type { Dataset } from '../data/types.ts';
import type { LockTimes } from '../files/lock.ts';
import type { AttackSpec } from './attacks/named-attacks.ts';
import type { EvaluationProgress, EvaluationStep } from './measure/types.ts';

import type { CheckpointName } from './targets/checkpoint-names.ts';
import type { ClassMap } from './targets/class-map.ts';
import type { Preprocessing } from './targets/preprocessing.ts';

/** How a model is loaded and given images. */
export interface ModelOptions {
  /** Which checkpoints, where the model is a run's folder; default: all that it keeps. What takes one model takes the first. */
  readonly checkpoints?: readonly CheckpointName[];
  /** The data set to test on: a name, or one loaded or made by you, which is checked. Default: that of the model's training. */
  readonly dataset?: Dataset | string;
  /** Where data sets lie. */
  readonly dataDirectory?: string;
  /** What is done to pixels before a model sees them; default: nothing, pixels in [0, 1]. */
  readonly preprocessing?: Preprocessing;
  /** Which output belongs to which class of the data set, or a JSON file of that; default: they are in one order. */
  readonly classes?: ClassMap | string;
  /** File of other names for a model's weights. */
  readonly names?: string;
  /** What weights of PyTorch do not say of their network: stem, pools and activation. */
  readonly reading?: Reading;
  /** A safetensors file of images and logits that the model's original software saved. The evaluation stops if the logits differ. */
  readonly expectLogits?: string;
  /**
   * Images at once, in everything that asks the model. By default it gets as many as fit into memory, which the first ones
   * measure, and an attack works on 256 images, or fewer large ones.
   */
  readonly batchSize?: number;
  /** Called with a message about anything unusual that is no reason to stop. */
  readonly warn?: (message: string) => void;
}

export interface EvaluateOptions extends ModelOptions {
  /** Default: the protocol `quick`. */
  readonly attacks?: readonly AttackSpec[];
  /** Default: that of the model's training. */
  readonly norm?: NormName;
  /** Radii in pixel units of [0, 1]; default: that of the model's training. */
  readonly epsilons?: readonly number[];
  /**
   * Several norms at once, each with one radius, in the place of `norm` and `epsilons`: `{ linf: 8 / 255, l2: 0.5, l1: 12 }`.
   * Every attack runs in every norm, and `acrossNorms` counts an image only if it survives all of them.
   */
  readonly norms?: Readonly<Partial<Record<NormName, number>>>;
  /** The largest number of test images, balanced over the classes; default: the limit of the model's training, else all. */
  readonly testLimit?: number;
  /** Names every random number of the attacks; default 0. */
  readonly seed?: number;
  /** The accuracy without attack that the model is known to have, as a fraction; another one stops the evaluation. */
  readonly expectClean?: number;
  /** File that the result is added to; default: evaluation.json of the checkpoint's run. False writes nothing. */
  readonly out?: string | false;
  /**
   * Goes on with an interrupted evaluation, and takes what was done from the file of results. One of other settings is an
   * error, or with `if-same` begun anew.
   */
  readonly resume?: boolean | 'if-same';
  /** Files that `evaluatePart` has made, of all parts: what they found takes the place of attacks. */
  readonly merge?: readonly string[];
  /** Folder to write the adversarial examples of every attack into. */
  readonly saveExamples?: string;
  readonly onProgress?: (progress: EvaluationProgress & { readonly checkpoint: string }) => void;
  /** Called after every step of an attack. */
  readonly onStep?: (step: EvaluationStep & { readonly checkpoint: string }) => void;
  /** Stops the evaluation within one call of the model. */
  readonly signal?: AbortSignal;
  readonly lockTimes?: LockTimes;
}
