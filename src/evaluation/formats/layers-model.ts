import type { Tensor } from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { withoutFinalActivation } from '../../../attacks/final-activation.ts';
import { withWholeBatchNorms } from '../../../attacks/whole-batch-norms.ts';
import { loadLayers } from '../../checkpoints/layers-file.ts';
import { parseRecord } from '../../checkpoints/network.ts';
import { fitInput } from './fit-input.ts';
import { activationNote, type LoadedModel, type LoadRequest, type ModelFormat } from './format.ts';
import { buildFailure, checkEnds, readSavedModel, recordOf, topologyKind } from './model-json.ts';
import { type Training, trainingOf } from './network.ts';

/** A LayersModel of TensorFlow.js, as Keras's converter and `model.save` write it: `model.json` and files of weights. */
export const layersModel: ModelFormat = {
  description: 'a folder with the model.json of a TensorFlow.js LayersModel',
  recognises: ({ modelJson }) => topologyKind(modelJson) === 'layers',
  load,
};

async function load({ path, images }: LoadRequest): Promise<LoadedModel> {
  const saved = await readSavedModel(path);
  const { artifacts } = saved;
  const layers = await loadLayers();
  let model: LayersModel;
  try {
    model = await layers.loadLayersModel({ load: async () => artifacts });
  } catch (error) {
    throw buildFailure(path, 'tfjs-layers', remedyFor(artifacts.modelTopology), error);
  }
  try {
    checkEnds(path, model);
    const { inputShape, reshape, note } = fitInput(model.inputs[0].shape, images?.imageShape ?? null);
    const logits = withoutFinalActivation(model);
    const applied = withWholeBatchNorms(logits?.model ?? model, model);
    const kernels = model.weights.map((weight) => weight.read()).filter(({ rank }) => rank >= 2);
    return {
      model: (batch) => applied.apply(reshape(batch), { training: false }) as Tensor as never,
      record: recordOf(path, saved, kernels),
      inputShape,
      classes: model.outputs[0].shape.at(-1) ?? null,
      ...trainingIn(artifacts.userDefinedMetadata, path),
      notes: [logits ? activationNote(logits) : null, note].filter((text) => text !== null),
      dispose: () => void model.dispose(),
    };
  } catch (error) {
    model.dispose();
    throw error;
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
function trainingIn(metadata: object | undefined, path: string): Training {
  const { equipoise_network: record } = (metadata ?? {}) as { readonly equipoise_network?: unknown };
  if (record === undefined) return {};
  const { config, progress } = parseRecord(record, path);
  return trainingOf(config, progress.datasetSha256);
}
