// Writes and reads networks as LayersModels of TensorFlow.js.
import { isDeepStrictEqual } from 'node:util';
import type { io } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import type { LayersModel, SymbolicTensor } from '@tensorflow/tfjs-layers';
import { InputError } from '../../core/errors.ts';
import { shellCommand } from '../../core/shell.ts';
import { sizeOf } from '../../core/structure.ts';
import { type Declared, parametersOf, statisticsOf } from '../../models/inspect.ts';
import { buildModel } from '../../models/models.ts';
import { BATCH_NORM_EPSILON, BATCH_NORM_MOMENTUM, type Layer, type Program } from '../../ops/network.ts';
import { type Network, parseRecord } from './network.ts';
import type { SavedModel } from './saved-model.ts';

/*
 * A LayersModel of TensorFlow.js: `model.json` with layers of Keras, and `weights.bin`. Padding is explicit, since Keras
 * pads strided convolutions on one side only. `userDefinedMetadata` hold what brings the very checkpoint back.
 */

export const WEIGHTS_FILE = 'weights.bin';

type Layers = typeof import('@tensorflow/tfjs-layers');

/** @throws InputError if TensorFlow.js's layers are not installed */
export async function loadLayers(): Promise<Layers> {
  try {
    return await import('@tensorflow/tfjs-layers');
  } catch (error) {
    throw new InputError(
      `A LayersModel needs TensorFlow.js's layers. Install them with: npm install @tensorflow/tfjs-layers@${tf.version_core}`,
      { cause: error },
    );
  }
}

/** The name of a tensor of ours in a LayersModel: that of its layer and what Keras calls it. */
const keyOf = (name: string): string => {
  const dot = name.lastIndexOf('.');
  return `${name.slice(0, dot)}/${name.slice(dot + 1)}`;
};

/** The layer that normalises images. */
const NORMALIZATION = 'normalize';

/** The values of its weights by their names; none where images go in as they are. */
function normalizationOf({ normalize }: Network['record']['model']): Readonly<Record<string, readonly number[]>> {
  if (normalize === undefined) return {};
  const { mean, std } = normalize;
  return {
    [`${NORMALIZATION}/gamma`]: mean.map(() => 1),
    [`${NORMALIZATION}/beta`]: mean.map(() => 0),
    [`${NORMALIZATION}/moving_mean`]: mean,
    [`${NORMALIZATION}/moving_variance`]: std.map((value) => value * value),
  };
}

/** The network as a LayersModel, which the caller disposes. */
export async function layersModelOf({ record, values }: Network): Promise<LayersModel> {
  const layers = await loadLayers();
  const program = buildModel(record.model.name, record.model);
  const model = assemble(layers, program);
  const normalization = normalizationOf(record.model);
  const declared = new Map([...parametersOf(program), ...statisticsOf(program)].map((one) => [keyOf(one.name), one]));
  for (const layer of model.layers) {
    const tensors = layer.weights.map(({ originalName }) => {
      if (originalName in normalization) return tf.tensor1d([...normalization[originalName]]);
      const { name, shape } = declared.get(originalName) as Declared;
      return tf.tensor(values[name], [...shape]);
    });
    layer.setWeights(tensors);
    tf.dispose(tensors);
  }
  return model;
}

/** The layers of a program as Keras has them, with weights of 0. */
function assemble({ layers, input, model }: Layers, { inputShape, layers: records }: Program): LayersModel {
  let count = 0;
  const unnamed = (kind: string): { readonly name: string } => {
    count++;
    return { name: `${kind}_${count}` };
  };
  const run = (list: readonly Layer[], x: SymbolicTensor): SymbolicTensor =>
    list.reduce((value, layer) => add(layer, value), x);
  const add = (layer: Layer, x: SymbolicTensor): SymbolicTensor => {
    const zeros = { kernelInitializer: 'zeros', biasInitializer: 'zeros' } as const;
    switch (layer.kind) {
      case 'normalize': {
        // 1 · (x − mean) / √(std² + 0) + 0: batch norm that neither learns nor moves. Without its scale tfjs finds no gradient.
        const norm = layers.batchNormalization({ name: NORMALIZATION, epsilon: 0 });
        norm.trainable = false;
        return norm.apply(x) as SymbolicTensor;
      }
      case 'conv': {
        const { name, size, stride, padding, filters, bias } = layer;
        const padded =
          padding === 0
            ? x
            : (layers.zeroPadding2d({ ...unnamed('padding'), padding: [padding, padding] }).apply(x) as SymbolicTensor);
        const convolution = {
          name,
          filters,
          kernelSize: size,
          strides: stride,
          padding: 'valid',
          useBias: bias,
          ...zeros,
        };
        return layers.conv2d(convolution as Parameters<typeof layers.conv2d>[0]).apply(padded) as SymbolicTensor;
      }
      case 'dense':
        return layers
          .dense({ name: layer.name, units: layer.units, useBias: layer.bias, ...zeros })
          .apply(x) as SymbolicTensor;
      case 'batchNorm': {
        const momentum = 1 - BATCH_NORM_MOMENTUM;
        const norm = layers.batchNormalization({ name: layer.name, epsilon: BATCH_NORM_EPSILON, momentum });
        return norm.apply(x) as SymbolicTensor;
      }
      case 'relu':
        return layers.reLU(unnamed('relu')).apply(x) as SymbolicTensor;
      case 'maxPool':
        return layers
          .maxPooling2d({ ...unnamed('max_pooling'), poolSize: layer.size, strides: layer.size, padding: 'valid' })
          .apply(x) as SymbolicTensor;
      case 'globalAveragePool':
        return layers.globalAveragePooling2d(unnamed('global_average_pooling')).apply(x) as SymbolicTensor;
      case 'flatten':
        return layers.flatten(unnamed('flatten')).apply(x) as SymbolicTensor;
      case 'residual':
        return layers.add(unnamed('add')).apply([run(layer.body, x), run(layer.shortcut, x)]) as SymbolicTensor;
      default:
        return layer satisfies never;
    }
  };
  const images = input({ shape: [...inputShape], name: 'images' });
  return model({ inputs: images, outputs: run(records, images), name: 'equipoise' });
}

