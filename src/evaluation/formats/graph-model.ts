import type { GraphModel } from '@tensorflow/tfjs-converter';
import type { Tensor2D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import type { Squashing } from '../../../attacks/final-activation.ts';
import { InputError } from '../../core/errors.ts';
import { fitInput } from './fit-input.ts';
import { activationNote, type LoadedModel, type LoadRequest, type ModelFormat } from './format.ts';
import { buildFailure, checkEnds, readSavedModel, recordOf, topologyKind } from './model-json.ts';

/** A GraphModel of TensorFlow.js, as the converter makes it of a SavedModel: `model.json` and files of weights. */
export const graphModel: ModelFormat = {
  description: 'a folder with the model.json of a TensorFlow.js GraphModel',
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
  const { artifacts } = saved;
  const converter = await loadConverter();
  const logits = logitsNodeOf(artifacts.modelTopology as Topology, artifacts.signature as Signature | undefined);
  let model: GraphModel<tf.io.IOHandlerSync>;
  try {
    model = converter.loadGraphModelSync(artifacts);
  } catch (error) {
    throw buildFailure(path, 'tfjs-converter', 'If it has operations of its own, wrap it with --module.', error);
  }
  try {
    checkEnds(path, model);
    const [input] = model.inputs;
    const { inputShape, reshape, note } = fitInput(
      input.shape?.map((extent) => (extent > 0 ? extent : null)),
      images?.imageShape ?? null,
    );
    const output = logits?.name ?? model.outputs[0].name;
    const kernels = Object.values(model.weights).flatMap((weights) => weights.filter(({ rank }) => rank >= 2));
    return {
      model: (batch) => tf.tidy(() => model.execute({ [input.name]: reshape(batch) }, output) as Tensor2D),
      record: recordOf(
        path,
        saved,
        kernels.filter(({ dtype }) => dtype === 'float32'),
      ),
      inputShape,
      classes: null,
      notes: [logits === null ? null : activationNote({ ...logits, kept: null }), note].filter((text) => text !== null),
      dispose: () => model.dispose(),
    };
  } catch (error) {
    model.dispose();
    throw error;
  }
}

interface GraphNode {
  readonly name: string;
  readonly op: string;
  readonly input?: readonly string[];
}

interface Topology {
  readonly node?: readonly GraphNode[];
}

interface Signature {
  readonly outputs?: Readonly<Record<string, { readonly name: string }>>;
}

/** By the operation of the node that ends a graph. */
const SQUASHING: Readonly<Record<string, Squashing>> = { Softmax: 'softmax', Sigmoid: 'sigmoid' };

/** The node that feeds the softmax or sigmoid which ends a graph; null where neither does. */
function logitsNodeOf(
  { node = [] }: Topology,
  signature: Signature | undefined,
): { readonly name: string; readonly activation: Squashing } | null {
  const nodes = new Map(node.map((one) => [one.name, one]));
  const used = new Set(node.flatMap(({ input = [] }) => input.map(nodeName)));
  const named = Object.values(signature?.outputs ?? {}).map(({ name }) => nodeName(name));
  const ends = named.length > 0 ? named : node.flatMap(({ name }) => (used.has(name) ? [] : [name]));
  if (ends.length !== 1) return null;
  let end = nodes.get(ends[0]);
  while (end?.op === 'Identity') end = nodes.get(nodeName(end.input?.[0] ?? ''));
  const activation = SQUASHING[end?.op ?? ''];
  return activation === undefined ? null : { name: nodeName(end?.input?.[0] ?? ''), activation };
}

/** The node of a tensor: `dense/BiasAdd` of `dense/BiasAdd:0` and of `^dense/BiasAdd`. */
const nodeName = (tensor: string): string => tensor.replace(/^\^/, '').replace(/:\d+$/, '');
