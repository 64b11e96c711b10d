// Parts of an evaluation, for several machines: which batches each attacks, and how what they found adds up. A part is the state
// of an evaluation under way in which only some batches were attacked, so parts that are put together continue as one.

import { addCosts } from '../../../attacks/loops/costs.ts';
import { InputError } from '../../core/errors.ts';
import { addSeen } from '../measure/state.ts';
import type { CellState, MeasureState, Part } from '../measure/types.ts';

/** True if a part attacks the batch of this number, counted from 0; without a part every batch is attacked. */
export const isOfPart = (number: number, part: Part | undefined): boolean =>
  part === undefined || number % part.count === part.index - 1;

/** A part as it is written: `2/4`. */
export const formatPart = ({ index, count }: Part): string => `${index}/${count}`;

/**
 * The state of a whole evaluation whose parts found these.
 *
 * @param parts all of them, of the same images, model and settings
 * @throws InputError if they disagree on the classes without attack, which the same model cannot
 */
export function mergeParts(parts: readonly MeasureState[]): MeasureState {
  const [first, ...others] = parts;
  for (const { predictions } of others) {
    const differs =
      predictions.length !== first.predictions.length || predictions.some((p, i) => p !== first.predictions[i]);
    if (differs) {
      throw new InputError(
        'The parts of the evaluation have different predictions without attack, so one of the machines computed differently. Use the same build of the kernels on all machines, such as --kernels simd.',
      );
    }
  }
  return others.reduce(add, first);
}

const add = (a: MeasureState, b: MeasureState): MeasureState => ({
  predictions: a.predictions,
  done: a.done + b.done,
  cells: a.cells.map((cell, i) => addCells(cell, b.cells[i])),
  seen: addSeen(a.seen, b.seen),
});

/** Each image is of one part, and stands in no other. */
function addCells(a: CellState, b: CellState): CellState {
  const names = [...new Set([...Object.keys(a.standing), ...Object.keys(b.standing)])];
  return {
    survived: either(a.survived, b.survived),
    standing: Object.fromEntries(
      names.map((name) => {
        const [left, right] = [a.standing[name], b.standing[name]];
        return [name, left && right ? either(left, right) : (left ?? right)];
      }),
    ),
    cost: addCosts(a.cost, b.cost),
  };
}

const either = (a: Uint8Array, b: Uint8Array): Uint8Array => a.map((flag, i) => flag | b[i]);
