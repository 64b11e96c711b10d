import { NETWORK_RECORDS } from './network.ts';
import { DENSE_RECORDS } from './plain.ts';
import { TENSOR_RECORDS } from './tensors.ts';
import { UPDATE_RECORDS } from './updates.ts';

/**
 * The argument records of the kernels: names in the order of the fields of the class of the same purpose in assembly/,
 * four bytes each. Addresses and strides are in bytes.
 */
export const RECORDS = {
  ...TENSOR_RECORDS,
  ...NETWORK_RECORDS,
  ...DENSE_RECORDS,
  ...UPDATE_RECORDS,
  /** y = max(x, 0) over `length` values, in tasks of `chunk` values. */
  relu: ['x', 'y', 'length', 'chunk'],
  /** What the machine can compute and move at most; for the bench. */
  multiplyAdds: ['y', 'steps'],
  meet: ['arrived', 'threads'],
  triad: ['x', 'z', 'y', 'bytes', 'repeats'],
  /** Fails in task `task`; for tests. */
  trap: ['task'],
  /** Every worker waits until the word at `flag` is not 0; for tests. */
  hang: ['flag'],
} as const satisfies Record<string, readonly string[]>;

export type KernelName = keyof typeof RECORDS;
export const KERNELS = Object.keys(RECORDS) as KernelName[];

/** Fields that hold an f32; all others are 32-bit integers. */
export const FLOAT_FIELDS: ReadonlySet<string> = new Set(['factor', 'low', 'high']);

/** The values of a kernel's argument record. */
export type Fields<Name extends KernelName> = { readonly [Field in (typeof RECORDS)[Name][number]]: number };

/** One call of a kernel, to be run for every task of a job. */
export type Call = { [Name in KernelName]: { readonly kernel: Name; readonly fields: Fields<Name> } }[KernelName];
