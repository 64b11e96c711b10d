import { type Fields, type KernelName, RECORD_FIELDS } from '../records/records.ts';
import type { Run } from './run.ts';

/** A number that is known when the plan is made, or when it runs. */
export type Field = number | ((run: Run) => number);

/** A field's number in a run. */
export const value = (field: Field, run: Run): number => (typeof field === 'number' ? field : field(run));

/** The fields of a kernel's argument record, by name. */
export type PlannedFields<Name extends KernelName> = { readonly [F in keyof Fields<Name>]: Field };

/** A kernel and its arguments in the order of its record. */
export interface PlannedCall {
  readonly kernel: KernelName;
  readonly fields: readonly Field[];
}

export const plannedCall = <Name extends KernelName>(kernel: Name, fields: PlannedFields<Name>): PlannedCall => ({
  kernel,
  fields: RECORD_FIELDS[kernel].names.map((name) => (fields as Readonly<Record<string, Field>>)[name]),
});

/** A job for the pool, or something that the main thread does between jobs. */
export type Step =
  | { readonly kind: 'job'; readonly tasks: number; readonly calls: readonly PlannedCall[] }
  | { readonly kind: 'host'; readonly run: (run: Run) => void };

export interface PlanOptions {
  readonly batch: number;
  /**
   * How batch norm gets its statistics, and how the network runs. `folded`: running statistics folded into weights; a few
   * images go through one layer after another on one thread, in memory of that thread, for as long as their blocks keep
   * their size. `batch` and `running`: one layer after another over the whole batch.
   */
  readonly norm: 'folded' | 'batch' | 'running';
  /** Convolutions whose kernels have every weight. */
  readonly dense: ReadonlySet<string>;
  /** What a backward pass may be asked for. */
  readonly keep: 'nothing' | 'images' | 'parameters';
  /** Register tiles that the kernels take at once. */
  readonly tiles: number;
  /**
   * Convolutions with so few nonzeros that the gradient of their kernel is taken task by task, in the chain that computes the
   * gradient of their output; their inputs are computed again where that is an elementwise pass.
   */
  readonly light: ReadonlySet<string>;
}

/** What to run, and the memory that it needs beside what is kept. */
export interface Plan {
  readonly steps: readonly Step[];
  readonly scratchBytes: number;
  /** For each thread. */
  readonly localBytes: number;
  readonly constantBytes: number;
}
