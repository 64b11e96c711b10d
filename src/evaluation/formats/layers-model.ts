import type { Tensor } from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { withoutSoftmax } from '../../../attacks/softmax.ts';
import type { AppliedModel } from '../../../attacks/types.ts';
import { loadLayers } from '../../checkpoints/layers-file.ts';
import { parseRecord } from '../../checkpoints/network.ts';
import { InputError } from '../../core/errors.ts';
import { fitInput } from './fit-input.ts';
import type { LoadedModel, LoadRequest, ModelFormat } from './format.ts';
import { countNonzeros, modelName, readSavedModel, topologyKind } from './model-json.ts';
import { type Training, trainingOf } from './network.ts';

/** A LayersModel of TensorFlow.js, as Keras's converter and `model.save` write it: `model.json` and files of weights. */
export const layersModel: ModelFormat = {
  description: 'a folder with the model.json of a TensorFlow.js LayersModel',
  recognises: ({ modelJson }) => topologyKind(modelJson) === 'layers',
  load,
};

async function load({ path, images }: LoadRequest): Promise<LoadedModel> {
  const { artifacts, sha256, bytes } = await readSavedModel(path);
  const layers = await loadLayers();
  let model: LayersModel;
  try {
    model = await layers.loadLayersModel({ load: async () => artifacts });
  } catch (error) {
    throw new InputError(
      `${path} cannot be built by tfjs-layers: ${(error as Error).message.split('\n')[0]} If it has layers of its own, wrap it with --module.`,
      { cause: error },
    );
  }
  try {
    if (model.inputs.length !== 1 || model.outputs.length !== 1) {
      throw new InputError(
        `A classifier has one input and one output; ${path} has ${model.inputs.length} and ${model.outputs.length}. Wrap it with --module.`,
      );
    }
    const { inputShape, reshape, note } = fitInput(model.inputs[0].shape, images?.imageShape ?? null);
    const softmaxNote = 'The softmax that ends it was taken off: attacks need logits.';
    const logits = withoutSoftmax(model);
    const applied: AppliedModel = logits ?? model;
    const kernels = model.weights.map((weight) => weight.read()).filter(({ rank }) => rank >= 2);
    return {
      model: (batch) => applied.apply(reshape(batch), { training: false }) as Tensor as never,
      record: {
        ...countNonzeros(kernels),
        checkpoint: modelName(path),
        sha256,
        bytes,
        epoch: null,
        step: null,
        flops: null,
      },
      inputShape,
      classes: model.outputs[0].shape.at(-1) ?? null,
      ...trainingIn(artifacts.userDefinedMetadata, path),
      notes: [...(logits ? [softmaxNote] : []), ...(note === null ? [] : [note])],
      dispose: () => void model.dispose(),
    };
  } catch (error) {
    model.dispose();
    throw error;
  }
}

/** What a model that Equipoise exported says of its training; others say nothing. */
function trainingIn(metadata: object | undefined, path: string): Training {
  const { equipoise_network: record } = (metadata ?? {}) as { readonly equipoise_network?: unknown };
  if (record === undefined) return {};
  const { config, progress } = parseRecord(record, path);
  return trainingOf(config, progress.datasetSha256);
}
