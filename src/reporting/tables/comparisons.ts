// What AGENT changed: the same settings with and without the correction, pair by pair of equal seeds, after equally many epochs
// and after equally many gradient evaluations.

import { headlineCells, measureOfSetting, type ReportGroup } from '../report-data.ts';
import type { RunRecord } from '../runs/runs.ts';
import type { PairedDifference } from '../statistics/paired-difference.ts';
import { mean } from '../statistics/statistics.ts';
import { differencesOf, type SummaryCell } from './summary.ts';
import { formatDifference, formatSparsity, optimizerTitle } from './table.ts';

/** The optimizer that the others are compared with. */
const BASELINE = 'sgd';

/** Trainings whose gradient evaluations differ by more than this share are not called equally expensive. */
const TOLERANCE = 0.05;

/** The text for a comparison without a single pair. */
export const NO_PAIRS = 'not enough seeds (no pair)';

/** A corrected setting minus plain SGD. A difference is null if there is no pair. */
export interface Comparison {
  readonly cell: SummaryCell;
  /** The accuracy on test images that is compared: clean after natural training, else robust. */
  readonly measure: 'clean' | 'robust';
  readonly atEqualEpochs: PairedDifference | null;
  readonly atEqualGradients: PairedDifference | null;
  /** Gradient evaluations of the corrected training over those of SGD in as many epochs; NaN without a pair. */
  readonly cost: number;
}

/** The comparisons of a group's corrected settings, in the order of its headlines. */
export function comparisonsOf(group: ReportGroup): Comparison[] {
  const cells = headlineCells(group);
  const runs = new Map(group.runs.map((run) => [run.name, run]));
  const baselines = cells.filter(({ setting }) => setting.optimizer === BASELINE);
  return cells
    .filter(({ setting }) => setting.optimizer !== BASELINE)
    .map((cell) => {
      const measure = measureOfSetting(cell.setting);
      const pairedWith = (key: 'paired' | 'pairedAtAnyLength') =>
        baselines.filter((other) => identityOf(group, other)?.[key] === identityOf(group, cell)?.[key]);
      const cost = (other: SummaryCell): number => costRatio(runs, cell, other);
      const [sameLength] = pairedWith('paired');
      const [sameCost] = pairedWith('pairedAtAnyLength')
        .filter((other) => Math.abs(cost(other) - 1) <= TOLERANCE)
        .sort((a, b) => Math.abs(cost(a) - 1) - Math.abs(cost(b) - 1));
      const difference = (other: SummaryCell | undefined) => differencesOf(cell.rows, other?.rows)?.[measure] ?? null;
      return {
        cell,
        measure,
        atEqualEpochs: difference(sameLength),
        atEqualGradients: difference(sameCost),
        cost: sameLength === undefined ? Number.NaN : cost(sameLength),
      };
    });
}

const identityOf = ({ identities }: ReportGroup, { setting }: SummaryCell) => identities.get(setting.run);

/** Gradient evaluations of whole trainings, of the first cell over those of the second, over their common seeds. */
function costRatio(runs: ReadonlyMap<string, RunRecord>, cell: SummaryCell, other: SummaryCell): number {
  const pairs = cell.rows.flatMap((row) => {
    const control = other.rows.find(({ seed }) => seed === row.seed);
    return control === undefined ? [] : [{ treated: runs.get(row.run), control: runs.get(control.run) }];
  });
  return (
    mean(pairs.map(({ treated }) => gradientsOf(treated))) / mean(pairs.map(({ control }) => gradientsOf(control)))
  );
}

/** Gradient evaluations of a whole training; NaN if they were not counted. */
function gradientsOf(run: RunRecord | undefined): number {
  const last = run?.metrics.at(-1);
  return (last?.input_gradients ?? Number.NaN) + (last?.weight_gradients ?? Number.NaN);
}

/**
 * A line for each comparison with plain SGD: what the correction changed after as many epochs. Lines name the method and the
 * pre-pass if there are several, and the measure if it is not robust accuracy.
 */
export function formatDifferences(comparisons: readonly Comparison[]): string[] {
  const compared = comparisons.filter(({ atEqualEpochs }) => atEqualEpochs !== null);
  const several = (column: 'method' | 'agent_prepass') =>
    new Set(compared.map(({ cell }) => cell.setting[column])).size > 1;
  const [methods, prepasses] = [several('method'), several('agent_prepass')];
  return compared.map(({ cell: { setting }, measure, atEqualEpochs }) => {
    const { method, agent_prepass, variant } = setting;
    const details = [prepasses && agent_prepass, methods && method, variant, measure === 'clean' && 'clean accuracy'];
    const name = [optimizerTitle(setting.optimizer), ...details.filter(Boolean)].join(', ');
    const difference = atEqualEpochs === null ? NO_PAIRS : formatDifference(atEqualEpochs);
    return `${formatSparsity(setting.sparsity ?? 0)}  ${name} − SGD: ${difference}`;
  });
}
