// The analysis of the study: paired differences, their intervals, and verdicts.
import { studentQuantile } from '../../src/evaluation/distributions.ts';
import {
  type Estimate,
  LEAST_PAIRS,
  type PairedDifference,
  pairedDifference,
} from '../../src/reporting/statistics/paired-difference.ts';
import { mean, smallestDetectable } from '../../src/reporting/statistics/statistics.ts';
import { type AgentArm, type ArmName, agentArms, CELLS, type CellName, cellNames, type PrimaryArm } from './design.ts';
import type { Accuracies } from './paired-outcome.ts';
import { ALPHA, adjustedByHolm, POWER, pairedTest, type Verdict, verdictOf } from './paired-test.ts';

/** The results of a finished run of the study. Accuracies are fractions of the test images. */
export interface Outcome {
  readonly cell: CellName;
  readonly arm: ArmName;
  readonly seed: number;
  readonly best: Accuracies;
  readonly last: Accuracies;
  /** Gradient evaluations of training: an image's gradient by its pixels or by the weights counts one each. */
  readonly gradients: number;
  /** Multiply-adds of training at the nonzeros, those of further forward passes included. */
  readonly work: number;
  /** Variance of the corrected gradient over that of the plain one, epoch by epoch; empty without correction. */
  readonly varianceRatios: readonly number[];
  /** AGENT's c in the last epoch. */
  readonly coefficient: number | null;
}

/** What X is given as much of as A-X takes. */
export const BASES = { epochs: 'equal epochs', gradients: 'equal gradient evaluations' } as const;
export type Basis = keyof typeof BASES;
export const bases = Object.keys(BASES) as readonly Basis[];

/** One of the primary questions: A-X minus X in a cell. */
export interface Comparison {
  readonly cell: CellName;
  readonly arm: AgentArm;
  readonly basis: Basis;
  /** Seeds of the design, and those of which both runs are there. */
  readonly planned: number;
  readonly seeds: readonly number[];
  /** Differences in robust accuracy of the chosen checkpoint, seed by seed. */
  readonly differences: readonly number[];
  /** The differences with their mean, and those of the last checkpoint; null if there is no pair. */
  readonly difference: PairedDifference | null;
  readonly lastDifference: PairedDifference | null;
  /** Two-sided; NaN below two pairs. */
  readonly p: number;
  /** After Holm's adjustment over all primary questions, of which open ones count with p = 1; NaN of those. */
  readonly adjusted: number;
  /** The smallest detectable difference at Holm's first level (alpha over the number of primary questions) and at alpha; NaN below two pairs. */
  readonly smallest: { readonly family: number; readonly alone: number };
  readonly verdict: Verdict;
  /** Gradient evaluations and multiply-adds of A-X over those of X, over the pairs. */
  readonly cost: { readonly gradients: number; readonly work: number };
}

const control = (arm: AgentArm, basis: Basis): PrimaryArm => (basis === 'epochs' ? 'plain' : `plain-as-${arm}`);

const find = (outcomes: readonly Outcome[], cell: CellName, arm: ArmName, seed: number): Outcome | undefined =>
  outcomes.find((outcome) => outcome.cell === cell && outcome.arm === arm && outcome.seed === seed);

/** Two arms of a cell, seed by seed, where both runs are there. */
export function pairsOf(
  outcomes: readonly Outcome[],
  cell: CellName,
  treated: ArmName,
  untreated: ArmName,
): { seed: number; treated: Outcome; control: Outcome }[] {
  return outcomes
    .filter((outcome) => outcome.cell === cell && outcome.arm === treated)
    .toSorted((a, b) => a.seed - b.seed)
    .flatMap((outcome) => {
      const other = find(outcomes, cell, untreated, outcome.seed);
      return other ? [{ seed: outcome.seed, treated: outcome, control: other }] : [];
    });
}

type Pairs = ReturnType<typeof pairsOf>;

