// The parameters of a network, dense and sparse, as a record by name.
import type { Tensor, Tensor1D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { denseStructure, type Structure, sizeOf } from './structure.ts';

/** A tree of tensors by name, such as `conv1.kernel`: gradients, momentum, batch-norm state. */
export type Tensors = Readonly<Record<string, Tensor>>;

/** A kernel stored sparse: `values[i]` is the weight at `structure.positions[i]`, every other weight is 0. */
export interface SparseParam {
  readonly structure: Structure;
  /** The weights at the nonzeros, a tensor of shape [nonzeros]. */
  readonly values: Tensor1D;
}

/** A parameter: a dense tensor, or the nonzeros of a sparse one. */
export type Param = Tensor | SparseParam;

/** The parameters of a model by name. Convolution and fully connected kernels end in `.kernel`; only these can be sparse. */
export type Params = Readonly<Record<string, Param>>;

/** Returns true if a parameter is stored as its nonzeros. */
export const isSparse = (param: Param): param is SparseParam => 'structure' in param;

/** What an optimizer moves: the dense tensor, or the values at the nonzeros. */
export const trainable = (param: Param): Tensor => (isSparse(param) ? param.values : param);

/** A copy that the caller owns; the structure is shared, as it never changes. */
export const copyParam = (param: Param): Param =>
  isSparse(param) ? { structure: param.structure, values: tf.clone(param.values) } : tf.clone(param);

export const structureOf = (param: Param): Structure =>
  isSparse(param) ? param.structure : denseStructure(param.shape);

/** A new tree of `f` over the entries of one or several trees with equal names. */
export function mapTree<A, Rest extends readonly unknown[], B>(
  f: (a: A, ...rest: Rest) => B,
  tree: Readonly<Record<string, A>>,
  ...rest: { [I in keyof Rest]: Readonly<Record<string, Rest[I]>> }
): Record<string, B> {
  return Object.fromEntries(
    Object.entries(tree).map(([name, a]) => [name, f(a, ...(rest.map((other) => other[name]) as unknown as Rest))]),
  );
}

/** The trainable tensors of `params`, borrowed. */
export const trainables = (params: Params): Tensors => mapTree(trainable, params);

/** `params` with other trainable tensors, their structures kept. */
export const withTrainables = (params: Params, tensors: Tensors): Params =>
  mapTree(
    (param: Param, tensor: Tensor): Param =>
      isSparse(param) ? { structure: param.structure, values: tensor as Tensor1D } : tensor,
    params,
    tensors,
  );

export const zerosLike = (tensors: Tensors): Tensors => mapTree((tensor) => tf.zerosLike(tensor), tensors);

/** Copies of tensors, owned by the caller. Their data are shared with the originals until one of them is written. */
export const cloneTensors = (tensors: Tensors): Tensors => mapTree((tensor) => tf.clone(tensor), tensors);

/**
 * Copies of parameters, owned by the caller. If a `tf.tidy` surrounds the call it must return only their tensors, since it would
 * otherwise search all positions of the structures for tensors.
 */
export const copyParams = (params: Params): Params => mapTree(copyParam, params);

/** Disposes all parameters of a model. */
export const disposeParams = (params: Params): void => disposeTensors(trainables(params));

/** Disposes all tensors of a record. */
export const disposeTensors = (tensors: Tensors): void => {
  for (const tensor of Object.values(tensors)) tensor.dispose();
};

/** True if `name` is a convolution or fully connected kernel. Sparsity counts only these parameters. */
export const isKernel = (name: string): boolean => name.endsWith('.kernel');

/** Nonzeros and size over all convolution and fully connected kernels, those kept dense included. */
export function countWeights(params: Params): { nonzeros: number; size: number } {
  let nonzeros = 0;
  let size = 0;
  for (const [name, param] of Object.entries(params)) {
    if (!isKernel(name)) continue;
    nonzeros += trainable(param).size;
    size += isSparse(param) ? sizeOf(param.structure.shape) : param.size;
  }
  return { nonzeros, size };
}

/** 1 − nonzeros / size over all convolution and fully connected kernels; biases and batch norm are not counted. */
export function sparsityOf(params: Params): number {
  const { nonzeros, size } = countWeights(params);
  return size === 0 ? 0 : 1 - nonzeros / size;
}
