// The models that the page attacks: those that come with it, and those in files that a person brings.

import type { Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { type LayersModel, loadLayersModel } from '@tensorflow/tfjs-layers';
import { type Classifier, classifier } from '../../../attacks/index.ts';
import type { Bounds } from '../../../attacks/types.ts';
import { decodeSafetensors } from '../../../src/checkpoints/safetensors/safetensors.ts';
import { paramsBelow, parseCheckpoint, tensorsBelow } from '../../../src/checkpoints/safetensors/stored.ts';
import { disposeParams, disposeTensors, isSparse, type Params } from '../../../src/core/params.ts';
import { checkWeights } from '../../../src/models/inspect.ts';
import { buildModel } from '../../../src/models/models.ts';
import { runNetwork } from '../../../src/ops/network.ts';
import { scatter } from '../../../src/ops/sparse-kernel.ts';
import vgg16 from '../../../zoo/vgg16-99.safetensors';
import robust from '../robust.safetensors';
import undefended from '../undefended.safetensors';
import undefendedPhotos from '../undefended-photos.safetensors';
import type { ModelFacts, ModelSource, ShippedName } from './protocol.ts';

/** A classifier that the page attacks; it owns its weights until `dispose`. */
export interface Model extends ModelFacts {
  readonly classify: Classifier;
  dispose(): void;
}

const SHIPPED: { readonly [Name in ShippedName]: Uint8Array } = {
  undefended,
  robust,
  'undefended-photos': undefendedPhotos,
  'vgg16-99': vgg16,
};

/** Reads a model, for the current backend. */
export const modelOf = async (source: ModelSource): Promise<Model> =>
  source.kind === 'shipped'
    ? modelOfCheckpoint(SHIPPED[source.name], source.name)
    : modelOfFiles(source.files, source.bounds);

/**
 * The model of a checkpoint of Equipoise.
 *
 * @param bytes of a safetensors file, as `equipoise train` and `equipoise export` write them
 */
function modelOfCheckpoint(bytes: Uint8Array, name: string): Model {
  const stored = parseCheckpoint(decodeSafetensors(bytes, name), name);
  const program = buildModel(stored.model.name, stored.model);
  const params = denseParams(paramsBelow(stored, 'params/'));
  const state = tensorsBelow(stored, 'state/');
  checkWeights(program, params, state);
  return {
    classify: (images) => runNetwork(program, params, state, images, { training: false }).logits,
    inputShape: program.inputShape,
    classes: program.classes,
    dispose: () => {
      disposeParams(params);
      disposeTensors(state);
    },
  };
}

/** Parameters whose sparse kernels are dense, in place of the given ones: these backends have no sparse kernels. */
function denseParams(params: Params): Params {
  const dense = Object.fromEntries(
    Object.entries(params).map(([name, param]) => [
      name,
      isSparse(param) ? scatter(param.structure, param.values) : tf.clone(param),
    ]),
  );
  disposeParams(params);
  return dense;
}

/**
 * The model in files that a person chose: a LayersModel (`model.json` and its weights) or a checkpoint.
 *
 * @param bounds the lowest and highest pixel that a LayersModel takes
 */
async function modelOfFiles(files: readonly File[], bounds: Bounds): Promise<Model> {
  const checkpoint = files.find(({ name }) => name.endsWith('.safetensors'));
  if (checkpoint) return modelOfCheckpoint(new Uint8Array(await checkpoint.arrayBuffer()), checkpoint.name);
  const description = files.find(({ name }) => name.endsWith('.json'));
  if (!description) {
    throw new Error(
      'Expected a model.json together with its .bin files, or one .safetensors file. Choose them together.',
    );
  }
  const others = files.filter((file) => file !== description);
  const model = await loadLayersModel(tf.io.browserFiles([description, ...others]));
  return modelOfLayers(model, bounds);
}

function modelOfLayers(model: LayersModel, bounds: Bounds): Model {
  const [height, width, channels] = model.inputs[0].shape.slice(1) as number[];
  if (
    model.inputs.length !== 1 ||
    model.inputs[0].shape.length !== 4 ||
    !height ||
    !width ||
    ![1, 3].includes(channels)
  ) {
    const shapes = model.inputs.map(({ shape }) => `[${shape.map((extent) => extent ?? 'any')}]`).join(', ');
    model.dispose();
    throw new Error(`The model takes ${shapes}; this page has images [batch, height, width, 1 or 3].`);
  }
  const classify = classifier(model, { bounds });
  const classes = tf.tidy(() => classify(tf.zeros([1, height, width, channels]) as Tensor4D).shape[1]);
  return { classify, inputShape: [height, width, channels], classes, dispose: () => model.dispose() };
}
