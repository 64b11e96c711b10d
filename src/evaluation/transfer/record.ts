// transfer.json: accuracies on adversarial examples of other networks, how they are read, and how they are added to.
import { z } from 'zod';
import type { NormName } from '../../../attacks/types.ts';
import type { Accuracy } from '../intervals.ts';
import { accuracySchema, normSchema } from '../results/accuracy-schema.ts';
import { recordList } from '../results/record-list.ts';
import { datasetSchema, targetSchema, textSchema } from '../results/target-schema.ts';
import type { EvaluatedDataset, EvaluatedTarget } from '../types.ts';

/** What an accuracy on another network's examples is. */
export const TRANSFER_CLAIM =
  'transfer figure: an upper bound on robust accuracy, by examples that were not made on this network';

/** Accuracy on the examples of one attack on another network, or on those of all attacks at one norm and radius. */
export interface TransferResult {
  /** Such as `pgd-20x2-ce`, or `union`. */
  readonly attack: string;
  readonly norm: NormName;
  readonly epsilon: number;
  /** The network that the examples were made on; null for the union. */
  readonly madeOn: { readonly checkpoint: string; readonly sha256: string } | null;
  /** Images right without attack, of those that have an example. */
  readonly clean: Accuracy;
  /** Images right both without attack and as an example; of the union as every one of their examples. */
  readonly robust: Accuracy;
}

/** Accuracies of one network on examples that were made on others. */
export interface TransferEvaluation {
  readonly claim: typeof TRANSFER_CLAIM;
  readonly target: EvaluatedTarget;
  readonly dataset: EvaluatedDataset;
  readonly split: 'test';
  /** In order of norm and radius, each with its union last. */
  readonly results: readonly TransferResult[];
  readonly backend: string;
  readonly version: string;
}

const RECORD_VERSION = 1;

const result = z
  .object({
    attack: textSchema,
    norm: normSchema,
    epsilon: z.number().min(0),
    madeOn: z.object({ checkpoint: textSchema, sha256: textSchema }).nullable(),
    clean: accuracySchema,
    robust: accuracySchema,
  })
  .refine(({ clean, robust }) => robust.n === clean.n && robust.correct <= clean.correct, {
    path: ['robust'],
    message: 'expected as many images as without attack, and no more of them correct',
  });

const evaluation = z.object({
  claim: z.literal(TRANSFER_CLAIM),
  target: targetSchema,
  dataset: datasetSchema,
  split: z.literal('test'),
  results: z.array(result).min(1),
  backend: textSchema,
  version: textSchema,
});

const transfers = recordList<TransferEvaluation>({
  file: 'transfer.json',
  list: 'evaluations',
  version: RECORD_VERSION,
  what: 'accuracies on saved examples',
  command: 'evaluate',
  schema: evaluation,
  identity: ({ target, dataset, results }) =>
    JSON.stringify([
      target.checkpoint,
      target.preprocessing,
      target.reading ?? null,
      dataset.sha256,
      results.map(({ attack, norm, epsilon, madeOn }) => [attack, norm, epsilon, madeOn]),
    ]),
});

/** Where the transfer figures of a run are, beside its evaluations. */
export const transferBeside = transfers.beside;

/**
 * The evaluations in a file, none if there is no file.
 *
 * @throws InputError that names the field that is wrong
 */
export const readTransferEvaluations = transfers.read;

/** Writes an evaluation into a file, in place of that of the same checkpoint on examples of the same networks and attacks. */
export const recordTransfer = transfers.add;
