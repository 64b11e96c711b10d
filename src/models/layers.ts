// Constructors of layers, from which networks are built as data.
import { InputError } from '../core/errors.ts';
import { eachShape, type ImageShape, type Layer, type Program } from '../ops/network.ts';
import type { ModelOptions } from './types.ts';

/** A convolution without bias, as before batch norm; padded so that stride 1 keeps height and width. */
export const conv = (name: string, inputs: number, filters: number, size = 3, stride = 1): Layer => ({
  kind: 'conv',
  name,
  inputs,
  filters,
  size,
  stride,
  padding: (size - 1) / 2,
  bias: false,
});

export const dense = (name: string, inputs: number, units: number): Layer => ({
  kind: 'dense',
  name,
  inputs,
  units,
  bias: true,
});

export const batchNorm = (name: string, channels: number): Layer => ({ kind: 'batchNorm', name, channels });
export const relu: Layer = { kind: 'relu' };
export const halve: Layer = { kind: 'maxPool', size: 2 };
export const flatten: Layer = { kind: 'flatten' };
export const globalAveragePool: Layer = { kind: 'globalAveragePool' };

/** A layer's published number of channels under a width multiplier: rounded, at least 1. */
export const scaled = (channels: number, width: number): number => Math.max(1, Math.round(channels * width));

/** Each element with the one before it, `first` before all: the inputs and outputs of consecutive layers. */
export const consecutive = (first: number, rest: readonly number[]): [inputs: number, outputs: number][] =>
  rest.map((outputs, i) => [i === 0 ? first : rest[i - 1], outputs]);

const isCount = (value: number): boolean => Number.isInteger(value) && value > 0;

/** @throws InputError naming the option out of range */
export function checkOptions({ inputShape, classes, width }: ModelOptions): void {
  if (inputShape.length !== 3 || !inputShape.every(isCount)) {
    throw new InputError(
      `inputShape must be [height, width, channels], three positive whole numbers, got [${inputShape}].`,
    );
  }
  if (!isCount(classes) || classes < 2) throw new InputError(`A model needs at least 2 classes, got ${classes}.`);
  if (!(width > 0 && Number.isFinite(width))) {
    throw new InputError(`width multiplies the number of channels of a model and must be above 0, got ${width}.`);
  }
}

/** True if no layer shrinks images of this height and width to nothing. */
const fits = (layers: readonly Layer[], shape: ImageShape): boolean =>
  [...eachShape(layers, shape)].every(({ output }) => output.every((extent) => extent > 0));

/**
 * The program of these layers.
 *
 * @throws InputError if the images are too small for its poolings and strides
 */
export function program(name: string, { inputShape, classes }: ModelOptions, layers: readonly Layer[]): Program {
  if (!fits(layers, inputShape)) {
    let extent = Math.min(inputShape[0], inputShape[1]);
    while (!fits(layers, [extent, extent, inputShape[2]])) extent++;
    throw new InputError(
      `The model ${name} needs images of at least ${extent}×${extent} pixels, got ${inputShape[0]}×${inputShape[1]}.`,
    );
  }
  return { inputShape, classes, layers };
}
