// Loads an ONNX model: reads it, checks it, computes what depends on weights alone, and gives a function from images to
// logits that is made of TensorFlow.js ops.
import { basename } from 'node:path';
import type { Tensor, Tensor2D, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { sha256Of, sha256OfFiles } from '../../../checkpoints/files/digest.ts';
import { largestWeights, readWhole } from '../../../checkpoints/files/inside.ts';
import { sizeOf } from '../../../core/structure.ts';
import type { PixelShape } from '../../../data/types.ts';
import { activationNote, type LoadedModel, type LoadRequest } from '../format.ts';
import { inBatches } from '../in-batches.ts';
import { countNonzeros } from '../model-json.ts';
import type { Call } from './call.ts';
import { rawBytes, readDataFiles } from './external-data.ts';
import { checkGraph, type Graph } from './graph.ts';
import { fitGraphInput } from './input.ts';
import type { NodeRecord, TensorRecord } from './model.ts';
import { decodeModel } from './protobuf.ts';
import { runNode, runNodes } from './run.ts';
import { readStored } from './tensors.ts';
import { tensorOf, type Value } from './values.ts';

/** Arrays of this many numbers at most stay in memory, as the arithmetic of shapes may need them. */
const SMALL = 1024;

export async function loadOnnx({ path, images }: LoadRequest): Promise<LoadedModel> {
  const { graph, weights, file } = await readGraph(path);
  const { model, inputShape, nonzeros, notes, dispose } = onnxClassifier(graph, weights, images?.imageShape ?? null);
  const { classes, activation } = graph;
  return {
    model,
    record: {
      ...file,
      ...nonzeros,
      checkpoint: basename(path).replace(/\.onnx$/i, ''),
      epoch: null,
      step: null,
      flops: null,
    },
    inputShape,
    classes,
    notes: [...(activation === null ? [] : [activationNote({ activation, kept: null })]), ...notes],
    dispose,
  };
}

/** A graph as a function from images to logits. */
interface OnnxClassifier extends Pick<Prepared, 'nonzeros' | 'dispose'> {
  /** Images [batch, height, width, channels], borrowed; the logits belong to the caller. */
  model(images: Tensor4D): Tensor2D;
  readonly inputShape: LoadedModel['inputShape'];
  readonly notes: readonly string[];
}

/** Makes the function. Its weights live until `dispose`. */
export function onnxClassifier(graph: Graph, weights: Weights, imageShape: PixelShape | null): OnnxClassifier {
  const { inputShape, batch, toInput, notes } = fitGraphInput(graph.input, imageShape);
  const { constants, rest, once, nonzeros, dispose } = prepare(graph, weights);
  const { opset, input, output } = graph;
  const run = (pixels: Tensor): Tensor => {
    const known = new Map(constants).set(input.name, toInput(pixels as Tensor4D));
    return tensorOf(runNodes(rest, known, output, { opset, once }));
  };
  const model = (pixels: Tensor4D): Tensor2D => tf.tidy(() => inBatches(batch, pixels, run) as Tensor2D);
  return { model, inputShape, nonzeros, notes, dispose };
}

/** Stored tensors in memory, by name. */
type Weights = ReadonlyMap<string, Value>;

interface ReadGraph {
  readonly graph: Graph;
  readonly weights: Weights;
  readonly file: { readonly sha256: string; readonly bytes: number };
}

/** Reads a model with the files of weights that it names. What it returns keeps none of their bytes. */
async function readGraph(path: string): Promise<ReadGraph> {
  const bytes = await readWhole(path, largestWeights());
  const { graph, initializers } = checkGraph(decodeModel(bytes, path), path);
  const files = await readDataFiles(path, initializers);
  const all = [{ path, bytes }, ...files.values()];
  return {
    graph,
    weights: weightsOf(initializers, files),
    file: {
      sha256: files.size === 0 ? sha256Of(bytes) : sha256OfFiles(all),
      bytes: all.reduce((total, file) => total + file.bytes.length, 0),
    },
  };
}

/** Reads a model that has no files of weights beside it. */
export function decodeOnnx(bytes: Uint8Array, source: string): Pick<ReadGraph, 'graph' | 'weights'> {
  const { graph, initializers } = checkGraph(decodeModel(bytes, source), source);
  return { graph, weights: weightsOf(initializers, new Map()) };
}

const weightsOf = (initializers: readonly TensorRecord[], files: Parameters<typeof rawBytes>[1]): Weights =>
  new Map(initializers.map((tensor) => [tensor.name, readStored(tensor, rawBytes(tensor, files))]));

interface Prepared {
  /** The weights, and what depends on them alone. */
  readonly constants: ReadonlyMap<string, Value>;
  /** The nodes that depend on the images. */
  readonly rest: readonly NodeRecord[];
  readonly once: Call['once'];
  readonly nonzeros: { readonly nonzeros: number; readonly sparsity: number };
  readonly dispose: () => void;
}

/** Computes what does not depend on the images. */
function prepare({ opset, nodes, output }: Graph, weights: Weights): Prepared {
  const owned = new Set<Tensor>();
  const dispose = (): void => {
    tf.dispose([...owned]);
    owned.clear();
  };
  const keep = (tensor: Tensor): Tensor => {
    owned.add(tf.keep(tensor));
    return tensor;
  };
  const derived = new Map<Value, Map<string, Tensor>>();
  const constants = new Map<string, Value>();
  const constantValues = new Set<Value>();
  const once: Call['once'] = (weights, purpose, make) => {
    if (!constantValues.has(weights)) return make();
    const made = derived.get(weights) ?? new Map<string, Tensor>();
    derived.set(weights, made);
    const tensor = made.get(purpose) ?? keep(tf.tidy(make));
    made.set(purpose, tensor);
    return tensor;
  };
  /** Small arrays are kept in memory and on the backend, large ones in one place. */
  const settle = (value: Value): Value => {
    if (value.type !== 'float' && value.tensor === null) return value;
    const small = sizeOf(value.shape) <= SMALL;
    const tensor = keep(tf.tidy(() => tf.clone(tensorOf(value))));
    const numbers = small ? (value.numbers ?? (tensor.dataSync() as Float32Array | Uint8Array)) : null;
    return { ...value, numbers, tensor, channelsLast: false };
  };
  const add = (name: string, value: Value): void => {
    const settled = settle(value);
    constants.set(name, settled);
    constantValues.add(settled);
  };
  try {
    for (const [name, value] of weights) add(name, value);
    const nonzeros = countNonzeros(
      [...constants.values()].flatMap(({ tensor }) => (tensor !== null && tensor.rank >= 2 ? [tensor] : [])),
    );
    const rest: NodeRecord[] = [];
    for (const node of nodes) {
      const isConstant = node.inputs.every((name) => name === '' || constants.has(name));
      if (!isConstant) {
        rest.push(node);
        continue;
      }
      tf.tidy(() => {
        const outputs = runNode(node, constants, { opset, isConstant: true, once });
        node.outputs.forEach((name, i) => {
          if (name !== '' && outputs[i] !== undefined) add(name, outputs[i]);
        });
      });
    }
    const needed = new Set([...rest.flatMap(({ inputs }) => inputs), output]);
    for (const [name, value] of constants) {
      if (needed.has(name)) continue;
      constants.delete(name);
      if (value.tensor !== null) {
        owned.delete(value.tensor);
        value.tensor.dispose();
      }
    }
    return { constants, rest, once, nonzeros, dispose };
  } catch (error) {
    dispose();
    throw error;
  }
}
