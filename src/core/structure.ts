// Structures: the positions of a sparse kernel's nonzeros.
import { InputError } from './errors.ts';

/**
 * Where the nonzeros of a convolution or fully connected kernel are. Immutable: a mask update makes a new one, so
 * whatever is derived from a structure can be cached by its identity.
 */
export interface Structure {
  /** The kernel's dense shape: [height, width, inputs, outputs] or [inputs, outputs]. */
  readonly shape: readonly number[];
  /** Row-major positions of the nonzeros in that shape, strictly ascending. */
  readonly positions: Int32Array;
}

/** Number of elements of a shape. */
export const sizeOf = (shape: readonly number[]): number => shape.reduce((size, extent) => size * extent, 1);

/**
 * The structure with the given nonzeros.
 *
 * @param positions taken over, not copied; strictly ascending and within the shape
 */
export function structure(shape: readonly number[], positions: Int32Array): Structure {
  const size = sizeOf(shape);
  let previous = -1;
  for (const position of positions) {
    if (position <= previous || position >= size) {
      throw new InputError(
        `A structure of shape [${shape}] must have strictly ascending positions below ${size}, got ${position} after ${previous}.`,
      );
    }
    previous = position;
  }
  return { shape, positions };
}

/** The structure in which every weight is active. */
export function denseStructure(shape: readonly number[]): Structure {
  const positions = new Int32Array(sizeOf(shape));
  for (let i = 0; i < positions.length; i++) positions[i] = i;
  return { shape, positions };
}

/** The structure of the nonzeros of a 0/1 mask. */
export function maskStructure(shape: readonly number[], mask: ArrayLike<number>): Structure {
  const positions: number[] = [];
  for (let i = 0; i < mask.length; i++) if (mask[i] !== 0) positions.push(i);
  return structure(shape, Int32Array.from(positions));
}

/** The values at a structure's nonzeros of a dense kernel. */
export const gatherValues = ({ positions }: Structure, dense: ArrayLike<number>): Float32Array =>
  Float32Array.from(positions, (position) => dense[position]);

/** The dense kernel that is `values` at the structure's nonzeros and 0 elsewhere. */
export function scatterValues({ shape, positions }: Structure, values: ArrayLike<number>): Float32Array<ArrayBuffer> {
  const dense = new Float32Array(sizeOf(shape));
  for (let i = 0; i < positions.length; i++) dense[positions[i]] = values[i];
  return dense;
}

/** `xs` at the given indices; a plain loop, as `from` and `map` take several times as long on millions of numbers. */
export function pick<Numbers extends Int32Array | Float32Array>(xs: Numbers, indices: Int32Array): Numbers {
  const picked = new (xs.constructor as new (length: number) => Numbers)(indices.length);
  for (let i = 0; i < indices.length; i++) picked[i] = xs[indices[i]];
  return picked;
}

/**
 * The map that carries a vector over the nonzeros of `from` onto those of `to`: for each nonzero of `to` its index among the
 * nonzeros of `from`, or −1 if `from` has none there. Merges the two sorted lists.
 */
export function indexMap(from: Structure, to: Structure): Int32Array {
  const [before, after] = [from.positions, to.positions];
  const map = new Int32Array(after.length);
  let i = 0;
  for (let k = 0; k < after.length; k++) {
    while (i < before.length && before[i] < after[k]) i++;
    map[k] = i < before.length && before[i] === after[k] ? i : -1;
  }
  return map;
}
