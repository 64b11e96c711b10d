import { rm } from 'node:fs/promises';
import { writeAtomically } from '../checkpoints/atomic-file.ts';
import type { Guard } from '../checkpoints/lock.ts';
import { readIfThere, writing } from '../checkpoints/system-errors.ts';
import { packBits, unpackBits } from './bits.ts';
import type { CellState, MeasureState } from './measure.ts';

/*
 * An evaluation under way, kept so that an interrupted one goes on where it stopped. The file says what it belongs to; it
 * is removed when the evaluation is done.
 */

const VERSION = 2;

/** Where the evaluation of one checkpoint is kept while it runs, given where its result goes. */
export const interruptedPath = (out: string, checkpoint: string): string =>
  `${out.replace(/\.json$/, '')}.${checkpoint}.interrupted.json`;

/** What a state belongs to: the model, the images and every setting, by what messages call them. */
export type Identity = Readonly<Record<string, unknown>>;

interface StoredCell extends Omit<CellState, 'survived' | 'standing'> {
  readonly survived: string;
  readonly standing: Readonly<Record<string, string>>;
}

interface Stored extends Omit<MeasureState, 'predictions' | 'cells'> {
  readonly version: number;
  readonly identity: Identity;
  readonly predictions: readonly number[];
  readonly cells: readonly StoredCell[];
}

export async function writeInterrupted(
  path: string,
  identity: Identity,
  state: MeasureState,
  guard: Guard,
): Promise<void> {
  const stored: Stored = {
    version: VERSION,
    identity,
    ...state,
    predictions: [...state.predictions],
    cells: state.cells.map((cell) => ({
      ...cell,
      survived: packBits(cell.survived),
      standing: Object.fromEntries(Object.entries(cell.standing).map(([name, left]) => [name, packBits(left)])),
    })),
  };
  await writeAtomically(path, `${JSON.stringify(stored)}\n`, { guard });
}

/**
 * The state in a file; null where there is none, or what is there cannot be read; where it belongs to something else, the
 * names of what differs.
 */
export async function readInterrupted(
  path: string,
  identity: Identity,
): Promise<MeasureState | readonly string[] | null> {
  const text = await readIfThere(path);
  if (text === null) return null;
  let stored: Stored;
  try {
    stored = JSON.parse(text);
  } catch {
    return null;
  }
  if (stored.version !== VERSION) return null;
  const others = Object.keys(identity).filter(
    (name) => JSON.stringify(identity[name]) !== JSON.stringify(stored.identity[name]),
  );
  if (others.length > 0) return others;
  const { predictions, cells, done, seen } = stored;
  const n = predictions.length;
  return {
    predictions: Int32Array.from(predictions),
    done,
    seen,
    cells: cells.map(({ survived, standing, cost }) => ({
      survived: unpackBits(survived, n),
      standing: Object.fromEntries(Object.entries(standing).map(([name, left]) => [name, unpackBits(left, n)])),
      cost,
    })),
  };
}

/** Removes what was kept, as its result is recorded. */
export async function removeInterrupted(path: string, guard: Guard): Promise<void> {
  await guard();
  await writing(path, () => rm(path, { force: true }));
}
