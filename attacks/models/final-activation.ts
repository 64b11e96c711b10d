// Takes the softmax or sigmoid that ends a LayersModel off while the model runs, so that attacks see its logits. The layer's
// activation is replaced for the time of a call, which is synchronous, and is put back whatever happens.
import type { Tensor } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { replaced } from '../../src/core/replaced.ts';
import type { AppliedModel } from '../types.ts';

/** The parts of a TensorFlow.js layer that its activation depends on. */
interface FinalLayer {
  readonly name?: string;
  getClassName(): string;
  activation?: { getClassName(): string; apply(x: unknown): unknown };
  call(inputs: unknown, options: unknown): unknown;
}

const IDENTITY = { getClassName: () => 'linear', apply: (x: unknown) => x };

/** Activations that end many models and squash their logits into [0, 1]. Neither changes which class is the largest. */
export type Squashing = 'softmax' | 'sigmoid';

const SQUASH: Readonly<Record<Squashing, (logits: Tensor) => Tensor>> = {
  softmax: (logits) => tf.softmax(logits),
  sigmoid: (logits) => tf.sigmoid(logits),
};

/** A LayersModel that ends in a softmax or sigmoid. */
export interface FinalActivation {
  readonly activation: Squashing;
  /** Returns logits; where the activation is kept, the model itself. */
  readonly model: AppliedModel;
  /** Says why the activation is kept; null if it is taken off. */
  readonly kept: string | null;
}

/** The softmax or sigmoid that ends a LayersModel, and the model without it; undefined if it ends in neither. */
export function withoutFinalActivation(model: AppliedModel): FinalActivation | undefined {
  const layer = finalLayer(model);
  const activation = layer && activationOf(layer);
  if (layer === undefined || activation === undefined) return undefined;
  const uses = usesOf(layer, model);
  if (uses > 1) {
    const kept = `its layer ${layer.name} is used ${uses} times, and its other outputs need the ${activation}`;
    return { activation, model, kept };
  }
  const apply: AppliedModel['apply'] = (...given) =>
    layer.getClassName() === 'Softmax'
      ? replaced(
          layer,
          'call',
          (inputs: unknown) => inputs,
          () => model.apply(...given),
        )
      : replaced(layer, 'activation', IDENTITY, () => model.apply(...given));
  return { activation, model: { apply: ifSound(activation, model.apply.bind(model), apply) }, kept: null };
}

/** The layer that gives a LayersModel its only output, inside nested models too. */
function finalLayer(model: unknown): FinalLayer | undefined {
  const outputs = (model as { outputs?: { sourceLayer?: unknown }[] }).outputs;
  if (!Array.isArray(outputs) || outputs.length !== 1) return undefined;
  const layer = outputs[0].sourceLayer as FinalLayer | undefined;
  if (typeof layer?.getClassName !== 'function' || typeof layer.call !== 'function') return undefined;
  return finalLayer(layer) ?? layer;
}

function activationOf(layer: FinalLayer): Squashing | undefined {
  if (layer.getClassName() === 'Softmax') return 'softmax';
  const name = layer.activation?.getClassName();
  return name === 'softmax' || name === 'sigmoid' ? name : undefined;
}

/** How often a layer runs in one call of a model: once for each of its nodes, nested models and wrapped layers included. */
function usesOf(layer: object, model: unknown): number {
  const { nodesByDepth = {} } = model as {
    readonly nodesByDepth?: Readonly<Record<string, readonly { readonly outboundLayer?: object }[]>>;
  };
  return Object.values(nodesByDepth)
    .flat()
    .reduce((uses, { outboundLayer = {} }) => {
      const { layer: wrapped } = outboundLayer as { readonly layer?: object };
      return uses + usesOf(layer, outboundLayer) + (outboundLayer === layer || wrapped === layer ? 1 : 0);
    }, 0);
}

/** Softmax in other kernels rounds otherwise; a model that computes something else differs by far more. */
const TOLERANCE = 1e-3;
/** Images of the first batch that are compared. */
const COMPARED = 8;

/**
 * Runs a model without its final activation if its first images show that this changes nothing else: the activation of
 * these logits must be what the untouched model returns. Otherwise it always runs the untouched model.
 */
export function ifSound<Rest extends unknown[]>(
  activation: Squashing,
  untouched: (images: Tensor, ...rest: Rest) => unknown,
  withoutIt: (images: Tensor, ...rest: Rest) => unknown,
): (images: Tensor, ...rest: Rest) => unknown {
  let sound: boolean | undefined;
  return (images, ...rest) => {
    sound ??= tf.tidy(() => {
      const [batch = 1, ...shape] = images.shape;
      const some = batch <= COMPARED ? images : tf.slice(images, 0, [COMPARED, ...shape]);
      const [expected, logits] = [untouched(some, ...rest), withoutIt(some, ...rest)] as Tensor[];
      return areClose(expected, SQUASH[activation](logits));
    });
    return sound ? withoutIt(images, ...rest) : untouched(images, ...rest);
  };
}

function areClose(a: Tensor, b: Tensor): boolean {
  if (String(a.shape) !== String(b.shape)) return false;
  const [left, right] = [a.dataSync(), b.dataSync()];
  return left.every((value, i) => Math.abs(value - right[i]) <= TOLERANCE || Object.is(value, right[i]));
}
