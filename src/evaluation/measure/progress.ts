// How far an evaluation is, counted in images times attacks, so that a bar and the time left follow from it.

import { workOf } from '../../../attacks/loops/costs.ts';
import type { AttackProgress } from '../../../attacks/types.ts';
import { shownCells, sumOf } from './cells.ts';
import { countStanding } from './state.ts';
import type { Cell, EvaluationProgress, EvaluationStep, MeasureState } from './types.ts';

/** What an evaluation has to do once the accuracy without attack is known. */
export interface Work {
  readonly cells: readonly Cell[];
  /** Batches of places among the evaluated images, all of them right without attack. */
  readonly batches: readonly Int32Array[];
  /** How many images are wrong without attack, and so need none. */
  readonly wrong: number;
  /** The accuracy without attack, as a fraction. */
  readonly clean: number;
  /** The number of classes. */
  readonly classes: number;
}

const imagesIn = (batches: readonly Int32Array[]): number => batches.reduce((sum, batch) => sum + batch.length, 0);

const totalOf = ({ cells, batches, wrong }: Work): number => (wrong + imagesIn(batches)) * cells.length;

/** Progress between two attacks: the accuracies, the robust one on the batches that every attack has seen. */
export function progressOf(work: Work, state: MeasureState): EvaluationProgress {
  const { cells, batches, wrong, clean } = work;
  const finished = batches.slice(0, Math.floor(state.done / cells.length));
  const attacked = imagesIn(finished);
  const current = batches[finished.length]?.length ?? 0;
  const standing = countStanding(state, shownCells(cells), Int32Array.from(finished.flatMap((batch) => [...batch])));
  return {
    done: (wrong + attacked) * cells.length + current * (state.done % cells.length),
    total: totalOf(work),
    clean,
    robust: attacked === 0 ? null : (clean * standing) / attacked,
  };
}

/** Progress within the attack of cell `index` on the batch at `position`; each attack counts by its share of all work. */
export function stepOf(work: Work, index: number, position: number, progress: AttackProgress): EvaluationStep {
  const { cells, batches, wrong, classes } = work;
  const works = cells.map(({ attack }) => (attack === null ? 0 : workOf(attack, classes)));
  const all = sumOf(works);
  const count = batches[position].length;
  const before = (wrong + imagesIn(batches.slice(0, position))) * all + count * sumOf(works.slice(0, index));
  const own = works[index] * (count - progress.left + progress.left * progress.share);
  const { attack, label, epsilon } = cells[index];
  return {
    ...progress,
    attack: progress.attack === attack?.name ? label : `${label}: ${progress.attack}`,
    epsilon,
    done: ((before + own) / all) * cells.length,
    total: totalOf(work),
  };
}
