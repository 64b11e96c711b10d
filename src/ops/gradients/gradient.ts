// How the gradients in this folder are written: a typed record for each kernel, which ../gradients.ts registers, and the
// two sums and reshapes that several of them need.
import type { GradConfig, Tensor, Tensor3D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { sizeOf } from '../../core/structure.ts';

/** The gradient of each input of a kernel, computed when it is asked for: [shape of the input], float32. */
type InputGradients = Readonly<Record<string, () => Tensor>>;

/**
 * The saved inputs whose values the gradient of each input reads. Of the others it reads only the shape, the type, the rank
 * and the size. An input that is left out reads none.
 */
export type Reads = Readonly<Record<string, readonly string[]>>;

/**
 * The gradient of one kernel. `gradFunc` gets dy (one tensor for each output of the kernel, in an array if there are
 * several), then the saved inputs followed by the saved outputs, then the kernel's attributes.
 */
export interface KernelGradient<Attrs extends object, Dy extends Tensor | readonly Tensor[]> {
  readonly kernelName: string;
  readonly inputsToSave?: readonly string[];
  readonly saveAllInputs?: boolean;
  readonly outputsToSave?: readonly boolean[];
  /** What `inputGradient` needs to save; everything if it is left out. */
  readonly reads?: Reads;
  readonly gradFunc: (dy: Dy, saved: readonly Tensor[], attrs: Attrs) => InputGradients;
}

/** A gradient as tfjs-core registers it, from one whose attributes and outputs are typed. */
export const gradient = <Attrs extends object = object, Dy extends Tensor | readonly Tensor[] = Tensor>(
  config: KernelGradient<Attrs, Dy>,
): GradConfig => config as unknown as GradConfig;

/** Sums a tensor to a shape from which it was broadcast. */
export function sumTo(x: Tensor, shape: number[]): Tensor {
  const axes = tf.broadcast_util.getReductionAxes(shape, x.shape);
  return tf.reshape(axes.length > 0 ? tf.sum(x, axes) : x, shape);
}

/** Applies a function of [outer, size, inner] along one axis of a tensor; the function may change `size`. */
export function alongAxis(x: Tensor, axis: number, apply: (x: Tensor3D) => Tensor): Tensor {
  const [outer, inner] = [x.shape.slice(0, axis), x.shape.slice(axis + 1)];
  const y = apply(tf.reshape(x, [sizeOf(outer), x.shape[axis], sizeOf(inner)]));
  return tf.reshape(y, [...outer, y.shape[1] as number, ...inner]);
}

/** A tensor of zeros with the shape of `x`. It is float32, as gradients must be, whatever the type of `x`. */
export const zerosLike = (x: Tensor): Tensor => tf.fill(x.shape, 0);
