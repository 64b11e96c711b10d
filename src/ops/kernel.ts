// Runs kernels of TensorFlow.js that only some backends register.
import type { NamedAttrMap, NamedTensorMap, Tensor } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';

/** A kernel's attributes: any plain record; tfjs passes them through untouched. */
export type Attributes = object;

/** tfjs wants attributes of its own value types; ours also hold structures, which it only hands on. */
const attributes = (attrs: Attributes): NamedAttrMap => attrs as unknown as NamedAttrMap;

export const hasKernel = (name: string): boolean => tf.getKernel(name, tf.getBackend()) != null;

/** Runs the current backend's kernel `name`. */
export const runKernel = <Output extends Tensor | Tensor[]>(
  name: string,
  inputs: NamedTensorMap | readonly Tensor[],
  attrs: Attributes,
): Output => tf.engine().runKernel(name, inputs as NamedTensorMap, attributes(attrs)) as Output;

/**
 * Runs the current backend's kernel `name`, or `plain`, its definition by other ops, on a backend that has none.
 * Gradients that are registered under the name hold for both.
 */
export function runKernelOr<
  Inputs extends NamedTensorMap | readonly Tensor[],
  Attrs extends Attributes,
  Output extends Tensor | Tensor[],
>(name: string, plain: (inputs: Inputs, attrs: Attrs) => Output, inputs: Inputs, attrs: Attrs): Output {
  if (!hasKernel(name)) {
    tf.registerKernel({
      kernelName: name,
      backendName: tf.getBackend(),
      kernelFunc: (call) => tf.tidy(() => plain(call.inputs as unknown as Inputs, call.attrs as unknown as Attrs)),
    });
  }
  return runKernel<Output>(name, inputs, attrs);
}
