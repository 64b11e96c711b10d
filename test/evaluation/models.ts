// Model files of several formats for tests.
import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs-core';
import { type LayersModel, layers, sequential } from '@tensorflow/tfjs-layers';
import type { Squashing } from '../../attacks/models/final-activation.ts';
import { foldIn, normal, seedKey } from '../../src/core/key.ts';
import { sizeOf } from '../../src/core/structure.ts';
import type { Dataset } from '../../src/data/types.ts';
import { golden, toTensor } from '../golden.ts';

const foreign = (file: string): string =>
  fileURLToPath(new URL(`../../../test/evaluation/foreign/${file}`, import.meta.url));

/** A network of the golden vectors, or the pre-activation ResNet, as PyTorch saved it. */
export const pytorchFile = (network: string): string => foreign(`${network}.safetensors`);

/** PyTorch's logits of such a network for the golden images; owned by the caller. */
export function pytorchLogits(network: string): tf.Tensor {
  if (network !== 'preactresnet18') return goldenTensor(`${network}.torch.eval.logits`);
  return tf.tensor2d(JSON.parse(readFileSync(foreign(`${network}.json`), 'utf8')).logits);
}

/** Runs `use` with a new folder, then removes it. */
export async function withFolder<Result>(use: (folder: string) => Promise<Result>): Promise<Result> {
  const folder = await mkdtemp(join(tmpdir(), 'equipoise-'));
  try {
    return await use(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** The golden vectors' eight CIFAR images as a data set. */
export function goldenImages(): Dataset {
  const { tensors } = golden('models');
  const images = Uint8Array.from(tensors.images.data as ArrayLike<number>);
  const labels = Uint8Array.from(tensors.labels.data as ArrayLike<number>);
  return {
    name: 'cifar10',
    classes: Array.from({ length: 10 }, (_, i) => String(i)),
    imageShape: [32, 32, 3],
    train: { count: 8, images, labels },
    test: { count: 8, images, labels },
    sha256: 'golden',
    official: false,
  };
}

export const goldenTensor = (name: string) => toTensor(golden('models').tensors[name]);

/** Writes a model as `model.save` does: model.json, and its weights in two files. */
export async function saveLayersModel(model: LayersModel, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  await model.save(
    tf.io.withSaveHandler(async (artifacts) => {
      await writeModel(folder, artifacts);
      return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: 'JSON' } };
    }),
  );
}

/** model.json and its weights in two files. */
export async function writeModel(folder: string, artifacts: tf.io.ModelArtifacts): Promise<void> {
  const bytes = new Uint8Array(artifacts.weightData as ArrayBuffer);
  const half = Math.floor(bytes.length / 2);
  const paths = ['group1-shard1of2.bin', 'group1-shard2of2.bin'];
  await writeFile(join(folder, paths[0]), bytes.subarray(0, half));
  await writeFile(join(folder, paths[1]), bytes.subarray(half));
  const { weightData: _, weightSpecs, ...rest } = artifacts;
  await writeFile(
    join(folder, 'model.json'),
    JSON.stringify({ ...rest, weightsManifest: [{ paths, weights: weightSpecs }] }),
  );
}

/** Weights by name, ~ N(0, 1/4). */
const weightsOf = (shape: readonly number[], name: string): Float32Array =>
  normal(foldIn(seedKey(9), name), sizeOf(shape)).map((value) => value / 2);

/** A small convolutional LayersModel with batch norm, built the same way every time. */
export function smallLayersModel({ ending, inputShape }: { ending?: Squashing; inputShape: number[] }): LayersModel {
  const model = sequential({
    layers: [
      layers.conv2d({ inputShape, filters: 4, kernelSize: 3, strides: 2, padding: 'same', name: 'conv' }),
      layers.batchNormalization({ name: 'bn' }),
      layers.activation({ activation: 'relu' }),
      layers.flatten(),
      layers.dense({ units: 2, name: 'out', ...(ending ? { activation: ending } : {}) }),
    ],
  });
  const weights = model.weights.map(({ originalName, shape }) => {
    const values = weightsOf(shape as number[], originalName);
    return tf.tensor(
      originalName.includes('variance') ? values.map((value) => 1 + value ** 2) : values,
      shape as number[],
    );
  });
  model.setWeights(weights);
  tf.dispose(weights);
  return model;
}

/** A LayersModel whose two outputs are the brightness of the left and of the right half. */
export function halvesLayersModel(): LayersModel {
  const model = sequential({
    layers: [layers.flatten({ inputShape: [4, 4, 1] }), layers.dense({ units: 2, activation: 'softmax' })],
  });
  const kernel = Float32Array.from({ length: 32 }, (_, i) => ((i >> 1) % 4 < 2 === (i % 2 === 0) ? 1 : 0));
  const weights = [tf.tensor2d(kernel, [16, 2]), tf.zeros([2])];
  model.setWeights(weights);
  tf.dispose(weights);
  return model;
}

interface Node {
  readonly name: string;
  readonly op: string;
  readonly input?: readonly string[];
  readonly attr?: Readonly<Record<string, unknown>>;
}

const OPS: Readonly<Record<Squashing, string>> = { softmax: 'Softmax', sigmoid: 'Sigmoid' };

/** Base64, as the converter writes texts. */
const text = (value: string): string => Buffer.from(value).toString('base64');
const float = { type: 'DT_FLOAT' };
const sizes = (shape: readonly number[]) => ({ shape: { dim: shape.map((size) => ({ size: String(size) })) } });

/**
 * The graph that the converter makes of a small convolutional network: input, convolution, bias, ReLU, mean over height and
 * width, matrix product, bias, and a softmax or sigmoid with an identity behind it.
 *
 * @param batch how many images it takes; default any
 * @param fused has convolution and bias in one node
 * @param bytes takes images of bytes, which it casts to floats
 */
export async function saveGraphModel(
  folder: string,
  {
    ending,
    batch = -1,
    fused = false,
    bytes = false,
  }: { ending?: Squashing; batch?: number; fused?: boolean; bytes?: boolean } = {},
): Promise<void> {
  await mkdir(folder, { recursive: true });
  const weights: readonly (readonly [string, readonly number[], 'float32' | 'int32', ArrayLike<number>])[] = [
    ['conv/kernel', [3, 3, 1, 4], 'float32', weightsOf([3, 3, 1, 4], 'kernel')],
    ['conv/bias', [4], 'float32', weightsOf([4], 'bias')],
    ['axes', [2], 'int32', [1, 2]],
    ['dense/kernel', [4, 2], 'float32', weightsOf([4, 2], 'dense')],
    ['dense/bias', [2], 'float32', weightsOf([2], 'dense bias')],
  ];
  const constants = weights.map(
    ([name, shape, dtype]): Node => ({
      name,
      op: 'Const',
      attr: {
        dtype: { type: dtype === 'float32' ? 'DT_FLOAT' : 'DT_INT32' },
        value: { tensor: { dtype: dtype === 'float32' ? 'DT_FLOAT' : 'DT_INT32', tensorShape: sizes(shape).shape } },
      },
    }),
  );
  const nodes: Node[] = [
    {
      name: 'image',
      op: 'Placeholder',
      attr: { dtype: bytes ? { type: 'DT_UINT8' } : float, ...{ shape: sizes([batch, 4, 4, 1]) } },
    },
    ...(bytes
      ? [{ name: 'floats', op: 'Cast', input: ['image'], attr: { SrcT: { type: 'DT_UINT8' }, DstT: float } }]
      : []),
    ...constants,
    {
      name: fused ? 'conv/BiasAdd' : 'conv/Conv2D',
      op: fused ? '_FusedConv2D' : 'Conv2D',
      input: [bytes ? 'floats' : 'image', 'conv/kernel', ...(fused ? ['conv/bias'] : [])],
      attr: {
        ...(fused ? { fused_ops: { list: { s: [text('BiasAdd')] } }, num_args: { i: '1' }, epsilon: { f: 0 } } : {}),
        T: float,
        strides: { list: { i: ['1', '1', '1', '1'] } },
        dilations: { list: { i: ['1', '1', '1', '1'] } },
        padding: { s: text('SAME') },
        data_format: { s: text('NHWC') },
        use_cudnn_on_gpu: { b: true },
        explicit_paddings: { list: {} },
      },
    },
    ...(fused
      ? []
      : [{ name: 'conv/BiasAdd', op: 'BiasAdd', input: ['conv/Conv2D', 'conv/bias'], attr: { T: float } }]),
    { name: 'relu', op: 'Relu', input: ['conv/BiasAdd'], attr: { T: float } },
    { name: 'mean', op: 'Mean', input: ['relu', 'axes'], attr: { keep_dims: { b: false }, T: float } },
    {
      name: 'dense/MatMul',
      op: 'MatMul',
      input: ['mean', 'dense/kernel'],
      attr: { transpose_a: { b: false }, transpose_b: { b: false }, T: float },
    },
    { name: 'dense/BiasAdd', op: 'BiasAdd', input: ['dense/MatMul', 'dense/bias'], attr: { T: float } },
    ...(ending ? [{ name: ending, op: OPS[ending], input: ['dense/BiasAdd'], attr: { T: float } }] : []),
    { name: 'Identity', op: 'Identity', input: [ending ?? 'dense/BiasAdd'], attr: { T: float } },
  ];
  const data = Buffer.concat(
    weights.map(([, , dtype, values]) =>
      Buffer.from(dtype === 'float32' ? Float32Array.from(values).buffer : Int32Array.from(values).buffer),
    ),
  );
  await writeModel(folder, {
    format: 'graph-model',
    generatedBy: '2.15.0',
    convertedBy: 'TensorFlow.js Converter v4.22.0',
    signature: {
      inputs: {
        image: { name: 'image:0', dtype: bytes ? 'DT_UINT8' : 'DT_FLOAT', tensorShape: sizes([batch, 4, 4, 1]).shape },
      },
      outputs: { output: { name: 'Identity:0', dtype: 'DT_FLOAT', tensorShape: sizes([-1, 2]).shape } },
    },
    modelTopology: { node: nodes, library: {}, versions: { producer: 1575 } },
    weightSpecs: weights.map(([name, shape, dtype]) => ({ name, shape: [...shape], dtype })),
    weightData: new Uint8Array(data).buffer,
  });
}

/** The logits of `saveGraphModel`'s network, by plain ops. */
export const graphLogits = (images: tf.Tensor4D): tf.Tensor2D =>
  tf.tidy(() => {
    const kernel = tf.tensor4d(weightsOf([3, 3, 1, 4], 'kernel'), [3, 3, 1, 4]);
    const activated = tf.relu(tf.add(tf.conv2d(images, kernel, 1, 'same'), tf.tensor1d(weightsOf([4], 'bias'))));
    const product = tf.matMul(
      tf.mean(activated, [1, 2]) as tf.Tensor2D,
      tf.tensor2d(weightsOf([4, 2], 'dense'), [4, 2]),
    );
    return tf.add(product, tf.tensor1d(weightsOf([2], 'dense bias')));
  });
