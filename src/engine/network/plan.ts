// Plans of a network's passes: kernels with their fields, whose numbers may be known only when the plan runs, and what a
// field may ask of that run. run.ts executes a plan.
import type { FullKernel } from '../blocked/full-convolution.ts';
import type { Compiled } from '../blocked/rows.ts';
import type { PartialGradients } from '../blocked/sparse-convolution.ts';
import { type Fields, type KernelName, RECORD_FIELDS } from '../records/records.ts';
import type { NodeOf } from './graph.ts';

type ConvNode = NodeOf<'conv'>;

/** A convolution, and the number of tasks that compute its kernel's gradient in parts. */
export interface LightGradient {
  readonly node: ConvNode;
  readonly tasks: number;
}

/** What the fields and host steps of a plan may ask of its execution. Numbers are addresses. */
export interface Execution {
  readonly bases: {
    readonly saved: number;
    readonly scratch: number;
    readonly local: number;
    readonly constants: number;
  };
  readonly images: number;
  readonly logits: number;
  readonly dLogits: number;
  readonly dImages: number;
  /** Returns the address of a parameter or statistic. */
  tensor(name: string): number;
  /** Returns the rows of a sparse convolution. */
  rows(node: ConvNode): Compiled;
  /** Returns the kernel of a convolution that has every weight. */
  full(node: ConvNode): FullKernel;
  bias(node: ConvNode): number;
  /** Returns the address of a parameter's gradient, or undefined if nobody asked for this gradient. */
  gradient(name: string): number | undefined;
  /** Writes (x − mean) / std as a factor and a summand for each channel. */
  writeNormalization(node: NodeOf<'normalize'>, scale: Field, shift: Field): void;
  biasGradient(node: ConvNode, sums: Field, partCount: number): void;
  /** Computes the gradients of a kernel: at its nonzeros, and at all positions where a probe asks for them. */
  kernelGradients(node: ConvNode, batch: number, x: Field, d: Field): void;
  /** Returns where the tasks of a light convolution leave the gradient of its kernel. */
  partialGradients(light: LightGradient): PartialGradients;
  /** Adds up the partial gradients that the tasks of a sparse light convolution have left. */
  addPartialGradients(light: LightGradient): void;
  /** Adds up the partial gradients of a light convolution whose kernel has every weight. */
  addPartialSums(light: LightGradient, partials: Field): void;
}

/** A number that is known when the plan is made, or when it runs. */
export type Field = number | ((run: Execution) => number);

/** A field's number in a run. */
export const value = (field: Field, run: Execution): number => (typeof field === 'number' ? field : field(run));

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
  | { readonly kind: 'host'; readonly run: (run: Execution) => void };

export interface PlanOptions {
  readonly batch: number;
  /**
   * How batch norm gets its statistics, and how the network runs. `folded`: running statistics folded into weights; a few
   * images go through one layer after another on one thread, in memory of that thread, for as long as their blocks keep
   * their size. `batch` and `running`: one layer after another over the whole batch.
   */
  readonly norm: 'folded' | 'batch' | 'running';
  /** Convolutions whose kernels have every weight. */
  readonly full: ReadonlySet<string>;
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
  /** Bytes of local memory for each thread. */
  readonly localBytes: number;
  readonly constantBytes: number;
}
