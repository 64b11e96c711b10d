// Compact storage of a network in a checkpoint's file: positions of nonzeros as gaps of a byte each, mostly, and kernels in half
// precision where that is asked for. A reader unpacks both, so that nothing else knows of them.

import { InputError } from '../../core/errors.ts';
import { isKernel } from '../../core/params.ts';
import { floatsOf, halvesOf, LARGEST_HALF } from './floats.ts';
import type { Safetensors, StoredTensor } from './safetensors.ts';

/** What is appended to the name of a sparse parameter for its positions, and for its positions as gaps. */
export const POSITIONS = '.positions';
export const GAPS = '.gaps';

export interface Packing {
  /** True if kernels are stored as float16. */
  readonly half: boolean;
}

type Tensors = Safetensors['tensors'];

/** Kernels are stored in half precision, and nothing else. */
const mayBeHalf = (name: string): boolean => name.startsWith('params/') && isKernel(name);

/** A byte whose gap continues in the next byte. */
const GOES_ON = 255;

/**
 * Ascending positions as gaps: the number of zeros before each nonzero, as a sum of bytes of which only the last is below 255.
 *
 * @param positions strictly ascending, from 0
 */
export function gapsOf(positions: Int32Array): Uint8Array<ArrayBuffer> {
  const gaps: number[] = [];
  let next = 0;
  for (const position of positions) {
    let gap = position - next;
    for (; gap >= GOES_ON; gap -= GOES_ON) gaps.push(GOES_ON);
    gaps.push(gap);
    next = position + 1;
  }
  return Uint8Array.from(gaps);
}

/** The positions of gaps. */
export function positionsOf(gaps: Uint8Array): Int32Array<ArrayBuffer> {
  const positions = new Int32Array(gaps.reduce((count, byte) => count + (byte < GOES_ON ? 1 : 0), 0));
  let count = 0;
  let position = 0;
  for (const byte of gaps) {
    position += byte;
    if (byte < GOES_ON) positions[count++] = position++;
  }
  return positions;
}

/**
 * The tensors of a checkpoint, packed.
 *
 * @throws InputError for a weight that half precision has no room for
 */
export function pack(tensors: Tensors, { half }: Packing): Tensors {
  return Object.fromEntries(
    Object.entries(tensors).map(([name, stored]): [string, StoredTensor] => {
      if (name.endsWith(POSITIONS)) {
        const data = gapsOf(stored.data as Int32Array);
        return [name.slice(0, -POSITIONS.length) + GAPS, { dtype: 'U8', shape: [data.length], data }];
      }
      return [name, half && mayBeHalf(name) ? halved(name, stored) : stored];
    }),
  );
}

function halved(name: string, { shape, data }: StoredTensor): StoredTensor {
  const values = data as Float32Array;
  const beyond = values.find((value) => !(Math.abs(value) <= LARGEST_HALF));
  if (beyond !== undefined) {
    throw new InputError(
      `Expected weights of at most ${LARGEST_HALF} for half precision, got ${beyond} in ${name}. Store them in float32.`,
    );
  }
  return { dtype: 'F16', shape, data: halvesOf(values) };
}

/**
 * The tensors of a file as if they had not been packed: positions as int32, and kernels of float32 for those of float16. Gaps
 * that are damaged, or stand beside positions, are left as they are.
 */
export function unpack(tensors: Tensors): Tensors {
  return Object.fromEntries(
    Object.entries(tensors).map(([name, stored]): [string, StoredTensor] => {
      const positions = name.slice(0, -GAPS.length) + POSITIONS;
      if (name.endsWith(GAPS) && areGaps(stored) && !Object.hasOwn(tensors, positions)) {
        const data = positionsOf(stored.data);
        return [positions, { dtype: 'I32', shape: [data.length], data }];
      }
      const isHalf = stored.dtype === 'F16' && mayBeHalf(name);
      return [name, isHalf ? { dtype: 'F32', shape: stored.shape, data: floatsOf(stored) } : stored];
    }),
  );
}

/** True for bytes whose last gap ends. */
const areGaps = (stored: StoredTensor): stored is StoredTensor & { readonly dtype: 'U8' } =>
  stored.dtype === 'U8' && stored.data.at(-1) !== GOES_ON;
