// Looks for a preprocessing under which an unknown model is right more often.
import { batchesOf, batchImages } from '../../data/batch.ts';
import { testIndices } from '../../data/split.ts';
import type { Dataset, Split } from '../../data/types.ts';
import { type Accuracy, accuracyOf } from '../intervals.ts';
import { logitsOf } from './predict.ts';
import { flagsOf, type Preprocessing } from './preprocessing.ts';
import type { Target } from './target.ts';

/** A preprocessing with which a model is right more often. */
export interface Suggestion {
  readonly preprocessing: Preprocessing;
  /** Accuracy with this preprocessing; `given` is the accuracy as the user asked, on the same images. */
  readonly accuracy: Accuracy;
  readonly given: Accuracy;
}

/** Balanced over the classes: where a test set is sorted by class, its first images would be of one. */
const IMAGES = 500;
const BATCH = 100;

/** Means and deviations by channel that much code normalises with. */
const CUSTOMARY: readonly Preprocessing[] = [
  { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] },
  { bounds: [0, 255], mean: [103.939, 116.779, 123.68] },
];

/**
 * The usual alternative under which a model is right most often on 500 test images: pixels in 0–1, 0–255 or ±1,
 * normalised by the data set's mean and deviation or by ImageNet's, channels in the order BGR, axes in the order NCHW,
 * labels shifted by one. Null if none does clearly better than what was given.
 */
export async function suggestPreprocessing(target: Target, dataset: Dataset): Promise<Suggestion | null> {
  const given = target.record.preprocessing ?? {};
  const indices = testIndices(dataset.test, IMAGES);
  const scored: { readonly preprocessing: Preprocessing; readonly correct: number }[] = [];
  for (const alternative of [given, ...alternatives(dataset, target)]) {
    const { labelOffset, ...own } = alternative;
    // Outputs that the user chose stay as they are.
    const pixels: Preprocessing = given.outputs === undefined ? own : { ...own, outputs: given.outputs };
    const counts = await countRight(target, dataset, indices, pixels);
    for (const [offset, correct] of counts) {
      if (alternative === given ? offset === (labelOffset ?? 0) : true) {
        scored.push({ preprocessing: alternative === given ? given : withOffset(pixels, offset), correct });
      }
    }
  }
  const [first] = scored;
  const correctGiven = first?.preprocessing === given ? first.correct : 0;
  const best = scored.reduce((a, b) => (b.correct > a.correct ? b : a), {
    preprocessing: given,
    correct: correctGiven,
  });
  const [accuracy, before] = [best.correct, correctGiven].map((correct) => accuracyOf(correct, indices.length));
  return accuracy.low > before.high ? { preprocessing: best.preprocessing, accuracy, given: before } : null;
}

/** One sentence of what to do. */
export const describeSuggestion = (suggestion: Suggestion | null): string => {
  if (suggestion === null) {
    return 'None of the usual ways to preprocess images does better: check that the model and the data set belong together.';
  }
  const { preprocessing, accuracy, given } = suggestion;
  const flags = flagsOf(preprocessing) || 'none of the flags for preprocessing';
  return `On ${accuracy.n} images ${percent(accuracy)} are right with ${flags} instead of ${percent(given)}. Nothing was changed: give these flags if the model was trained so.`;
};

const percent = ({ value }: Accuracy): string => `${Number((100 * value).toFixed(1))} %`;

const withOffset = (pixels: Preprocessing, offset: number): Preprocessing =>
  offset === 0 ? pixels : { ...pixels, labelOffset: offset };

function alternatives(dataset: Dataset, { inputShape }: Target): readonly Preprocessing[] {
  const channels = dataset.imageShape[2];
  const ranges: readonly Preprocessing[] = [
    {},
    { bounds: [0, 255] },
    { bounds: [-1, 1] },
    meanAndDeviation(dataset.train.count > 0 ? dataset.train : dataset.test, channels),
    ...(channels === 3 ? CUSTOMARY : []),
  ];
  const orders = ranges.flatMap((range) => [
    range,
    ...(channels === 3 ? [{ ...range, channels: 'bgr' as const }] : []),
  ]);
  const takesRows = inputShape === null || String(inputShape) === String(dataset.imageShape);
  return orders.flatMap((order) => [...(takesRows ? [order] : []), { ...order, layout: 'nchw' as const }]);
}

/** Mean and deviation of the first 10,000 images of a split, by channel, in units of [0, 1]. */
function meanAndDeviation({ count, images }: Split, channels: number): Preprocessing {
  const pixels = (images.length / Math.max(1, count)) * Math.min(count, 10_000);
  const sums = new Float64Array(channels);
  const squares = new Float64Array(channels);
  for (let i = 0; i < pixels; i++) {
    sums[i % channels] += images[i] / 255;
    squares[i % channels] += (images[i] / 255) ** 2;
  }
  const each = pixels / channels;
  const round = (value: number) => Number(value.toFixed(4));
  const mean = Array.from(sums, (sum) => round(sum / each));
  const std = Array.from(squares, (square, i) =>
    Math.max(1e-4, round(Math.sqrt(square / each - (sums[i] / each) ** 2))),
  );
  return { mean, std };
}

/** The number of images that are right for each shift of the labels; empty if the model cannot take the images in this form. */
async function countRight(
  target: Target,
  { test, imageShape, classes }: Dataset,
  indices: Int32Array,
  pixels: Preprocessing,
): Promise<ReadonlyMap<number, number>> {
  const model = target.preprocessedBy(pixels);
  const counts = new Map<number, number>();
  for (const batch of batchesOf(indices, BATCH)) {
    const images = batchImages(test, batch, imageShape);
    let logits: Float32Array;
    try {
      logits = await logitsOf(model, images);
    } catch {
      return new Map();
    } finally {
      images.dispose();
    }
    const outputs = logits.length / batch.length;
    for (const offset of pixels.outputs !== undefined
      ? [0]
      : outputs < classes.length
        ? []
        : outputs > classes.length
          ? offsetsUpTo(outputs - classes.length)
          : [0, 1, -1]) {
      const right = batch.filter((index, i) => {
        const row = logits.subarray(i * outputs, (i + 1) * outputs);
        const at = (label: number): number => row[(label + offset + outputs) % outputs];
        return classes.every((_, label) => label === test.labels[index] || at(test.labels[index]) > at(label));
      });
      counts.set(offset, (counts.get(offset) ?? 0) + right.length);
    }
  }
  return counts;
}

/** Where a model has more outputs than there are labels, those before the first label. */
const offsetsUpTo = (spare: number): number[] => (spare > 1 ? [0, 1, spare] : [0, 1]);
