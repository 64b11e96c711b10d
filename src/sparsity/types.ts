// What a sparsifier is: a rule that changes masks during training.
import type { Key } from '../core/key.ts';
import type { Params, Tensors } from '../core/params.ts';

/** Where in training a mask update stands. */
export interface Progress {
  /** Optimizer steps done so far, over the whole run. */
  readonly step: number;
  readonly totalSteps: number;
  /** The learning rate of the step just done, to which noise is proportional; default 1. */
  readonly learningRate?: number;
}

/** New parameters after a mask update, owned by the caller. */
export interface MaskUpdate {
  readonly params: Params;
  /**
   * Maps by rewired kernel: for every nonzero its index among the nonzeros before the update, or −1 if it was grown. Momentum is
   * carried over by this map, and starts at 0 for grown weights. The nonzeros of a kernel that was dense are all its
   * weights.
   */
  readonly carried: Readonly<Record<string, Int32Array>>;
}

/** A rule that rewires sparse kernels while they train. */
export interface Sparsifier {
  readonly name: string;
  /** Whose number of weights no update changes: each kernel's, the network's, or nobody's, as in pruning. */
  readonly preserves: 'kernels' | 'network' | 'nothing';
  /** True if masks change after every step. Such updates are not reported as events. */
  readonly continuous?: boolean;
  /** True if the masks change after this step. */
  updatesAt(progress: Progress): boolean;
  /** True if that update reads the dense gradients of the sparse kernels, from the step's own batch. */
  readonly needsDenseGradients: boolean;
  /**
   * @param params after the step's ordinary weight update; borrowed
   * @param denseGradients by kernel name, each of the kernel's dense shape; borrowed; empty unless needed
   * @param key of this update
   */
  update(params: Params, progress: Progress, denseGradients: Tensors, key: Key): Promise<MaskUpdate>;
}