/** A-X minus X in robust accuracy of the chosen checkpoint, or of the last one; null without a pair. */
export const robustDifference = (pairs: Pairs, checkpoint: 'best' | 'last' = 'best'): PairedDifference | null =>
  pairs.length === 0
    ? null
    : pairedDifference(
        pairs.map(({ treated }) => treated[checkpoint].robust),
        pairs.map(({ control: other }) => other[checkpoint].robust),
      );

const differencesOf = (pairs: Pairs): number[] =>
  pairs.map(({ treated, control: other }) => treated.best.robust - other.best.robust);

/** The primary questions with what is known of their answers, the p-values of all of them adjusted together. */
export function primaryComparisons(outcomes: readonly Outcome[]): Comparison[] {
  const questions = cellNames.flatMap((cell) =>
    agentArms.flatMap((arm) => bases.map((basis) => ({ cell, arm, basis }))),
  );
  const answers = questions.map(({ cell, arm, basis }) => {
    const pairs = pairsOf(outcomes, cell, arm, control(arm, basis));
    const differences = differencesOf(pairs);
    return { pairs, differences, open: pairs.length < CELLS[cell].seeds, ...pairedTest(differences) };
  });
  const adjusted = adjustedByHolm(answers);
  return questions.map((question, i) => {
    const { pairs, differences, open, p, smallest } = answers[i];
    const ratio = (of: (outcome: Outcome) => number): number =>
      mean(pairs.map(({ treated }) => of(treated))) / mean(pairs.map(({ control: other }) => of(other)));
    return {
      ...question,
      planned: CELLS[question.cell].seeds,
      seeds: pairs.map(({ seed }) => seed),
      differences,
      difference: robustDifference(pairs),
      lastDifference: robustDifference(pairs, 'last'),
      p,
      adjusted: open || Number.isNaN(p) ? Number.NaN : adjusted[i],
      smallest: { family: smallest(ALPHA / questions.length), alone: smallest(ALPHA) },
      verdict: verdictOf(open, adjusted[i]),
      cost: { gradients: ratio(({ gradients }) => gradients), work: ratio(({ work }) => work) },
    };
  });
}

/** A mean over the cells of the mean paired differences in each. */
export interface PooledDifference {
  readonly arm: AgentArm;
  readonly basis: Basis;
  readonly cells: number;
  readonly pairs: number;
  /** The mean with its 95 % t interval; null if the cells have too few pairs to know the spread within them. */
  readonly estimate: Omit<Estimate, 'distinguishable'> | null;
  /** The smallest true difference that would have been found; NaN without an estimate. */
  readonly smallest: number;
}

/**
 * The secondary question, over several cells: the mean of the cells' mean differences, with the spread within cells pooled,
 * s² = Σ (d − d̄_cell)² / Σ (n_cell − 1), and standard error s · √(Σ 1 / n_cell) / cells. Null without a pair.
 */
export function pooledDifference(
  outcomes: readonly Outcome[],
  arm: AgentArm,
  basis: Basis,
  over: readonly CellName[] = cellNames,
): PooledDifference | null {
  const groups = over
    .map((cell) => differencesOf(pairsOf(outcomes, cell, arm, control(arm, basis))))
    .filter(({ length }) => length > 0);
  if (groups.length === 0) return null;
  const center = mean(groups.map(mean));
  const degrees = groups.reduce((sum, { length }) => sum + length - 1, 0);
  const squares = groups.reduce(
    (sum, group) => sum + group.reduce((inner, value) => inner + (value - mean(group)) ** 2, 0),
    0,
  );
  const scale = Math.sqrt(groups.reduce((sum, { length }) => sum + 1 / length, 0)) / groups.length;
  const found = { arm, basis, cells: groups.length, pairs: groups.reduce((sum, { length }) => sum + length, 0) };
  // As many degrees of freedom as the fewest pairs have that may be judged.
  if (degrees < LEAST_PAIRS - 1) return { ...found, estimate: null, smallest: Number.NaN };
  const error = Math.sqrt(squares / degrees) * scale;
  const half = studentQuantile(0.975, degrees) * error;
  return {
    ...found,
    estimate: { mean: center, low: center - half, high: center + half },
    smallest: smallestDetectable(error, degrees, { alpha: ALPHA, power: POWER }),
  };
}
