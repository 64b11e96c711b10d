// Randomised smoothing (Cohen, Rosenfeld and Kolter 2019, arXiv:1902.02918): a classifier that answers with the class that a
// base classifier gives most often under normal noise, and the l2 radius within which that answer provably stays.
import type { Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { samplesOf } from '../../../attacks/loops/problem.ts';
import { classifierOf } from '../../../attacks/models/classifier-of.ts';
import { readPixels } from '../../../attacks/support/images.ts';
import { turns } from '../../../attacks/support/yielding.ts';
import type { AttackedModel, Classifier } from '../../../attacks/types.ts';
import { InputError } from '../../core/errors.ts';
import { foldIn, type Key, normal, seedKey } from '../../core/key.ts';
import { predict } from '../targets/predict.ts';
import { checkAlpha, lowerConfidenceBound } from './clopper-pearson.ts';
import { normalQuantile } from './normal.ts';

/** The prediction of a smoothed classifier that abstains. */
export const ABSTAINS = -1;

/** The prediction for an image whose logits are NaN. */
const NO_CLASS = -1;

/** The bounds of pixels before noise, in whose units sigma and radii are. */
const PIXELS = [0, 1] as const;

/** What a smoothed classifier says of an image. */
export interface Certificate {
  /** Its class, or −1 if it abstains. */
  readonly prediction: number;
  /** No image within this l2 distance, in pixel units of [0, 1], has another class; 0 if it abstains. */
  readonly radius: number;
  /** How many of the n draws gave the class that was most frequent in the n0. */
  readonly successes: number;
}

/** Options of certification. */
export interface CertifyOptions {
  /** Draws that choose the class; default 100. */
  readonly n0?: number;
  /** Draws that estimate its probability; default 10,000. */
  readonly n?: number;
  /** The certificate is wrong with at most this probability; default 0.001. */
  readonly alpha?: number;
  /** Names the noise of this image: its number in its data set; default 0. */
  readonly sample?: number;
  /** Stops it within one call of the model. */
  readonly signal?: AbortSignal;
  /** Called after each call of the model with the share of the draws that are done. */
  readonly onProgress?: (share: number) => void;
  /** Told how many draws gave no class, if the model returned NaN for any. They count against every class. */
  readonly onNotNumbers?: (draws: number) => void;
}

export const CERTIFY_DEFAULTS = { n0: 100, n: 10_000, alpha: 0.001 } as const;

/** Options of smoothing. */
export interface SmoothOptions {
  /** Standard deviation σ of the noise on every pixel, in units of [0, 1]. */
  readonly sigma: number;
  /** Names the noise; default the key of seed 0. */
  readonly key?: Key;
  /** Noisy images at once; changes no result but for rounding. Default 256. */
  readonly batchSize?: number;
}

/** A smoothed classifier. */
export interface Smoothed {
  readonly sigma: number;
  /**
   * Class and radius of one image.
   *
   * @param image [1, height, width, channels], pixels in [0, 1], borrowed
   */
  certify(image: Tensor4D, options?: CertifyOptions): Promise<Certificate>;
  /**
   * The base classifier under noise, each call with another draw for each image: what an attack with `eot` averages. The draws depend
   * on the image's number and the call, not on the batch.
   *
   * @param samples the images' numbers in their data set; restarts of an attack repeat them in that order
   */
  noisy(samples: readonly number[]): Classifier;
  /**
   * The class that most draws give each image, the first of several; −1 if none is a number.
   *
   * @param images [batch, height, width, channels], borrowed
   */
  vote(images: Tensor4D, options: VoteOptions): Promise<Int32Array>;
}

/** Options of a vote. */
export interface VoteOptions {
  readonly draws: number;
  /** The images' numbers in their data set, which name the noise. */
  readonly samples: readonly number[];
  /** Stops it within one call of the model. */
  readonly signal?: AbortSignal;
}

/**
 * The smoothed classifier g(x) = argmax_c P(f(x + ε) = c), ε ~ N(0, σ² I), of a base classifier f. Noisy images are not
 * clipped. It certifies by sampling: with probability at least 1 − α, g has the class `prediction` in the whole l2 ball of
 * `radius` around the image. It says nothing about f itself.
 *
 * @param model the base classifier, best trained with the same noise (`--noise`)
 * @throws InputError for options out of range
 */
export function smooth(model: AttackedModel, options: SmoothOptions): Smoothed {
  const { sigma, key = seedKey(0), batchSize = 256 } = options;
  if (!(sigma > 0 && Number.isFinite(sigma)))
    throw new InputError(`Expected sigma above 0, such as 0.25, got ${sigma}.`);
  checkWhole('batchSize', batchSize);
  const classify = classifierOf(model);
  const turn = turns();

  /** How often each class is predicted in `draws` draws of noise from a stream. */
  const count = async (
    image: Tensor4D,
    stream: Key,
    draws: number,
    onBatch: (done: number) => void,
    signal?: AbortSignal,
  ): Promise<ReadonlyMap<number, number>> => {
    const counts = new Map<number, number>();
    for (let done = 0; done < draws; done += batchSize) {
      await turn();
      signal?.throwIfAborted();
      const batch = Math.min(batchSize, draws - done);
      const noise = new Float32Array(batch * image.size);
      for (let i = 0; i < batch; i++) noise.set(normal(foldIn(stream, done + i), image.size), i * image.size);
      const noisy = tf.tidy(() => {
        const shape: Tensor4D['shape'] = [batch, image.shape[1], image.shape[2], image.shape[3]];
        return tf.add(image, tf.mul(tf.tensor4d(noise, shape), sigma)) as Tensor4D;
      });
      const classes = await predict(classify, noisy).finally(() => noisy.dispose());
      for (const prediction of classes) counts.set(prediction, (counts.get(prediction) ?? 0) + 1);
      onBatch(done + batch);
    }
    return counts;
  };

  const stream = (purpose: string, sample: number): Key => foldIn(foldIn(foldIn(key, 'smoothing'), sample), purpose);
  return {
    sigma,
    noisy(samples) {
      const streams = samples.map((sample) => stream('attack', sample));
      let calls = 0;
      return (images) => {
        const call = calls++;
        const size = images.size / images.shape[0];
        const noise = new Float32Array(images.size);
        for (let row = 0; row < images.shape[0]; row++) {
          const repeat = Math.floor(row / streams.length);
          noise.set(normal(foldIn(foldIn(streams[row % streams.length], call), repeat), size), row * size);
        }
        return tf.tidy(() => classify(tf.add(images, tf.mul(tf.tensor4d(noise, images.shape), sigma))));
      };
    },
    async vote(images, { draws, samples, signal }) {
      checkWhole('draws', draws);
      await readPixels(images, PIXELS);
      samplesOf({ samples }, images.shape[0]);
      const winners = new Int32Array(images.shape[0]);
      for (const [i, sample] of samples.entries()) {
        const image = tf.slice(images, [i, 0, 0, 0], [1, -1, -1, -1]);
        const counts = await count(image, stream('vote', sample), draws, () => {}, signal).finally(() =>
          image.dispose(),
        );
        winners[i] = likeliestOf(counts)?.[0] ?? -1;
      }
      return winners;
    },
    async certify(image, { sample = 0, signal, onProgress, onNotNumbers, ...given } = {}) {
      const { n0, n, alpha } = { ...CERTIFY_DEFAULTS, ...given };
      checkWhole('n0', n0);
      checkWhole('n', n);
      checkAlpha(alpha);
      await readPixels(image, PIXELS);
      if (image.shape[0] !== 1) {
        throw new InputError(`Expected one image [1, height, width, channels], got [${image.shape}].`);
      }
      const tell = (before: number) => (done: number) => onProgress?.((before + done) / (n0 + n));
      const selection = await count(image, stream('selection', sample), n0, tell(0), signal);
      const estimation = await count(image, stream('estimation', sample), n, tell(n0), signal);
      const notNumbers = (selection.get(NO_CLASS) ?? 0) + (estimation.get(NO_CLASS) ?? 0);
      if (notNumbers > 0) onNotNumbers?.(notNumbers);
      return certificateOf({ selection, estimation }, { sigma, n, alpha });
    },
  };
}

/** How often classes were predicted under noise. */
export interface Counts {
  readonly selection: ReadonlyMap<number, number>;
  readonly estimation: ReadonlyMap<number, number>;
}

/**
 * The certificate that follows from counts: the class most frequent in the selection, the first of several, and the radius
 * σ Φ⁻¹(p) for the lower confidence bound p of its probability; abstention below p = ½.
 *
 * @throws InputError for alpha out of range
 */
export function certificateOf(
  { selection, estimation }: Counts,
  { sigma, n, alpha }: { readonly sigma: number; readonly n: number; readonly alpha: number },
): Certificate {
  const likeliest = likeliestOf(selection);
  const successes = likeliest === undefined ? 0 : (estimation.get(likeliest[0]) ?? 0);
  const bound = lowerConfidenceBound(successes, n, alpha);
  return likeliest === undefined || bound < 0.5
    ? { prediction: ABSTAINS, radius: 0, successes }
    : { prediction: likeliest[0], radius: sigma * normalQuantile(bound), successes };
}

/** The largest radius that n draws can certify: that of a class which all of them predict. 0 if n is too small for any. */
export const largestRadius = ({ sigma, n, alpha }: { sigma: number; n: number; alpha: number }): number =>
  sigma * Math.max(0, normalQuantile(lowerConfidenceBound(n, n, alpha)));

/** The class that was predicted most often, the first of several, with its count. */
const likeliestOf = (counts: ReadonlyMap<number, number>): readonly [prediction: number, times: number] | undefined =>
  [...counts].filter(([prediction]) => prediction >= 0).sort(([a, timesA], [b, timesB]) => timesB - timesA || a - b)[0];

function checkWhole(name: string, value: number): void {
  if (!Number.isInteger(value) || value < 1) {
    throw new InputError(`Expected ${name} as a whole number of at least 1, got ${value}.`);
  }
}
