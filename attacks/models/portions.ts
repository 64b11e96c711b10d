// How a model is asked about more images than fit into memory: in portions, whose results are put together. The first portions
// are small and measure what an image takes; a portion that does not fit is halved.
import type { Tensor, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { isOutOfMemory } from '../../src/core/errors.ts';
import { replaced } from '../../src/core/replaced.ts';
import type { Classifier, Portions, Question } from '../types.ts';

export interface PortionOptions {
  /** Images at once; by default the first portions measure what fits. */
  readonly size?: number;
  /** Bytes that tensors may still take. */
  readonly available: () => number;
  /** Called once, with a message, if a portion did not fit into memory. */
  readonly warn?: (message: string) => void;
}

/** A backend that knows its own memory better than the sum of its tensors does. */
export interface MeasuringBackend {
  /** The most bytes in use at once while `work` runs, above those in use before. */
  readonly peakBytes: (work: () => void) => number;
}

/** Sizes of the first portions. */
const FIRST = [4, 32] as const;
/** Part of the memory that a portion may fill: free memory is in pieces, and not every image takes the same. */
const SHARE = 0.6;

/** Portions that share what they learn of a model. */
export function portionsOf({ size: given, available, warn = () => {} }: PortionOptions): Portions {
  /** By question, the number of images that are known to fit, and the number of portions that have been measured. */
  const known: Record<Question, { most: number; measured: number }> = {
    logits: { most: given ?? FIRST[0], measured: given === undefined ? 0 : FIRST.length },
    gradient: { most: given ?? FIRST[0], measured: given === undefined ? 0 : FIRST.length },
  };
  let hasWarned = false;
  return {
    ask: (question, count, ask) => {
      const own = known[question];
      const answers: (readonly Tensor[])[] = [];
      let tooMany: number | null = null;
      for (let begin = 0; begin < count; ) {
        const size = Math.min(own.most, count - begin);
        try {
          if (own.measured < FIRST.length && size === own.most) {
            const free = available();
            const peak = Math.max(
              1,
              peakBytes(() => answers.push(ask(begin, size))),
            );
            const fits = Math.max(1, Math.floor((SHARE * free * size) / peak));
            own.measured++;
            own.most = Math.min(fits, FIRST[own.measured] ?? Number.POSITIVE_INFINITY);
          } else answers.push(ask(begin, size));
          begin += size;
        } catch (error) {
          if (size === 1 || !isOutOfMemory(error)) throw error;
          tooMany ??= size;
          own.most = Math.ceil(size / 2);
          own.measured = FIRST.length;
        }
      }
      if (tooMany !== null && !hasWarned) {
        hasWarned = true;
        warn(`${tooMany} images at once do not fit into memory; from here on the model gets ${own.most}.`);
      }
      if (answers.length === 1) return answers[0];
      return answers[0].map((_, i) => {
        const parts = answers.map((answer) => answer[i]);
        const joined = tf.concat(parts);
        tf.dispose(parts);
        return joined;
      });
    },
  };
}

/** `images` from `begin` on; all of them if that is the same. */
export const portionOf = <T extends Tensor>(tensor: T, begin: number, size: number): T =>
  size === tensor.shape[0] ? tf.clone(tensor) : tf.slice(tensor, begin, size);

/** A classifier that answers in portions. Within a gradient it takes all images: `lossGradient` divides them. */
export function inPortions(model: Classifier, portions: Portions): Classifier {
  const run = (images: Tensor4D) => {
    if (tf.engine().state.gradientDepth > 0 || images.shape[0] === 0) return model(images);
    return tf.tidy(() => {
      const ask = (begin: number, size: number) => tf.tidy(() => [model(portionOf(images, begin, size))]);
      return portions.ask('logits', images.shape[0], ask)[0];
    });
  };
  return Object.assign(run as Classifier, { portions });
}

/** The most bytes that tensors take at once while `work` runs, above those before. */
export function peakBytes(work: () => void): number {
  const backend = tf.backend() as Partial<MeasuringBackend>;
  if (backend.peakBytes !== undefined) return backend.peakBytes(work);
  const engine = tf.engine();
  const before = engine.state.numBytes;
  let peak = 0;
  const { trackTensor } = engine as unknown as { trackTensor: (...given: unknown[]) => void };
  const track = (...given: unknown[]): void => {
    trackTensor.apply(engine, given);
    peak = Math.max(peak, engine.state.numBytes - before);
  };
  replaced(engine as unknown as { trackTensor: typeof track }, 'trackTensor', track, work);
  return peak;
}
