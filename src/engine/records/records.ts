// The kernels and the fields of their arguments, as the compiler of assembly/ found them.

import { RECORDS } from '../generated/records.ts';

export type KernelName = keyof typeof RECORDS;
export const KERNELS = Object.keys(RECORDS) as KernelName[];

/** The values of a kernel's argument record; addresses and strides are in bytes. */
export type Fields<Name extends KernelName> = { readonly [Field in keyof (typeof RECORDS)[Name]]: number };

/** One call of a kernel, to be run for every task of a job. */
export type Call = { [Name in KernelName]: { readonly kernel: Name; readonly fields: Fields<Name> } }[KernelName];

/** The fields of a record in the order in which they lie in memory, four bytes each. */
export interface RecordFields {
  readonly names: readonly string[];
  /** Places of the fields that hold an f32; all others hold a 32-bit integer. */
  readonly floats: readonly number[];
}

const recordFields = (record: Readonly<Record<string, string>>): RecordFields => ({
  names: Object.keys(record),
  floats: Object.values(record).flatMap((type, place) => (type === 'f32' ? [place] : [])),
});

export const RECORD_FIELDS = Object.fromEntries(
  KERNELS.map((kernel) => [kernel, recordFields(RECORDS[kernel])]),
) as Readonly<Record<KernelName, RecordFields>>;
