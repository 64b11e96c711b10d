// A step of a model that is computed exactly and differentiated as another: the adaptive attack on defences without a gradient.
import type { Tensor } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { InputError } from '../../src/core/errors.ts';

/**
 * Backward pass differentiable approximation, BPDA (Athalye, Carlini and Wagner 2018, arXiv:1802.00420): a step
 *
 *     y = forward(x), differentiated as if y = backward(x)
 *
 * for an attack on a model whose gradient `forward` stops, such as a rounding or a JPEG compression. What the model answers stays
 * exactly what the defence answers, so an accuracy under attack is that of the defence.
 *
 * @param forward the step as the defence takes it; it needs no gradient and may read values
 * @param backward a function of the same shape that is near `forward` and has a gradient, often (x) => x
 * @returns a function to put in the place of `forward`; its result belongs to the caller
 *
 * The returned function throws InputError if the two results differ in shape.
 */
export function bpda<Input extends Tensor, Output extends Tensor>(
  forward: (x: Input) => Output,
  backward: (x: Input) => Output,
): (x: Input) => Output {
  return (x) =>
    tf.tidy(() => {
      const approximation = backward(x);
      const exact = tf.customGrad((...inputs) => {
        const [input, approximate] = inputs as Tensor[];
        const value = tf.clone(forward(input as Input));
        checkShapes(value, approximate);
        return { value, gradFunc: (slope: Tensor) => [tf.zeros(input.shape), tf.cast(slope, approximate.dtype)] };
      });
      return exact(x, approximation) as Output;
    });
}

function checkShapes(forward: Tensor, backward: Tensor): void {
  if (forward.shape.join() === backward.shape.join()) return;
  throw new InputError(
    `bpda: expected forward and backward to return tensors of one shape, got [${forward.shape}] and [${backward.shape}]. ` +
      'Give a backward whose result has the shape of that of forward.',
  );
}
