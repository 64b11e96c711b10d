import type { Key } from '../core/key.ts';
import type { Params, Tensors } from '../core/params.ts';

/** Where in training a mask update stands. */
export interface Progress {
  /** Optimizer steps done so far, over the whole run. */
  readonly step: number;
  readonly totalSteps: number;
}

/** New parameters after a mask update, owned by the caller. */
export interface MaskUpdate {
  readonly params: Params;
  /**
   * For each rewired kernel, the index of every nonzero among those of before, −1 where it was grown: what carries
   * momentum over, which restarts at 0 where a weight was grown.
   */
  readonly carried: Readonly<Record<string, Int32Array>>;
}

/** A rule that rewires sparse kernels while they train. It keeps the number of weights of every kernel it touches. */
export interface Sparsifier {
  readonly name: string;
  /** Whether the masks change after this step. */
  updatesAt(progress: Progress): boolean;
  /** Whether that update reads the dense gradients of the sparse kernels, from the step's own batch. */
  readonly needsDenseGradients: boolean;
  /**
   * @param params after the step's ordinary weight update; borrowed
   * @param denseGradients by kernel name, each of the kernel's dense shape; borrowed; empty unless needed
   * @param key of this update
   */
  update(params: Params, progress: Progress, denseGradients: Tensors, key: Key): Promise<MaskUpdate>;
}
