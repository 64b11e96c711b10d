// Accuracy of a model on adversarial examples that were made on other networks: what of an attack transfers to it.
import * as tf from '@tensorflow/tfjs-core';
import type { Classifier } from '../../../attacks/types.ts';
import { UsageError } from '../../core/errors.ts';
import { sizeOf } from '../../core/structure.ts';
import { yieldToEvents } from '../../core/yield-to-events.ts';
import { batchesOf, batchImages } from '../../data/batch.ts';
import type { Dataset } from '../../data/types.ts';
import { currentBackend } from '../../ops/current-backend.ts';
import { accuracyOf } from '../intervals.ts';
import type { ModelOptions } from '../options.ts';
import { checkFit, loadWith, namedData, testData, warnOfOtherFiles } from '../targets/loading.ts';
import { predict, warnOfNotNumbers } from '../targets/predict.ts';
import { type ModelFile, type ModelSource, modelFiles, recordPath } from '../targets/target.ts';
import { UNION } from '../types.ts';
import { version } from '../version.ts';
import {
  recordTransfer,
  TRANSFER_CLAIM,
  type TransferEvaluation,
  type TransferResult,
  transferBeside,
} from './record.ts';
import { exampleFilesIn, readExamples, type SavedExamples } from './saved-examples.ts';

/** Options of evaluating saved examples. */
export interface TransferOptions extends ModelOptions {
  /** Folder of adversarial examples, as `evaluate --save-examples` writes them. */
  readonly examples: string;
  readonly batchSize?: number;
  /** File that the results are added to; default: transfer.json of the checkpoint's run. False writes nothing. */
  readonly out?: string | false;
  readonly signal?: AbortSignal;
  /** Called after every batch, with the examples done and all there are of the file, and the file's attack. */
  readonly onProgress?: (progress: { readonly done: number; readonly total: number; readonly attack: string }) => void;
}

/**
 * Accuracies of a model, or of every checkpoint that a run's folder keeps, on saved adversarial examples of other networks. An image
 * counts as right if it is so both without attack and as an example. The figures are upper bounds on robust accuracy, and usually
 * far above what an attack on the model itself leaves. One file of examples is in memory at a time.
 *
 * @returns one evaluation a checkpoint
 * @throws InputError if a file is damaged, or its examples are of other images, have other labels or lie outside their ball
 */
export async function evaluateExamples(source: ModelSource, options: TransferOptions): Promise<TransferEvaluation[]> {
  const { batchSize } = options;
  if (batchSize !== undefined && !(Number.isInteger(batchSize) && batchSize >= 1)) {
    throw new UsageError(`--batch-size takes a whole number of at least 1; got ${batchSize}.`);
  }
  const files = await exampleFilesIn(options.examples);
  const named = await namedData(options);
  const found: TransferEvaluation[] = [];
  for (const model of await modelFiles(source, options)) found.push(await evaluateModel(model, files, named, options));
  return found;
}

async function evaluateModel(
  file: ModelFile,
  files: readonly string[],
  named: Dataset | null,
  options: TransferOptions,
): Promise<TransferEvaluation> {
  const target = await loadWith(file, named, options);
  try {
    const dataset = named ?? (await testData(target, options));
    await checkFit(target, dataset);
    warnOfOtherFiles(file.path, target, dataset, options.warn);
    const judged: Judged[] = [];
    for (const path of files) {
      const examples = await readExamples(path, dataset);
      if (examples.madeOn.sha256 === target.record.sha256) {
        options.warn?.(`The examples in ${path} were made on this very network, so nothing is transferred.`);
      }
      judged.push(await verdictsOn(target.classify, examples, dataset, options));
    }
    const { name, sha256, official, classes } = dataset;
    const evaluation: TransferEvaluation = {
      claim: TRANSFER_CLAIM,
      target: target.record,
      dataset: { name, sha256, official, classes },
      split: 'test',
      results: withUnions(judged),
      backend: currentBackend(),
      version: version(),
    };
    const evaluations = recordPath(file.path);
    const path = options.out === undefined ? evaluations && transferBeside(evaluations) : options.out || null;
    if (path !== null) await recordTransfer(path, evaluation);
    return evaluation;
  } finally {
    target.dispose();
  }
}

/** What a model says of the images of a file: by their number whether each is right without attack, and also as an example. */
interface Judged extends Pick<SavedExamples, 'attack' | 'norm' | 'epsilon' | 'madeOn'> {
  readonly right: ReadonlyMap<number, { readonly clean: boolean; readonly robust: boolean }>;
}

/** Classifies the images of saved examples, without attack and as examples. */
async function verdictsOn(
  model: Classifier,
  { pixels, indices, ...made }: SavedExamples,
  { test, imageShape }: Dataset,
  { batchSize = 256, signal, onProgress, warn }: TransferOptions,
): Promise<Judged> {
  const size = sizeOf(imageShape);
  const right = new Map<number, { clean: boolean; robust: boolean }>();
  let notNumbers = 0;
  for (const places of batchesOf(Int32Array.from(indices.keys()), batchSize)) {
    signal?.throwIfAborted();
    const samples = Array.from(places, (place) => indices[place]);
    const images = batchImages(test, samples, imageShape);
    const clean = await predict(model, images).finally(() => images.dispose());
    const own = pixels.subarray(places[0] * size, (places[0] + places.length) * size);
    const adversarial = tf.tensor4d(own, [places.length, ...imageShape]);
    const attacked = await predict(model, adversarial).finally(() => adversarial.dispose());
    notNumbers += [...clean, ...attacked].filter((prediction) => prediction < 0).length;
    for (const [i, index] of samples.entries()) {
      const isRight = clean[i] === test.labels[index];
      right.set(index, { clean: isRight, robust: isRight && attacked[i] === test.labels[index] });
    }
    onProgress?.({ done: right.size, total: indices.length, attack: made.attack });
    await yieldToEvents();
  }
  warnOfNotNumbers(notNumbers, 2 * indices.length, `images and examples of ${made.attack}`, warn);
  return { ...made, right };
}

const resultOf = ({ attack, norm, epsilon, right }: Omit<Judged, 'madeOn'>, madeOn: TransferResult['madeOn']) => {
  const flags = [...right.values()];
  return {
    attack,
    norm,
    epsilon,
    madeOn,
    clean: accuracyOf(flags.filter(({ clean }) => clean).length, flags.length),
    robust: accuracyOf(flags.filter(({ robust }) => robust).length, flags.length),
  };
};

/** The results by norm and radius, each with the union over all files that have examples of it. */
function withUnions(judged: readonly Judged[]): TransferResult[] {
  const groups = new Map<string, Judged[]>();
  for (const one of judged.toSorted((a, b) => a.norm.localeCompare(b.norm) || a.epsilon - b.epsilon)) {
    const key = `${one.norm} ${one.epsilon}`;
    groups.set(key, [...(groups.get(key) ?? []), one]);
  }
  return [...groups.values()].flatMap((group) => {
    const union = new Map<number, { clean: boolean; robust: boolean }>();
    for (const [index, flags] of group.flatMap(({ right }) => [...right])) {
      union.set(index, { ...flags, robust: flags.robust && (union.get(index)?.robust ?? true) });
    }
    const [{ norm, epsilon }] = group;
    return [
      ...group.map((one) => resultOf(one, one.madeOn)),
      resultOf({ attack: UNION, norm, epsilon, right: union }, null),
    ];
  });
}
