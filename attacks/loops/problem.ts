// A batch under attack, read and checked, in plain memory; and what every attack does with it.
import type { Tensor1D, Tensor2D, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { InputError } from '../../src/core/errors.ts';
import { foldIn, type Key, seedKey } from '../../src/core/key.ts';
import { classifierOf } from '../models/classifier-of.ts';
import { describe } from '../support/describe.ts';
import { checkImages, readPixels } from '../support/images.ts';
import { checkOptionNames, namesOf } from '../support/options.ts';
import { turns } from '../support/yielding.ts';
import type { AttackedModel, Bounds, GivenGoal, PerturbOptions } from '../types.ts';
import { type Asking, meanOf } from './expectation.ts';
import { checkClasses, type ReadGoal, readGoal } from './goals.ts';
import { predictionsOf } from './predictions.ts';

/** A batch under attack, in plain memory. */
export interface Problem extends Asking {
  /** [samples · size] */
  readonly pixels: Float32Array;
  /** [batch, height, width, channels] */
  readonly shape: Tensor4D['shape'];
  readonly goal: ReadGoal;
  readonly key: Key;
  /** The images' numbers in their data set. */
  readonly samples: readonly number[];
  readonly start?: Float32Array;
  readonly mode: 'evaluate' | 'train';
  /**
   * True if an attempt ends at the first point that meets the goal. In mode `train` none does. With `eot` above 1 none does
   * either, as the model is random then: a point that meets the goal by a little on average does not in about half of all draws.
   */
  readonly endsAtSuccess: boolean;
  /** Called with the number of images whose gradients were not finite. */
  readonly onNonFinite?: (gradients: number) => void;
  /** Reports how many of the steps are done, and which attempts continue. */
  readonly tell: (step: number, steps: number, rows: readonly Attempt[]) => void;
}

/** What the model says of the unperturbed images. */
export interface Clean {
  /** [batch · classes] */
  readonly logits: Float32Array;
  readonly classes: number;
  readonly predictions: readonly number[];
}

/** One attempt at one image: what a row of the attacked batch is. */
export interface Attempt {
  /** The image's place in the batch. */
  readonly image: number;
  /** Which attempt at that image: another random start, or another target class. */
  readonly restart: number;
}

const PERTURB_OPTIONS = namesOf<PerturbOptions>({
  key: true,
  samples: true,
  start: true,
  mode: true,
  onCost: true,
  onNonFinite: true,
  onProgress: true,
  signal: true,
});

/** Throws InputError for options that `perturb` does not have or that are of no use, and the reason of an aborted signal. */
export function checkPerturb(options: PerturbOptions): void {
  checkOptionNames('perturb', options, PERTURB_OPTIONS);
  const { mode = 'evaluate', signal } = options;
  if (mode !== 'evaluate' && mode !== 'train') {
    throw new InputError(`mode: expected evaluate or train, got ${describe(mode)}.`);
  }
  checkSignal(signal);
}

/** Throws for what is no AbortSignal, and the reason of one that is aborted already. */
export function checkSignal(signal: AbortSignal | undefined): void {
  if (signal === undefined) return;
  if (typeof signal?.throwIfAborted !== 'function') {
    throw new InputError(`signal: expected an AbortSignal, got ${describe(signal)}. Give that of an AbortController.`);
  }
  signal.throwIfAborted();
}

/** What a problem takes from the attack. */
export interface Attacker {
  readonly name: string;
  /** The lowest and the highest value of a pixel. */
  readonly bounds: Bounds;
  /** Calls of the model whose mean each answer is. */
  readonly eot: number;
  /** True if it searches the smallest perturbation, and so ends at success, whatever the mode. */
  readonly smallest?: boolean;
}

/** Reads and checks what `perturb` was given. */
export async function readProblem(
  { name, bounds, eot, smallest = false }: Attacker,
  model: AttackedModel,
  images: Tensor4D,
  goal: GivenGoal,
  options: PerturbOptions,
): Promise<Problem> {
  checkPerturb(options);
  checkImages(images);
  const [batch] = images.shape;
  const { onProgress, mode = 'evaluate' } = options;
  return {
    classifier: classifierOf(model),
    eot,
    pixels: await readPixels(images, bounds),
    shape: images.shape,
    goal: await readGoal(goal, batch),
    key: options.key ?? seedKey(0),
    samples: samplesOf(options, batch),
    start: await readStart(options, images),
    mode,
    endsAtSuccess: smallest || (mode === 'evaluate' && eot === 1),
    spend: options.onCost ?? (() => {}),
    onNonFinite: options.onNonFinite,
    turn: turns(options.signal),
    tell: (step, steps, rows) => {
      if (!onProgress) return;
      const left = new Set(rows.map(({ image }) => image)).size;
      onProgress({ attack: name, step, steps, left, share: step / steps });
    },
  };
}

export function samplesOf({ samples }: Pick<PerturbOptions, 'samples'>, batch: number): readonly number[] {
  if (samples && (samples.length !== batch || !samples.every(Number.isSafeInteger))) {
    throw new InputError(
      `samples must hold one data-set index for each of the ${batch} images, got ${samples.length}.`,
    );
  }
  return samples ?? Array.from({ length: batch }, (_, i) => i);
}

/** Throws for a start that is no such tensor as the images. */
export function checkStart(start: Tensor4D | undefined, images: Tensor4D): void {
  if (start === undefined) return;
  checkImages(start, 'start');
  if (start.shape.join() !== images.shape.join()) {
    throw new InputError(
      `start: expected the shape of the images, [${images.shape}], got [${start.shape}]. Give each image its own start.`,
    );
  }
}

async function readStart({ start }: PerturbOptions, images: Tensor4D): Promise<Float32Array | undefined> {
  if (!start) return undefined;
  checkStart(start, images);
  const pixels = (await start.data()) as Float32Array;
  if (!pixels.every(Number.isFinite)) throw new InputError('start holds a pixel that is NaN or infinite.');
  return pixels;
}

/** Numbers in one image. */
export const sizeOf = ([, height, width, channels]: Tensor4D['shape']): number => height * width * channels;

/** [height, width, channels] */
export const imageShape = ([, height, width, channels]: Tensor4D['shape']): [number, number, number] => [
  height,
  width,
  channels,
];

/** One image's numbers, a view. */
export const pixelsOf = (data: Float32Array, shape: Tensor4D['shape'], image: number): Float32Array =>
  data.subarray(image * sizeOf(shape), (image + 1) * sizeOf(shape));

/** The random stream of an attempt. */
export const streamOf = ({ key, samples }: Problem, { image, restart }: Attempt): Key =>
  foldIn(foldIn(key, samples[image]), restart);

/** Every restart from `first` of every image, the lower restarts first. */
export const attempts = (images: readonly number[], first: number, count: number): Attempt[] =>
  Array.from({ length: count }, (_, i) => images.map((image) => ({ image, restart: first + i }))).flat();

/** Rows of `size` numbers, copied in that order. */
export function takeFlat(data: Float32Array, rows: readonly number[], size: number): Float32Array {
  const taken = new Float32Array(rows.length * size);
  rows.forEach((row, i) => {
    taken.set(data.subarray(row * size, (row + 1) * size), i * size);
  });
  return taken;
}

/** Reads and frees the outcome of a forward pass. A loss that is not a number is the lowest of all. */
export async function report({ logits, loss }: { logits: Tensor2D; loss: Tensor1D }) {
  try {
    return {
      loss: comparable(await loss.data()),
      predictions: predictionsOf((await logits.data()) as Float32Array, logits.shape[1]),
    };
  } finally {
    for (const tensor of [logits, loss]) tensor.dispose();
  }
}

/** Losses that can be compared: one that is not a number is lower than all others. */
export const comparable = (losses: ArrayLike<number>): Float32Array =>
  Float32Array.from(losses, (loss) => (Number.isNaN(loss) ? Number.NEGATIVE_INFINITY : loss));

/** The logits of the unperturbed images, owned by the caller. */
export async function cleanLogitsOf(problem: Problem): Promise<Tensor2D> {
  const { classifier, pixels, shape, goal } = problem;
  const { logits } = await meanOf(problem, { forwardPasses: shape[0], inputGradients: 0 }, () =>
    tf.tidy(() => {
      const result = classifier(tf.tensor4d(pixels, shape));
      checkClasses(goal, result);
      return { logits: result };
    }),
  );
  return logits;
}

export async function cleanOutputs(problem: Problem): Promise<Clean> {
  const logits = await cleanLogitsOf(problem);
  try {
    const values = Float32Array.from(await logits.data());
    if (!values.every(Number.isFinite)) {
      throw new InputError(
        'The model gives NaN or infinite logits for the unperturbed images; check its weights. For a class that it is never to ' +
          'give, return a finite logit far below the others, such as -1e9.',
      );
    }
    const classes = logits.shape[1];
    return { logits: values, classes, predictions: predictionsOf(values, classes) };
  } finally {
    logits.dispose();
  }
}
