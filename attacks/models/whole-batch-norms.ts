// Runs layers models so that gradients through batch norm are cheap.
import type { Tensor } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { replaced } from '../../src/core/replaced.ts';
import type { AppliedModel } from '../types.ts';

/** What a layer of TensorFlow.js reads a weight from. */
interface Weight {
  readonly shape: readonly number[];
  read(): Tensor;
}

/** The parts of a batch normalisation layer that its scale (gamma) and offset (beta) hang on. */
interface BatchNorm {
  readonly movingMean: Weight;
  gamma?: Weight | null;
  beta?: Weight | null;
}

const FILLS = { gamma: 1, beta: 0 } as const;

/** The layers of a LayersModel, those of nested models too. */
export function layersOf(model: unknown): readonly object[] {
  const { layers } = model as { readonly layers?: readonly object[] };
  return Array.isArray(layers) ? layers.flatMap((layer: object) => [layer, ...layersOf(layer)]) : [];
}

const isBatchNorm = (layer: object): layer is BatchNorm =>
  (layer as { getClassName?(): string }).getClassName?.() === 'BatchNormalization';

/**
 * A LayersModel whose batch normalisations have a scale and an offset: those made without (`scale: false`,
 * `center: false`) multiply by ones and add zeros while the model runs. tfjs-core finds no gradient through a batch norm
 * that lacks one.
 *
 * @param applied how the model is run
 * @param of the LayersModel itself; what has no layers is run as it is
 */
export function withWholeBatchNorms(applied: AppliedModel, of: AppliedModel): AppliedModel {
  const missing = layersOf(of)
    .filter(isBatchNorm)
    .flatMap((layer) =>
      (['gamma', 'beta'] as const).filter((name) => !layer[name]).map((name) => ({ layer, name, fill: FILLS[name] })),
    );
  return missing.reduce<AppliedModel>((inner, { layer, name, fill }) => {
    const { shape } = layer.movingMean;
    const weight: Weight = { shape, read: () => tf.fill([...shape], fill) };
    return { apply: (...given) => replaced(layer, name, weight, () => inner.apply(...given)) };
  }, applied);
}
