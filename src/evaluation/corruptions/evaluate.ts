// Accuracy of a model on published corrupted images, such as CIFAR-10-C: corruption by corruption and severity by severity.
import { createHash } from 'node:crypto';
import { UsageError } from '../../core/errors.ts';
import { yieldToEvents } from '../../core/yield-to-events.ts';
import { batchesOf, batchImages } from '../../data/batch.ts';
import {
  type CorruptionSet,
  type CorruptionSetName,
  openCorruptions,
  readCorruption,
  SEVERITIES,
} from '../../data/sets/corruptions.ts';
import { testIndices } from '../../data/split.ts';
import type { Dataset } from '../../data/types.ts';
import type { LockTimes } from '../../files/lock.ts';
import { currentBackend } from '../../ops/current-backend.ts';
import type { ModelOptions } from '../options.ts';
import { type LockedFile, withLockedFile } from '../results/locked-file.ts';
import { checkFit, loadWith } from '../targets/loading.ts';
import { predict, warnOfNotNumbers } from '../targets/predict.ts';
import { type ModelFile, type ModelSource, modelFiles, recordPath } from '../targets/target.ts';
import { version } from '../version.ts';
import { type CorruptionEvaluation, type CorruptionResult, corruptionsBeside, recordCorruptions } from './record.ts';

export interface CorruptionOptions extends Omit<ModelOptions, 'dataset'> {
  readonly dataset: CorruptionSetName;
  /** The largest number of images of each severity, balanced over the classes and the same for all severities. */
  readonly testLimit?: number;
  /** File that the results are added to; default: corruptions.json of the checkpoint's run. False writes nothing. */
  readonly out?: string | false;
  readonly lockTimes?: LockTimes;
  readonly signal?: AbortSignal;
  /** Called after every severity of a corruption. */
  readonly onProgress?: (progress: {
    readonly done: number;
    readonly total: number;
    readonly corruption: string;
  }) => void;
}

/**
 * Accuracies of a model, or of every checkpoint that a run's folder keeps, on all corruptions of a set. One severity of one
 * corruption is in memory at a time.
 *
 * @returns one evaluation a checkpoint
 * @throws InputError if files of the set are missing or damaged, the model takes other images, or another process uses the
 * file of results
 */
export async function evaluateCorruptions(
  source: ModelSource,
  options: CorruptionOptions,
): Promise<CorruptionEvaluation[]> {
  for (const [flag, value] of Object.entries({
    '--test-limit': options.testLimit,
    '--batch-size': options.batchSize,
  })) {
    if (value !== undefined && !(Number.isInteger(value) && value >= 1)) {
      throw new UsageError(`${flag} takes a whole number of at least 1, got ${value}.`);
    }
  }
  const set = await openCorruptions(options.dataset, options.dataDirectory);
  const files = await modelFiles(source, options);
  return withLockedFile(pathOf(files[0], options.out), options, async (out) => {
    const found: CorruptionEvaluation[] = [];
    for (const file of files) found.push(await evaluateFile(file, out, set, options));
    return found;
  });
}

/** The file of results, null for none. */
function pathOf({ path }: ModelFile, out: string | false | undefined): string | null {
  if (out !== undefined) return out || null;
  const evaluations = recordPath(path);
  return evaluations === null ? null : corruptionsBeside(evaluations);
}

async function evaluateFile(
  file: ModelFile,
  out: LockedFile | null,
  set: CorruptionSet,
  options: CorruptionOptions,
): Promise<CorruptionEvaluation> {
  const { testLimit, batchSize = 256, signal, onProgress, warn } = options;
  const nothing = { count: 0, images: new Uint8Array(), labels: new Uint8Array() };
  const first: Dataset = {
    ...set,
    train: nothing,
    test: await readCorruption(set, set.corruptions[0], 1),
    sha256: '',
    official: true,
  };
  const target = await loadWith(file, first, { ...options, dataset: undefined });
  try {
    await checkFit(target, first);
    const indices = testIndices(first.test, testLimit);
    const hash = createHash('sha256');
    const corruptions: CorruptionResult[] = [];
    const total = set.corruptions.length * SEVERITIES;
    let notNumbers = 0;
    for (const corruption of set.corruptions) {
      const correct: number[] = [];
      for (let severity = 1; severity <= SEVERITIES; severity++) {
        const split = await readCorruption(set, corruption, severity);
        let right = 0;
        for (const batch of batchesOf(indices, batchSize)) {
          signal?.throwIfAborted();
          const images = batchImages(split, batch, set.imageShape);
          const classes = await predict(target.classify, images).finally(() => images.dispose());
          notNumbers += classes.filter((prediction) => prediction < 0).length;
          right += classes.filter((prediction, i) => prediction === split.labels[batch[i]]).length;
          await yieldToEvents();
        }
        hash.update(split.images);
        correct.push(right);
        onProgress?.({ done: corruptions.length * SEVERITIES + severity, total, corruption });
      }
      corruptions.push({ corruption, correct });
    }
    warnOfNotNumbers(notNumbers, total * indices.length, 'corrupted images', warn);
    const evaluation: CorruptionEvaluation = {
      target: target.record,
      dataset: { name: set.name, sha256: hash.digest('hex') },
      n: indices.length,
      corruptions,
      backend: currentBackend(),
      version: version(),
    };
    if (out !== null) await recordCorruptions(out.path, evaluation, out.guard);
    return evaluation;
  } finally {
    target.dispose();
  }
}
