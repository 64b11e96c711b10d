// What a checkpoint holds.
import type { Params, Tensors } from '../core/params.ts';
import type { ModelOptions } from '../models/types.ts';
import type { Average } from '../optimizers/average.ts';
import type { Snapshot } from '../optimizers/snapshot.ts';
import type { OptimizerState } from '../optimizers/types.ts';

/** Any value that JSON writes and reads back unchanged. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** Which network a checkpoint belongs to: what builds its program again. */
export interface ModelRecord extends ModelOptions {
  readonly name: string;
}

/** Everything that the rest of a run depends on; it holds no clock, duration, path or host. */
export interface Checkpoint {
  /** The run's resolved configuration. */
  readonly config: Readonly<Record<string, Json>>;
  readonly model: ModelRecord;
  /** Epochs completed. */
  readonly epoch: number;
  /** Optimizer steps done. */
  readonly step: number;
  /** Numbers of the training loop: batches done in this epoch, best score, coefficients, sums of the epoch's metrics. */
  readonly progress: Readonly<Record<string, Json>>;
  readonly params: Params;
  /** Running statistics of batch norm. */
  readonly state: Tensors;
  readonly optimizer: OptimizerState;
  /** The averaged network, on the structures of `params`; null without one. */
  readonly average: Average | null;
  /** The snapshot of a corrected optimizer; null without one. */
  readonly snapshot: Snapshot | null;
  /** Mean gradient at the snapshot, on its structures; empty before the first pre-pass. */
  readonly meanGradient: Tensors;
  /** The weights that were ever active, by kernel: one bit for each weight, least significant bit first. */
  readonly explored: Readonly<Record<string, Uint8Array>>;
  /** Ages by rewired kernel: the steps done when each of its weights was grown; empty unless gradients are remembered. */
  readonly grownAt: Readonly<Record<string, Int32Array>>;
}
