// Small networks that together have every kind of layer, and how they are compared between backends.
import type { Tensor, Tensor1D, Tensor2D, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { foldIn, type Key, normal, sample, seedKey, uniform } from '../../src/core/key.ts';
import { isSparse, type Params, type Tensors, trainables, withTrainables } from '../../src/core/params.ts';
import { sizeOf, structure } from '../../src/core/structure.ts';
import { registerEngine } from '../../src/engine/index.ts';
import { type ImageShape, type Layer, outputShape, type Program, runNetwork } from '../../src/ops/network.ts';

const conv = (name: string, inputs: number, filters: number, options: Partial<Extract<Layer, { kind: 'conv' }>> = {}) =>
  ({ kind: 'conv', name, inputs, filters, size: 3, stride: 1, padding: 1, bias: false, ...options }) as const;
const norm = (name: string, channels: number) => ({ kind: 'batchNorm', name, channels }) as const;
const dense = (name: string, inputs: number, units: number, bias = true) =>
  ({ kind: 'dense', name, inputs, units, bias }) as const;
const relu = { kind: 'relu' } as const;
const pool = (size: number) => ({ kind: 'maxPool', size }) as const;
const flatten = { kind: 'flatten' } as const;
const average = { kind: 'globalAveragePool' } as const;

/** Small networks that together meet every kind of layer and fusion. */
export const programs: Readonly<Record<string, Program>> = {
  vgg: {
    inputShape: [8, 8, 3],
    classes: 5,
    layers: [
      { kind: 'normalize', mean: [0.4, 0.5, 0.6], std: [0.2, 0.3, 0.25] },
      ...[conv('first', 3, 6), norm('first.norm', 6), relu, pool(2)],
      ...[conv('second', 6, 8), norm('second.norm', 8), relu, conv('third', 8, 7, { bias: true }), relu, pool(2)],
      ...[flatten, dense('hidden', 28, 9), relu, dense('head', 9, 5)],
    ],
  },
  'odd sizes, 5×5 and strided': {
    inputShape: [7, 9, 2],
    classes: 3,
    layers: [
      ...[conv('first', 2, 5, { size: 5, stride: 2, padding: 2, bias: true }), relu],
      ...[conv('second', 5, 4, { padding: 0, bias: true }), pool(2), relu, flatten, dense('head', 4, 3)],
    ],
  },
  'pooling with a remainder': {
    inputShape: [7, 10, 2],
    classes: 2,
    layers: [conv('first', 2, 3, { size: 1, padding: 0 }), norm('norm', 3), pool(3), flatten, dense('head', 18, 2)],
  },
  resnet: {
    inputShape: [8, 8, 3],
    classes: 4,
    layers: [
      ...[conv('stem', 3, 4), norm('stem.norm', 4), relu],
      {
        kind: 'residual',
        body: [...[conv('a', 4, 6, { stride: 2 }), norm('a.norm', 6), relu], ...[conv('b', 6, 6), norm('b.norm', 6)]],
        shortcut: [conv('short', 4, 6, { size: 1, stride: 2, padding: 0 }), norm('short.norm', 6)],
      },
      relu,
      {
        kind: 'residual',
        body: [conv('c', 6, 6), norm('c.norm', 6), relu, conv('d', 6, 6), norm('d.norm', 6)],
        shortcut: [],
      },
      ...[relu, average, dense('head', 6, 4)],
    ],
  },
  'residual before activation': {
    inputShape: [8, 8, 3],
    classes: 4,
    layers: [
      conv('stem', 3, 4),
      {
        kind: 'residual',
        body: [norm('n1', 4), relu, conv('a', 4, 4), norm('n2', 4), relu, conv('b', 4, 4)],
        shortcut: [],
      },
      ...[norm('last', 4), relu, average, dense('head', 4, 4)],
    ],
  },
  'what batch norm makes, read by poolings and planes': {
    inputShape: [16, 16, 2],
    classes: 3,
    layers: [
      ...[conv('first', 2, 5), norm('n1', 5), pool(2), conv('second', 5, 6, { bias: true }), relu, norm('n2', 6), relu],
      ...[conv('third', 6, 7, { stride: 2 }), norm('n3', 7), relu],
      { kind: 'residual', body: [conv('fourth', 7, 7), norm('n4', 7)], shortcut: [] },
      ...[relu, pool(2), conv('fifth', 7, 4), norm('n5', 4), relu, average],
      dense('head', 4, 3),
    ],
  },
  'blocks that get smaller, and a sum of both': {
    inputShape: [6, 6, 2],
    classes: 3,
    layers: [
      ...[conv('first', 2, 4), relu, conv('second', 4, 5, { stride: 2, padding: 0 }), norm('n2', 5), relu],
      { kind: 'residual', body: [conv('third', 5, 5), norm('n3', 5), relu, conv('fourth', 5, 5)], shortcut: [] },
      ...[relu, { kind: 'residual', body: [conv('fifth', 5, 5), norm('n5', 5)], shortcut: [] } as const],
      ...[relu, flatten, dense('head', 20, 3)],
    ],
  },
  mlp: {
    inputShape: [5, 5, 1],
    classes: 4,
    layers: [flatten, dense('hidden', 25, 11, false), norm('norm', 11), relu, dense('head', 11, 4)],
  },
};

const convolutions = fc.record({
  kind: fc.constant('conv' as const),
  size: fc.constantFrom(1, 3, 5),
  stride: fc.constantFrom(1, 1, 2),
  padded: fc.boolean(),
  filters: fc.integer({ min: 1, max: 7 }),
  ...{ bias: fc.boolean(), norm: fc.boolean(), relu: fc.boolean() },
});
const poolings = fc.record({ kind: fc.constant('pool' as const), size: fc.constantFrom(2, 3) });
const residuals = fc.record({
  kind: fc.constant('residual' as const),
  strided: fc.boolean(),
  filters: fc.integer({ min: 1, max: 7 }),
  ...{ first: fc.boolean(), relu: fc.boolean() },
});
const anyPart = fc.oneof(convolutions, residuals, poolings);
type Part = typeof anyPart extends fc.Arbitrary<infer T> ? T : never;

/** The layers of one part of a random network whose images have `channels` there, named after its place. */
function layersOf(part: Part, place: number, channels: number): readonly Layer[] {
  if (part.kind === 'pool') return [pool(part.size)];
  const name = (what: string): string => `${what}${place}`;
  const { filters } = part;
  const last = part.relu ? [relu] : [];
  if (part.kind === 'conv') {
    const { size, stride, bias } = part;
    const padding = part.padded ? (size - 1) / 2 : 0;
    const middle = part.norm ? [norm(name('norm'), filters)] : [];
    return [conv(name('conv'), channels, filters, { size, stride, padding, bias }), ...middle, ...last];
  }
  const stride = part.strided ? 2 : 1;
  const changes = part.strided || filters !== channels;
  const before = part.first ? [norm(name('before'), channels), relu] : [];
  const body = [
    ...[...before, conv(name('a'), channels, filters, { stride }), norm(name('between'), filters), relu],
    conv(name('b'), filters, filters),
  ];
  const shortcut = changes ? [conv(name('short'), channels, filters, { size: 1, stride, padding: 0 })] : [];
  return [{ kind: 'residual', body, shortcut }, ...last];
}

/** Small networks of any layers that fit their images. */
export const anyProgram: fc.Arbitrary<Program> = fc
  .record({
    height: fc.integer({ min: 1, max: 12 }),
    width: fc.integer({ min: 1, max: 16 }),
    channels: fc.integer({ min: 1, max: 3 }),
    parts: fc.array(anyPart, { minLength: 1, maxLength: 6 }),
    averaged: fc.boolean(),
  })
  .map(({ height, width, channels, parts, averaged }) => {
    const inputShape = [height, width, channels] as const;
    const layers: Layer[] = [conv('first', channels, 4), relu];
    let shape: ImageShape = [height, width, 4];
    parts.forEach((part, place) => {
      const smallest = part.kind === 'conv' && part.padded ? 1 : part.kind === 'residual' ? 1 : part.size;
      if (Math.min(shape[0], shape[1]) < smallest) return;
      const added = layersOf(part, place, shape[2]);
      layers.push(...added);
      shape = added.reduce<ImageShape>((before, layer) => outputShape(layer, before), shape);
    });
    const inputs = averaged ? shape[2] : sizeOf(shape);
    return { inputShape, classes: 3, layers: [...layers, averaged ? average : flatten, dense('head', inputs, 3)] };
  });

export interface Arrays {
  readonly [name: string]: Float32Array;
}

function* flat(layers: readonly Layer[]): Generator<Layer> {
  for (const layer of layers) {
    if (layer.kind === 'residual') {
      yield* flat(layer.body);
      yield* flat(layer.shortcut);
    } else {
      yield layer;
    }
  }
}

/** Makes parameters and statistics on the current backend; `density` of each kernel but the first; dense ones are plain tensors. */
export function weightsOf(program: Program, key: Key, density: number): { params: Params; state: Tensors } {
  const params: Record<string, Params[string]> = {};
  const state: Record<string, Tensor> = {};
  let first = true;
  for (const layer of flat(program.layers)) {
    if (layer.kind === 'conv' || layer.kind === 'dense') {
      const shape =
        layer.kind === 'conv' ? [layer.size, layer.size, layer.inputs, layer.filters] : [layer.inputs, layer.units];
      const size = sizeOf(shape);
      const outputs = shape[shape.length - 1];
      const scale = Math.sqrt(outputs / size / Math.max(0.2, first ? 1 : density));
      const values = (count: number) => normal(foldIn(key, layer.name), count).map((value) => scale * value);
      if (first || density === 1) {
        params[`${layer.name}.kernel`] = tf.tensor(values(size), shape);
      } else {
        const positions = sample(foldIn(key, `${layer.name}/mask`), Math.round(density * size), size);
        params[`${layer.name}.kernel`] = {
          structure: structure(shape, positions),
          values: tf.tensor1d(values(positions.length)),
        };
      }
      if (layer.bias)
        params[`${layer.name}.bias`] = tf.tensor1d(uniform(foldIn(key, `${layer.name}/b`), outputs, -0.5, 0.5));
      first = false;
    }
    if (layer.kind === 'batchNorm') {
      const numbers = (name: string, low: number, high: number) =>
        tf.tensor1d(uniform(foldIn(key, `${layer.name}/${name}`), layer.channels, low, high));
      params[`${layer.name}.gamma`] = numbers('gamma', 0.5, 1.5);
      params[`${layer.name}.beta`] = numbers('beta', -0.5, 0.5);
      state[`${layer.name}.moving_mean`] = numbers('mean', -0.5, 0.5);
      state[`${layer.name}.moving_variance`] = numbers('variance', 0.5, 1.5);
    }
  }
  return { params, state };
}

export interface Everything {
  readonly batch: number;
  readonly training: boolean;
  readonly density?: number;
  /** The images that run; all by default. */
  readonly rows?: number[];
  /** True if dense gradients are asked for beside those of the nonzeros; they take another way through the engine. */
  readonly probing?: boolean;
}

/** Everything that a network gives on the current backend: logits, statistics, and all gradients. */
export function everything(
  program: Program,
  { batch, training, density = 0.4, rows, probing = true }: Everything,
): Arrays {
  const key = seedKey('engine networks');
  const results: Record<string, Float32Array> = {};
  const read = (name: string, tensor: Tensor) => {
    results[name] = tensor.dataSync() as Float32Array;
  };
  tf.tidy(() => {
    const { params, state } = weightsOf(program, key, density);
    const shape = [batch, ...program.inputShape] as [number, number, number, number];
    let images: Tensor4D = tf.tensor4d(uniform(foldIn(key, 'images'), sizeOf(shape)), shape);
    let weights: Tensor2D = tf.tensor2d(normal(foldIn(key, 'loss'), batch * program.classes), [batch, program.classes]);
    if (rows) [images, weights] = [tf.gather(images, rows), tf.gather(weights, rows)];
    const loss = (logits: Tensor) => tf.sum(tf.mul(logits, weights)) as Tensor1D;

    const { logits, state: after } = runNetwork(program, params, state, images, { training });
    read('logits', logits);
    if (training) for (const [name, tensor] of Object.entries(after)) read(name, tensor);
    read(
      'images',
      tf.grad((x: Tensor) => loss(runNetwork(program, params, state, x as Tensor4D, { training }).logits))(images),
    );

    const names = Object.keys(params);
    const tensors = trainables(params);
    const probes: Record<string, Tensor> = {};
    for (const name of names) {
      const param = params[name];
      if (probing && isSparse(param)) probes[name] = tf.zeros([...param.structure.shape]);
    }
    const probeNames = Object.keys(probes);
    const gradients = tf.grads((...given: Tensor[]) => {
      const moved = Object.fromEntries(names.map((name, i) => [name, given[i]]));
      const probed = Object.fromEntries(probeNames.map((name, i) => [name, given[names.length + i]]));
      const options = { training, probes: probed };
      return loss(runNetwork(program, withTrainables(params, moved), state, images, options).logits);
    })([...names.map((name) => tensors[name]), ...probeNames.map((name) => probes[name])]);
    names.forEach((name, i) => {
      read(`gradient of ${name}`, gradients[i]);
    });
    probeNames.forEach((name, i) => {
      read(`dense gradient of ${name}`, gradients[names.length + i]);
    });
  });
  return results;
}

/** What `run` gives on a backend, the engine with so many threads. */
export async function on(backend: 'cpu' | 'equipoise', threads: number, run: () => Arrays): Promise<Arrays> {
  await registerEngine({ threads });
  await tf.setBackend(backend);
  return run();
}

/** Relative l2 distance. */
export const difference = (a: Float32Array, b: Float32Array): number => {
  const squares = (f: (i: number) => number) => b.reduce((sum, _, i) => sum + f(i) ** 2, 0);
  return Math.sqrt(squares((i) => a[i] - b[i]) / (squares((i) => b[i]) + 1e-12));
};
