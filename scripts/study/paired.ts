// Designs that train arms of equal seeds in pairs: their runs, the results of these, and the differences between two arms.

import type { RunRecord } from '../../src/reporting/runs/runs.ts';
import { type PairedDifference, pairedDifference } from '../../src/reporting/statistics/paired-difference.ts';
import type { Job } from '../../src/sweeps/grid.ts';
import { configHash, parseConfig, type TrainOptions } from '../../src/training/config/config.ts';
import { type Outcome, outcomeOf } from './paired-outcome.ts';

/** A cell or an arm: what tables call it, and its settings. */
export interface Titled {
  readonly title: string;
  readonly settings: TrainOptions;
}

/** Cells, and arms whose settings go over those of a cell. */
export interface PairedDesign {
  readonly cells: Readonly<Record<string, Titled>>;
  readonly arms: Readonly<Record<string, Titled>>;
}

/** One arm of a cell with another one as its control. */
export interface Comparison<Cell extends string = string, Arm extends string = string> {
  readonly cell: Cell;
  readonly arm: Arm;
  readonly against: Arm;
}

/** Comparisons that are made with the seeds from 0 up to a number of them. */
export interface Planned {
  readonly seeds: number;
  readonly comparisons: readonly Comparison[];
}

const nameOf = (cell: string, arm: string, seed: number | ''): string => `${cell}-${arm}-seed${seed}`;

/** Every run of a design once, seed by seed, so that tables of a study that was stopped are balanced. */
export function plannedRuns({ cells, arms }: PairedDesign, planned: readonly Planned[]): Job[] {
  const jobs = new Map<string, Job>();
  for (let seed = 0; seed < Math.max(...planned.map(({ seeds }) => seeds)); seed++) {
    const comparisons = planned.filter(({ seeds }) => seed < seeds).flatMap((part) => part.comparisons);
    for (const { cell, arm, against } of comparisons) {
      for (const each of [against, arm]) {
        const config = parseConfig({ ...cells[cell].settings, ...arms[each].settings, seed });
        const name = nameOf(cell, each, seed);
        jobs.set(name, { id: configHash(config), name, config });
      }
    }
  }
  return [...jobs.values()];
}

/** Outcomes by the name of their run. */
export type Outcomes = ReadonlyMap<string, Outcome>;

/** The outcomes of the runs that are done. */
export const outcomesOf = (records: readonly RunRecord[]): Outcomes =>
  new Map(
    records.flatMap((record) => {
      const outcome = outcomeOf(record);
      return outcome ? [[record.name, outcome] as const] : [];
    }),
  );

/** The seeds of which a run of an arm is done, in ascending order. */
const seedsOf = (outcomes: Outcomes, cell: string, arm: string): number[] => {
  const before = nameOf(cell, arm, '');
  return [...outcomes.keys()]
    .filter((name) => name.startsWith(before))
    .map((name) => Number(name.slice(before.length)))
    .sort((a, b) => a - b);
};

const find = (outcomes: Outcomes, cell: string, arm: string, seed: number) => outcomes.get(nameOf(cell, arm, seed));

/** The outcomes of an arm, in the order of their seeds. */
export const outcomesOfArm = (outcomes: Outcomes, cell: string, arm: string): Outcome[] =>
  seedsOf(outcomes, cell, arm).flatMap((seed) => find(outcomes, cell, arm, seed) ?? []);

/** Two runs of equal seed. */
export interface Pair {
  readonly treated: Outcome;
  readonly control: Outcome;
}

/** The pairs of a comparison of which both runs are done, in the order of their seeds. */
export const pairsOf = (outcomes: Outcomes, { cell, arm, against }: Comparison): Pair[] =>
  seedsOf(outcomes, cell, arm).flatMap((seed) => {
    const [treated, control] = [arm, against].map((name) => find(outcomes, cell, name, seed));
    return treated && control ? [{ treated, control }] : [];
  });

/** The difference of an accuracy over some pairs, of which there is at least one. */
export const differenceOf = (pairs: readonly Pair[], accuracyOf: (outcome: Outcome) => number): PairedDifference =>
  pairedDifference(
    pairs.map(({ treated }) => accuracyOf(treated)),
    pairs.map(({ control }) => accuracyOf(control)),
  );
