// What an evaluation has found so far: one state for each attack and radius, plain data that is never changed in place.
import { addCosts, NO_COST } from '../../../attacks/loops/costs.ts';
import type { Cost } from '../../../attacks/types.ts';
import type { Evidence } from '../alarms/alarms.ts';
import type { Attacked } from './attack-cell.ts';

/** What has been found of one attack at one radius. */
export interface CellState {
  /** By evaluated image: 1 where it is right clean and under attack. */
  readonly survived: Uint8Array;
  /** Of a cascade, by its attacks: where images stand after it and all before. */
  readonly standing: Readonly<Record<string, Uint8Array>>;
  readonly cost: Cost;
}

/** All that has been found so far. */
export interface MeasureState {
  /** By evaluated image: the class without attack; −1 where the model gave no numbers. */
  readonly predictions: Int32Array;
  /** Attacks on batches that are done: all cells of the first batch, then those of the second, and so on. */
  readonly done: number;
  /** In order of the radii, each with its attacks in order. */
  readonly cells: readonly CellState[];
  readonly seen: Seen;
}

/** What the alarms look at as images are attacked. */
export type Seen = Pick<Evidence, 'outside' | 'successes' | 'unstable' | 'nonFinite'>;

export const NOTHING_SEEN: Seen = { outside: 0, successes: 0, unstable: 0, nonFinite: 0 };

/** The sums of two counts. */
export const addSeen = (a: Seen, b: Seen): Seen => ({
  outside: a.outside + b.outside,
  successes: a.successes + b.successes,
  unstable: a.unstable + b.unstable,
  nonFinite: a.nonFinite + b.nonFinite,
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
