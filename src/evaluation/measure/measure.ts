// The loop of an evaluation: the accuracy without attack, then every attack at every radius on one batch after another.

import { addCosts } from '../../../attacks/loops/costs.ts';
import { checkKnown } from '../../../attacks/loops/goals.ts';
import { readClasses } from '../../../attacks/support/labels.ts';
import type { Classifier } from '../../../attacks/types.ts';
import { InputError, UsageError } from '../../core/errors.ts';
import { foldIn, type Key, seedKey } from '../../core/key.ts';
import { yieldToEvents } from '../../core/yield-to-events.ts';
import { batchesOf, batchImages } from '../../data/batch.ts';
import { testIndices } from '../../data/split.ts';
import { checkAlarms } from '../alarms/alarms.ts';
import { checkEpsilon } from '../epsilon.ts';
import { accuracyOf } from '../intervals.ts';
import { isOfPart } from '../parts/part.ts';
import { acrossNorms, withUnions } from '../results/union.ts';
import { predict } from '../targets/predict.ts';
import { isAcrossNorms } from '../threat.ts';
import { attackCell } from './attack-cell.ts';
import { cellsOf, evidenceOf, resultOf } from './cells.ts';
import { PROBED, probeFirst } from './probe-first.ts';
import { progressOf, stepOf, type Work } from './progress.ts';
import { advanced, NOTHING_SEEN, noneYet } from './state.ts';
import type { Cell, EvaluatedSplit, Measurement, MeasureOptions, MeasureState, Part } from './types.ts';

/** Everything that is found before the alarms. */
interface Found {
  readonly state: MeasureState;
  readonly cells: readonly Cell[];
  readonly labels: Int32Array;
  readonly indices: Int32Array;
  readonly key: Key;
}

/**
 * The state of a measurement of which only a part of the batches was attacked. Parts of the same options add up to the state
 * of the whole (`mergeParts`), from which `measure` continues.
 *
 * @throws InputError for options out of range
 */
export const measurePart = async (
  model: Classifier,
  dataset: EvaluatedSplit,
  options: MeasureOptions & { readonly part: Part },
): Promise<MeasureState> => (await attackImages(model, dataset, options)).state;

/**
 * Clean accuracy of a classifier, its accuracy under each attack at each radius and, by image, under their union; in several
 * norms also under all of them.
 *
 * An image counts as right under attack where it is right both clean and attacked; images misclassified without attack
 * are not attacked. Random choices depend on the seed, the attack and the image's number only. However many images there
 * are, only one batch of them is on the backend at a time.
 *
 * @throws InputError for options out of range
 */
export async function measure(
  model: Classifier,
  dataset: EvaluatedSplit,
  options: MeasureOptions,
): Promise<Measurement> {
  const { state, cells, labels, indices, key } = await attackImages(model, dataset, options);
  const { test, imageShape, classes } = dataset;
  const n = indices.length;
  const right = state.predictions.filter((prediction, i) => prediction === labels[i]).length;
  const first = batchImages(test, indices.subarray(0, PROBED), imageShape);
  const { probe, cost, squares } = await probeFirst(model, first, { labels, cells, state, key, options }).finally(() =>
    first.dispose(),
  );
  const attacks = withUnions(cells.map((cell, i) => resultOf(cell, state.cells[i])));
  return {
    clean: accuracyOf(right, n),
    attacks,
    ...(isAcrossNorms(options.threats) && { acrossNorms: [acrossNorms(attacks, options.threats)] }),
    alarms: checkAlarms({
      classes: classes.length,
      predictions: state.predictions,
      returnsProbabilities: options.returnsProbabilities?.() ?? false,
      attacks: cells.map((cell, i) => evidenceOf(cell, state.cells[i])),
      shortSquares: squares.map(({ found }) => found),
      probe,
      ...state.seen,
    }),
    // Once for the accuracy without attack, and again for the examples that fooled the model in the first batch.
    ...[cost, ...squares.map((square) => square.cost), ...state.cells.map((cell) => cell.cost)].reduce(addCosts, {
      forwardPasses: n + state.seen.successes,
      inputGradients: 0,
    }),
  };
}

