// Runs the convolutions of a LayersModel so that an attack pays for no gradient of their weights. tfjs-core computes it with
// every gradient through its fused convolution, and fails on backends that lack the kernel, such as tfjs-backend-wasm.
import type { Tensor, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { replaced } from '../../src/core/replaced.ts';
import type { AppliedModel } from '../types.ts';
import { layersOf } from './whole-batch-norms.ts';

interface Weight {
  read(): Tensor;
}

/** The parts of a Conv2D layer that its output depends on. */
interface Convolution {
  getClassName(): string;
  readonly kernel: Weight;
  readonly bias?: Weight | null;
  readonly strides: [number, number];
  readonly padding: 'same' | 'valid';
  readonly dilationRate: [number, number];
  readonly dataFormat: string;
  readonly activation?: { getClassName(): string };
  call(inputs: unknown, options: unknown): unknown;
}

/** Other activations than none are applied by an op of their own wherever a gradient is taken. */
const isFused = (layer: object): layer is Convolution => {
  const { getClassName, activation, dataFormat } = layer as Partial<Convolution>;
  return (
    getClassName?.call(layer) === 'Conv2D' && activation?.getClassName() === 'linear' && dataFormat === 'channelsLast'
  );
};

/**
 * A LayersModel whose convolutions without activation are plain ops wherever a gradient is taken.
 *
 * @param applied how the model is run
 * @param of the LayersModel itself; what has no layers is run as it is
 */
export const withUnfusedConvolutions = (applied: AppliedModel, of: AppliedModel): AppliedModel =>
  [...new Set(layersOf(of))].filter(isFused).reduce<AppliedModel>((inner, layer) => {
    const fused = layer.call;
    const call = (inputs: unknown, options: unknown): unknown => {
      if (tf.engine().state.gradientDepth === 0) return fused.call(layer, inputs, options);
      const { kernel, bias, strides, padding, dilationRate } = layer;
      const [x] = [inputs].flat() as Tensor4D[];
      return tf.tidy(() => {
        const y = tf.conv2d(x, kernel.read() as Tensor4D, strides, padding, 'NHWC', dilationRate);
        return bias ? tf.add(y, bias.read()) : y;
      });
    };
    return { apply: (...given) => replaced(layer, 'call', call, () => inner.apply(...given)) };
  }, applied);
