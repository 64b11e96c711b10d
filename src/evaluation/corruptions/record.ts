// corruptions.json: accuracies on corrupted images, how they are read, and how they are added to.
import { z } from 'zod';
import { InputError } from '../../core/errors.ts';
import { CORRUPTIONS, SEVERITIES } from '../../data/sets/corruptions.ts';
import { recordList } from '../results/record-list.ts';
import { datasetSchema, targetSchema } from '../results/target-schema.ts';
import type { EvaluatedTarget } from '../types.ts';

/** Accuracy on one corruption. */
export interface CorruptionResult {
  readonly corruption: string;
  /** Images right at each severity, 1 … 5. */
  readonly correct: readonly number[];
}

/** Accuracies of one network on a set of corrupted images. */
export interface CorruptionEvaluation {
  readonly target: EvaluatedTarget;
  readonly dataset: {
    readonly name: string;
    /** Hash of the images evaluated, corruption by corruption in order, all severities of each. */
    readonly sha256: string;
  };
  /** Images of each corruption at each severity. */
  readonly n: number;
  readonly corruptions: readonly CorruptionResult[];
  readonly backend: string;
  readonly version: string;
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** The accuracy on one corruption over all severities. */
export const accuracyOn = ({ correct }: CorruptionResult, n: number): number => mean(correct) / n;

/** The results that means are over: the published fifteen, without the extra ones. */
const counted = ({ corruptions }: Pick<CorruptionEvaluation, 'corruptions'>): readonly CorruptionResult[] =>
  CORRUPTIONS.flatMap((name) => corruptions.filter(({ corruption }) => corruption === name));

/** The mean accuracy over the fifteen corruptions and all severities. */
export const meanAccuracy = (found: CorruptionEvaluation): number =>
  mean(counted(found).map((result) => accuracyOn(result, found.n)));

/**
 * The mean corruption error against a baseline: the mean over the fifteen corruptions of Σₛ error / Σₛ error of the baseline
 * (Hendrycks and Dietterich 2019). 1 is as good as the baseline.
 *
 * @throws InputError if the baseline is of another set, or never wrong on a corruption
 */
export function meanCorruptionError(found: CorruptionEvaluation, baseline: CorruptionEvaluation): number {
  if (found.dataset.name !== baseline.dataset.name) {
    throw new InputError(`Expected a baseline on ${found.dataset.name}, got one on ${baseline.dataset.name}.`);
  }
  const others = counted(baseline);
  const ratios = counted(found).map((result, i) => {
    const error = 1 - accuracyOn(others[i], baseline.n);
    if (error === 0) {
      throw new InputError(`The baseline is never wrong on ${result.corruption}, so no ratio to its errors exists.`);
    }
    return (1 - accuracyOn(result, found.n)) / error;
  });
  return mean(ratios);
}

const RECORD_VERSION = 1;

const evaluation = z
  .object({
    target: targetSchema,
    dataset: datasetSchema.pick({ name: true, sha256: true }),
    n: z.int().positive(),
    corruptions: z.array(z.object({ corruption: z.string(), correct: z.array(z.int().min(0)).length(SEVERITIES) })),
    backend: z.string(),
    version: z.string(),
  })
  .refine(({ corruptions }) => CORRUPTIONS.every((name) => corruptions.some(({ corruption }) => corruption === name)), {
    path: ['corruptions'],
    message: `expected all ${CORRUPTIONS.length} corruptions`,
  })
  .refine(({ n, corruptions }) => corruptions.every(({ correct }) => correct.every((count) => count <= n)), {
    path: ['corruptions'],
    message: 'expected at most n correct images',
  });

const corruptions = recordList<CorruptionEvaluation>({
  file: 'corruptions.json',
  list: 'evaluations',
  version: RECORD_VERSION,
  what: 'accuracies on corrupted images',
  command: 'evaluate',
  schema: evaluation,
  identity: ({ target, dataset, n }) =>
    JSON.stringify([target.checkpoint, target.preprocessing, target.reading ?? null, dataset.name, n]),
});

/** Where the accuracies of a run on corrupted images are, beside its evaluations. */
export const corruptionsBeside = corruptions.beside;

/**
 * The evaluations in a file, none if there is no file.
 *
 * @throws InputError that names the field that is wrong
 */
export const readCorruptionEvaluations = corruptions.read;

/** Writes an evaluation into a file, in place of that of the same checkpoint, set and number of images. Its caller holds the file's lock. */
export const recordCorruptions = corruptions.add;
