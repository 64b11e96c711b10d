import { replaced } from './replaced.ts';
import type { AppliedModel } from './types.ts';

/** The parts of a TensorFlow.js layer that its activation hangs on. */
interface FinalLayer {
  getClassName(): string;
  activation?: { getClassName(): string; apply(x: unknown): unknown };
  call(inputs: unknown, options: unknown): unknown;
}

const IDENTITY = { getClassName: () => 'linear', apply: (x: unknown) => x };

/** The layer that gives a LayersModel its only output, inside nested models too. */
function finalLayer(model: unknown): FinalLayer | undefined {
  const outputs = (model as { outputs?: { sourceLayer?: unknown }[] }).outputs;
  if (!Array.isArray(outputs) || outputs.length !== 1) return undefined;
  const layer = outputs[0].sourceLayer as FinalLayer | undefined;
  if (typeof layer?.getClassName !== 'function' || typeof layer.call !== 'function') return undefined;
  return finalLayer(layer) ?? layer;
}

/** What ends many models and squashes their logits into [0, 1]; neither changes which class is the largest. */
export type Squashing = 'softmax' | 'sigmoid';

/**
 * A LayersModel without the softmax or sigmoid that ends it, since probabilities saturate and their gradients vanish.
 * Undefined where it ends in neither. The layer's activation is replaced while the model runs, which is synchronous, and is put
 * back whatever happens.
 */
export function withoutFinalActivation(
  model: AppliedModel,
): { readonly model: AppliedModel; readonly activation: Squashing } | undefined {
  const layer = finalLayer(model);
  if (!layer) return undefined;
  if (layer.getClassName() === 'Softmax') {
    const call = (inputs: unknown) => inputs;
    return {
      model: { apply: (...given) => replaced(layer, 'call', call, () => model.apply(...given)) },
      activation: 'softmax',
    };
  }
  const activation = layer.activation?.getClassName();
  if (activation !== 'softmax' && activation !== 'sigmoid') return undefined;
  return {
    model: { apply: (...given) => replaced(layer, 'activation', IDENTITY, () => model.apply(...given)) },
    activation,
  };
}
