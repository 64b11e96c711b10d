// What an evaluation has found so far: one state for each attack and radius, plain data that is never changed in place.

import { addCosts, NO_COST } from '../../../attacks/loops/costs.ts';
import type { Attacked, CellState, MeasureState, Seen } from './types.ts';

export const NOTHING_SEEN: Seen = {
  outside: 0,
  successes: 0,
  unstable: 0,
  nonFinite: 0,
  withinNoise: 0,
  notNumbers: 0,
};

/** The sums of two counts. */
export const addSeen = (a: Seen, b: Seen): Seen => ({
  outside: a.outside + b.outside,
  successes: a.successes + b.successes,
  unstable: a.unstable + b.unstable,
  nonFinite: a.nonFinite + b.nonFinite,
  withinNoise: a.withinNoise + b.withinNoise,
  notNumbers: a.notNumbers + b.notNumbers,
});

/** The state of a cell that has attacked none of `n` images. */
export const noneYet = (n: number): CellState => ({
  survived: new Uint8Array(n),
  standing: {},
  cost: NO_COST,
});

/** The state after cell `index` has attacked a batch. */
export function advanced(state: MeasureState, index: number, batch: Int32Array, found: Attacked): MeasureState {
  const { survived, standing, cost } = state.cells[index];
  const marked = (before: Uint8Array | undefined, flags: readonly boolean[]): Uint8Array => {
    const after = before?.slice() ?? new Uint8Array(survived.length);
    flags.forEach((flag, i) => {
      after[batch[i]] = flag ? 1 : 0;
    });
    return after;
  };
  const cell: CellState = {
    survived: marked(survived, found.survived),
    standing: Object.fromEntries(
      Object.entries(found.standing).map(([name, flags]) => [name, marked(standing[name], flags)]),
    ),
    cost: addCosts(cost, found.cost),
  };
  return {
    ...state,
    done: state.done + 1,
    cells: state.cells.with(index, cell),
    seen: addSeen(state.seen, found.seen),
  };
}

/** How many of the images at these places survived all of these cells. */
export const countStanding = ({ cells }: MeasureState, shown: readonly number[], places: Int32Array): number =>
  places.filter((place) => shown.every((i) => cells[i].survived[place])).length;
