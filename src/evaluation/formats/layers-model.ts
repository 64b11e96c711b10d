// LayersModels of TensorFlow.js. Their topology is checked before they are built, and while they are built every weight is
// counted before it is allocated, so a damaged file cannot hang or exhaust the process.
import type { Tensor } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { differentiably } from '../../../attacks/models/classifier-of.ts';
import { withoutFinalActivation } from '../../../attacks/models/final-activation.ts';
import { loadLayers } from '../../checkpoints/exchange/layers-file.ts';
import { parseRecord } from '../../checkpoints/exchange/network.ts';
import { readSavedModel, type SavedModel } from '../../checkpoints/exchange/saved-model.ts';
import { InputError } from '../../core/errors.ts';
import { replaced } from '../../core/replaced.ts';
import { sizeOf } from '../../core/structure.ts';
import { fitInput } from './fit-input.ts';
import { activationNote, BYTES_NOTE, type LoadedModel, type LoadRequest, type ModelFormat } from './format.ts';
import { alwaysTraining, checkLayersTopology, withFloatInputs } from './layers-topology.ts';
import { buildFailure, checkClasses, checkEnds, recordOf, topologyKind } from './model-json.ts';
import { type Training, trainingOf } from './network.ts';

/** A LayersModel of TensorFlow.js, as Keras's converter and `model.save` write it: `model.json` and files of weights. */
export const layersModel: ModelFormat = {
  description: 'a folder with the model.json of a TensorFlow.js LayersModel',
  runsOthersCode: true,
  recognises: ({ modelJson }) => topologyKind(modelJson) === 'layers',
  load,
};

async function load({ path, images }: LoadRequest): Promise<LoadedModel> {
  const saved = await readSavedModel(path);
  const remedy = remedyFor(saved.topology);
  checkLayersTopology(path, saved.topology, remedy);
  const layers = await loadLayers();
  const { topology, changed: takesBytes } = withFloatInputs(saved.topology);
  let model: LayersModel;
  try {
    model = await build(layers, { ...saved, topology });
  } catch (error) {
    throw buildFailure(path, 'tfjs-layers', remedy, error);
  }
  try {
    checkEnds(path, model);
    checkClasses(path, model.outputs[0].shape.at(-1));
    const { inputShape, reshape, note } = fitInput(model.inputs[0].shape, images?.imageShape ?? null);
    const logits = withoutFinalActivation(model);
    const applied = differentiably(logits?.model ?? model, model);
    const kernels = model.weights.map((weight) => weight.read()).filter(({ rank }) => rank >= 2);
    return {
      model: (batch) => applied.apply(reshape(batch), { training: false }) as Tensor as never,
      record: recordOf(path, saved, kernels),
      inputShape,
      classes: model.outputs[0].shape.at(-1) ?? null,
      ...trainingIn(saved.json.userDefinedMetadata, path),
      notes: [
        logits ? activationNote(logits) : null,
        takesBytes ? BYTES_NOTE : null,
        note,
        trainingNote(alwaysTraining(topology)),
      ].filter((text) => text !== null),
      dispose: () => void model.dispose(),
    };
  } catch (error) {
    model.dispose();
    throw error;
  }
}

/** A note for the user of a model with layers that Keras would run in training mode. */
const trainingNote = (layers: readonly string[]): string | null =>
  layers.length === 0
    ? null
    : `Its ${layers.length === 1 ? 'layer' : 'layers'} ${layers.slice(0, 4).join(', ')} ${layers.length === 1 ? 'is' : 'are'} called with training=True, which TensorFlow.js leaves out: the model answers without that randomness. If it is part of the model, convert the model to a GraphModel.`;

type Layers = Awaited<ReturnType<typeof loadLayers>>;
type Weight = { dispose(): void };
type AddWeight = (name: string, shape: number[], dtype: unknown, initializer: unknown, ...rest: unknown[]) => Weight;

/**
 * The model with its weights, each of which comes from the file.
 *
 * @throws Error if the file has other weights than the layers, or fewer or more
 */
async function build({ layers, models, initializers }: Layers, saved: SavedModel): Promise<LayersModel> {
  const specs = saved.weightSpecs.filter(({ group }) => group !== 'optimizer');
  let left = specs.reduce((total, { shape }) => total + sizeOf(shape), 0);
  const owner = layers.Layer.prototype as unknown as { addWeight: AddWeight };
  const { addWeight } = owner;
  function counted(this: unknown, ...[name, shape, dtype, _, ...rest]: Parameters<AddWeight>) {
    left -= sizeOf(shape);
    if (!(left >= 0)) {
      const { name: layer } = this as { readonly name: string };
      throw new InputError(
        `Its layer ${layer} needs a weight ${name} [${shape.join(', ')}], and the file holds fewer values than its layers need.`,
      );
    }
    const weight = addWeight.call(this, name, shape, dtype, initializers.zeros(), ...rest);
    made.push(weight);
    return weight;
  }
  const made: Weight[] = [];
  const weights = tf.io.decodeWeights(saved.weightData.buffer, [...saved.weightSpecs]);
  try {
    // Layers are made before modelFromJSON first waits for anything.
    const making = replaced(owner, 'addWeight', counted, () => models.modelFromJSON(saved.topology as never));
    const model = await making;
    model.loadWeights(Object.fromEntries(specs.map(({ name }) => [name, weights[name]])));
    return model;
  } catch (error) {
    for (const weight of made) weight.dispose();
    throw error;
  } finally {
    tf.dispose(weights);
  }
}

/** What to do about a model that tfjs-layers cannot build. */
function remedyFor(topology: unknown): string {
  const { keras_version: keras } = topology as { readonly keras_version?: unknown };
  const convert = 'convert what model.export() writes to a GraphModel with tensorflowjs_converter';
  return String(keras).startsWith('3.')
    ? `Keras ${keras} wrote it, whose layers tfjs-layers does not read: ${convert}.`
    : `If it has layers that TensorFlow.js lacks, ${convert}, or wrap it with --module.`;
}

/** What a model that Equipoise exported says of its training; others say nothing. */
function trainingIn(metadata: object | null | undefined, path: string): Training {
  const { equipoise_network: record } = (metadata ?? {}) as { readonly equipoise_network?: unknown };
  if (record === undefined) return {};
  const { config, progress } = parseRecord(record, path);
  return trainingOf(config, progress.datasetSha256);
}
