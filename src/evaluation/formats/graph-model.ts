// GraphModels of TensorFlow.js. One that takes a fixed number of images is given batches of that size, the last one filled up.
import type { GraphModel } from '@tensorflow/tfjs-converter';
import type { Tensor, Tensor2D, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { ifSound } from '../../../attacks/models/final-activation.ts';
import { readSavedModel, type SavedModel } from '../../checkpoints/exchange/saved-model.ts';
import { InputError } from '../../core/errors.ts';
import { fitInput } from './fit-input.ts';
import { activationNote, BYTES_NOTE, type LoadedModel, type LoadRequest, type ModelFormat } from './format.ts';
import { type GraphNode, logitsOf, readGraph, unfused, withFloatInputs } from './graph-topology.ts';
import { inBatches } from './in-batches.ts';
import { buildFailure, checkClasses, checkEnds, recordOf, topologyKind } from './model-json.ts';

/** A GraphModel of TensorFlow.js, as the converter makes it of a SavedModel: `model.json` and files of weights. */
export const graphModel: ModelFormat = {
  description: 'a folder with the model.json of a TensorFlow.js GraphModel',
  runsOthersCode: true,
  recognises: ({ modelJson }) => topologyKind(modelJson) === 'graph',
  load,
};

/** @throws InputError if TensorFlow.js's converter is not installed */
async function loadConverter(): Promise<typeof import('@tensorflow/tfjs-converter')> {
  try {
    return await import('@tensorflow/tfjs-converter');
  } catch (error) {
    throw new InputError(
      `A GraphModel needs TensorFlow.js's converter. Install it with: npm install @tensorflow/tfjs-converter@${tf.version_core}`,
      { cause: error },
    );
  }
}

async function load({ path, images }: LoadRequest): Promise<LoadedModel> {
  const saved = await readSavedModel(path);
  const graph = readGraph(path, saved);
  const logits = logitsOf(graph);
  const { nodes, changed: takesBytes } = withFloatInputs([...graph.nodes.values()]);
  const model = build(await loadConverter(), path, saved, nodes);
  try {
    checkEnds(path, model);
    checkClasses(path, model.outputs[0].shape?.at(-1));
    const [input] = model.inputs;
    const shape = input.shape?.map((extent) => (extent > 0 ? extent : null));
    const { inputShape, reshape, note } = fitInput(shape, images?.imageShape ?? null);
    const run = (tensor: string) => (batch: Tensor) =>
      inBatches(shape?.[0] ?? null, batch, (part) => model.execute({ [input.name]: part }, tensor) as Tensor);
    const output = run(model.outputs[0].name);
    const classify = logits === null ? output : ifSound(logits.activation, output, run(logits.tensor));
    const kernels = Object.values(model.weights).flatMap((weights) => weights.filter(({ rank }) => rank >= 2));
    return {
      model: (batch: Tensor4D) => tf.tidy(() => classify(reshape(batch)) as Tensor2D),
      record: recordOf(
        path,
        saved,
        kernels.filter(({ dtype }) => dtype === 'float32'),
      ),
      inputShape,
      classes: null,
      notes: [
        logits === null ? null : activationNote({ ...logits, kept: null }),
        takesBytes ? BYTES_NOTE : null,
        note,
      ].filter((text) => text !== null),
      dispose: () => model.dispose(),
    };
  } catch (error) {
    model.dispose();
    throw error;
  }
}

function build(
  { loadGraphModelSync }: typeof import('@tensorflow/tfjs-converter'),
  path: string,
  { topology, weightSpecs, weightData, json }: SavedModel,
  nodes: readonly GraphNode[],
): GraphModel<tf.io.IOHandlerSync> {
  const { signature, format, userDefinedMetadata, modelInitializer, initializerSignature } = json;
  try {
    const artifacts: tf.io.ModelArtifacts = {
      modelTopology: { ...topology, node: unfused(nodes) },
      weightSpecs: [...weightSpecs],
      weightData: weightData.buffer,
      ...(format ? { format } : {}),
      ...(signature ? { signature } : {}),
      ...(userDefinedMetadata ? { userDefinedMetadata: userDefinedMetadata as Record<string, object> } : {}),
      ...(modelInitializer ? { modelInitializer } : {}),
      ...(initializerSignature ? { initializerSignature: initializerSignature as never } : {}),
    };
    return loadGraphModelSync(artifacts);
  } catch (error) {
    throw buildFailure(path, 'tfjs-converter', 'If it has operations of its own, wrap it with --module.', error);
  }
}
