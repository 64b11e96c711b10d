import type { Key } from '../core/key.ts';
import type { Params, Tensors } from '../core/params.ts';

/** Where in training a mask update stands. */
export interface Progress {
  /** Optimizer steps done so far, over the whole run. */
  readonly step: number;
  readonly totalSteps: number;
  /** Of the step just done; noise is in proportion to it. 1 if left out. */
  readonly learningRate?: number;
}

/** New parameters after a mask update, owned by the caller. */
export interface MaskUpdate {
  readonly params: Params;
  /**
   * For each rewired kernel, the index of every nonzero among those of before, −1 where it was grown: what carries
   * momentum over, which restarts at 0 where a weight was grown. The nonzeros of a kernel that was dense are all its
   * weights.
   */
  readonly carried: Readonly<Record<string, Int32Array>>;
}

/** A rule that rewires sparse kernels while they train. */
export interface Sparsifier {
  readonly name: string;
  /** Whose number of weights no update changes: each kernel's, the network's, or nobody's, as in pruning. */
  readonly preserves: 'kernels' | 'network' | 'nothing';
  /** Whether it rewires after every step, so that an update is nothing to tell of. */
  readonly continuous?: boolean;
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
