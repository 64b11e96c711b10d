// What a builder of models takes and returns.
import type { Params, Tensors } from '../core/params.ts';
import type { Program } from '../ops/network.ts';

/** Mean and standard deviation of each channel, of pixels in [0, 1]. */
export interface Normalization {
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

export interface ModelOptions {
  /** [height, width, channels] of one image */
  readonly inputShape: readonly [number, number, number];
  readonly classes: number;
  /** Multiplies the number of channels of every layer but input and output; 1 is the published network. */
  readonly width: number;
  /** What the network does to pixels first, (x − mean) / std; nothing if left out. Attacks see pixels. */
  readonly normalize?: Normalization;
}

/** A model is a function from its options to a network as data. */
export type ModelBuilder = (options: ModelOptions) => Program;

/** Parameters and batch-norm statistics, owned by the caller. */
export interface Weights {
  readonly params: Params;
  readonly state: Tensors;
}