/** The accuracy without attack, and then the attacks on all batches, or on those of a part. */
async function attackImages(model: Classifier, dataset: EvaluatedSplit, options: MeasureOptions): Promise<Found> {
  const { batchSize = 256, seed = 0, signal, onProgress, onStep } = options;
  const { test, imageShape, classes } = dataset;
  const indices = testIndices(test, options.limit);
  const n = indices.length;
  checkOptions(options, n);
  const key = foldIn(seedKey(seed), 'attack');
  const cells = cellsOf(options, key);
  const labels = await readClasses(
    'labels of the test split',
    Array.from(indices, (index) => test.labels[index]),
  );
  checkKnown('labels of the test split', labels, classes.length);

  let state = options.from ?? {
    predictions: await predictAll(model, dataset, indices, batchSize, (done, right) => {
      onProgress?.({ done: 0, total: n * cells.length, clean: right / done, robust: null });
      signal?.throwIfAborted();
    }),
    done: 0,
    cells: cells.map(() => noneYet(n)),
    seen: NOTHING_SEEN,
  };
  const places = Int32Array.from(indices.keys()).filter((i) => state.predictions[i] === labels[i]);
  const clean = accuracyOf(places.length, n);
  await options.onClean?.(clean);

  // A part takes whole batches, whose numbers are those of the evaluation on one machine.
  const own = [...batchesOf(places, batchSize).entries()].filter(([number]) => isOfPart(number, options.part));
  const batches = own.map(([, batch]) => batch);
  const work: Work = { cells, batches, wrong: n - places.length, clean: clean.value, classes: classes.length };
  onProgress?.(progressOf(work, state));
  for (const [position, [number, batch]] of own.entries()) {
    if (state.done >= (position + 1) * cells.length) continue;
    const samples = Array.from(batch, (place) => indices[place]);
    const images = batchImages(test, samples, imageShape);
    try {
      for (let i = state.done % cells.length; i < cells.length; i++) {
        signal?.throwIfAborted();
        const { label: attack, norm, epsilon } = cells[i];
        const found = await attackCell(
          model,
          cells[i],
          images,
          {
            test,
            batch,
            samples,
            first: number === 0,
            signal,
            onProgress: onStep && ((progress) => onStep(stepOf(work, i, position, progress))),
          },
          (made) => {
            const start = number * batchSize;
            return options.onExamples?.({ attack, norm, epsilon, start, total: places.length, samples, ...made });
          },
        );
        state = advanced(state, i, batch, found);
        await options.onState?.(state);
        onProgress?.(progressOf(work, state));
        // Lets Ctrl-C and timers in.
        await yieldToEvents();
      }
    } finally {
      images.dispose();
    }
  }
  return { state, cells, labels, indices, key };
}

/** The classes of all images, batch by batch. */
async function predictAll(
  model: Classifier,
  { test, imageShape }: EvaluatedSplit,
  indices: Int32Array,
  batchSize: number,
  onBatch: (done: number, right: number) => void,
): Promise<Int32Array> {
  const predictions = new Int32Array(indices.length);
  let done = 0;
  let right = 0;
  for (const batch of batchesOf(indices, batchSize)) {
    const images = batchImages(test, batch, imageShape);
    const found = await predict(model, images).finally(() => images.dispose());
    predictions.set(found, done);
    done += batch.length;
    right += found.filter((prediction, i) => prediction === test.labels[batch[i]]).length;
    onBatch(done, right);
    await yieldToEvents();
  }
  return predictions;
}

function checkOptions({ threats, attacks, batchSize, limit }: MeasureOptions, n: number): void {
  if (attacks.length === 0) throw new InputError('An evaluation needs at least one attack, got none.');
  if (threats.length === 0) throw new InputError('An evaluation needs at least one epsilon, got none.');
  for (const { norm, epsilon } of threats) checkEpsilon(norm, epsilon);
  for (const [flag, value] of Object.entries({ '--batch-size': batchSize, '--test-limit': limit })) {
    if (value !== undefined && !(Number.isInteger(value) && value >= 1)) {
      throw new UsageError(`${flag} must be a whole number of at least 1, got ${value}.`);
    }
  }
  if (n === 0) throw new InputError('The split to evaluate on has no images.');
}