export interface LayersFiles {
  readonly modelJson: string;
  readonly weights: Uint8Array;
}

/** The two files of a network as a LayersModel; equal networks give equal bytes. */
export async function encodeLayers(network: Network): Promise<LayersFiles> {
  const model = await layersModelOf(network);
  try {
    let artifacts: io.ModelArtifacts | undefined;
    await model.save(
      tf.io.withSaveHandler(async (made) => {
        artifacts = made;
        return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: 'JSON' } };
      }),
    );
    const { modelTopology, weightSpecs = [], weightData, format, generatedBy } = artifacts as io.ModelArtifacts;
    return {
      modelJson: JSON.stringify({
        format,
        generatedBy,
        convertedBy: null,
        modelTopology,
        weightsManifest: [{ paths: [WEIGHTS_FILE], weights: weightSpecs }],
        userDefinedMetadata: { equipoise_network: network.record },
      }),
      weights: new Uint8Array(tf.io.CompositeArrayBuffer.join(weightData)),
    };
  } finally {
    model.dispose();
  }
}

/**
 * The network that a LayersModel holds; it has to be one that was exported, with the layers that it was exported with.
 *
 * @param source what messages call the model
 * @throws InputError if it is another model, its layers were changed, or the weights are not those of the network
 */
export async function decodeLayers(saved: SavedModel, source: string): Promise<Network> {
  const { weightSpecs, weightData, json } = saved;
  const named = json.userDefinedMetadata?.equipoise_network;
  if (named === undefined) {
    throw new InputError(
      `${source} is a LayersModel that Equipoise did not export, so its layers belong to no network here. It can be evaluated as it is: ${shellCommand('equipoise', 'evaluate', source)}`,
    );
  }
  const record = parseRecord(named, source);
  const program = buildModel(record.model.name, record.model);
  const found = new Map<string, { shape: readonly number[]; data: Float32Array<ArrayBuffer> }>();
  let start = 0;
  for (const { name, shape, dtype, quantization } of weightSpecs) {
    if (dtype !== 'float32' || quantization !== undefined) {
      throw new InputError(
        `${source} has ${name} as ${quantization?.dtype ?? dtype}; expected float32, as it was exported. Export it again.`,
      );
    }
    const end = start + 4 * sizeOf(shape);
    found.set(name, { shape, data: new Float32Array(weightData.slice(start, end).buffer) });
    start = end;
  }
  const normalization = normalizationOf(record.model);
  const declared = [...parametersOf(program), ...statisticsOf(program)];
  const known = new Set([...declared.map(({ name }) => keyOf(name)), ...Object.keys(normalization)]);
  const strange = [...found.keys()].find((name) => !known.has(name));
  if (strange !== undefined) {
    throw new InputError(`${source} has a weight ${strange}, which ${record.model.name} does not have.`);
  }
  const values = Object.fromEntries(
    declared.map(({ name, shape }) => {
      const stored = found.get(keyOf(name));
      if (stored === undefined || String(stored.shape) !== String(shape)) {
        throw new InputError(
          `${source} has ${stored ? `${keyOf(name)} [${stored.shape}]` : `no ${keyOf(name)}`}; ${record.model.name} needs [${shape}].`,
        );
      }
      return [name, stored.data];
    }),
  );
  const network = { record, values };
  const changed = Object.keys(normalization).find(
    (name) => !isDeepStrictEqual(found.get(name)?.data, Float32Array.from(normalization[name])),
  );
  if (changed !== undefined) throw changedAfterExport(source, `its weight ${changed}`);
  const { modelTopology } = JSON.parse((await encodeLayers(network)).modelJson);
  const [expected, got] = [modelTopology, saved.topology].map(graphOf);
  if (!isDeepStrictEqual(got, expected)) throw changedAfterExport(source, 'a layer');
  return network;
}

/** The layers of a topology, and how they are connected. */
function graphOf({ config }: { readonly config?: unknown }): readonly unknown[] {
  const { layers, input_layers: inputs, output_layers: outputs } = (config ?? {}) as Readonly<Record<string, unknown>>;
  return [layers, inputs, outputs];
}

const changedAfterExport = (source: string, what: string): InputError =>
  new InputError(
    `${source} was changed after it was exported: ${what} is not that of the network that its metadata name, and a checkpoint holds no other. It can be evaluated as it is: ${shellCommand('equipoise', 'evaluate', source)}`,
  );
