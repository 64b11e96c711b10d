// Makes the sparse network that a training starts from.
import type { Params } from '../core/params.ts';
import {
  bsrNetConnected,
  type DistributionName,
  type DistributionOptions,
  distributions,
  type KernelShape,
  keptDense,
} from './distributions.ts';
import { type MethodName, methods, type Start } from './methods.ts';
import { globalMagnitudeCounts } from './prune.ts';

/** Where the weights of a network are: a distribution, or, of methods that prune by magnitude, where its largest are. */
export type Spread = DistributionName | 'global';

/** Options of the network that a training starts from. */
export interface StartOptions extends Pick<Start, 'signs' | 'key'> {
  readonly method: MethodName;
  /** The kernels of the network, in order of execution. */
  readonly kernels: readonly KernelShape[];
  readonly distribution: Spread;
  readonly sparsity: number;
  readonly options?: DistributionOptions;
}

/**
 * The network of a method before its first step, with its weights where a distribution puts them.
 *
 * @param dense initial weights, or those to prune; borrowed
 * @returns parameters owned by the caller
 */
export async function startNetwork(
  dense: Params,
  { method, kernels, distribution, sparsity, options = {}, signs, key }: StartOptions,
): Promise<Params> {
  if (distribution === 'global') {
    const counts = await globalMagnitudeCounts(dense, sparsity, keptDense(kernels, options));
    return methods[method].start(dense, { counts, signs, key });
  }
  const counts = distributions[distribution](kernels, sparsity, options);
  const connected = distribution === 'bsr-net' ? bsrNetConnected(kernels, sparsity, options) : counts;
  return methods[method].start(dense, { counts, connected, signs, key });
}
