import type { Tensor, Tensor1D, Tensor2D, Tensor3D, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { engineInfo, registerEngine } from '../../src/engine/index.ts';
import { expectSame, forgetStructures, numbers, withGradients } from './same.ts';

type Shape4D = [number, number, number, number];
const IMAGES: Shape4D = [2, 6, 5, 4];
const image = (): Tensor4D => tf.tensor4d(numbers('image', IMAGES), IMAGES);
const filter = (...shape: number[]): Tensor4D => tf.tensor<tf.Rank.R4>(numbers('filter', shape), shape as Shape4D);
/** tfjs's gradient of resizeBilinear confuses rows and columns. */
const square = (x: Tensor4D): Tensor4D => tf.slice(x, [0, 0, 0, 0], [2, 5, 5, 4]);
const vector = (name: string): Tensor1D => tf.tensor1d(numbers(name, [4]));

/**
 * What layers models and graph models of image classifiers are made of, of an image [2, 6, 5, 4]: those that have a kernel
 * of the engine's and those that run the reference kernel on its tensors.
 */
const DIFFERENTIABLE: Readonly<Record<string, (x: Tensor4D) => Tensor>> = {
  conv2d: (x) => tf.conv2d(x, filter(3, 3, 4, 5), 2, 'same'),
  'conv2d of 1×1': (x) => tf.conv2d(x, filter(1, 1, 4, 9), 1, 'valid'),
  'conv2d with explicit padding': (x) =>
    tf.conv2d(
      x,
      filter(3, 3, 4, 5),
      [2, 1],
      [
        [0, 0],
        [1, 2],
        [0, 1],
        [0, 0],
      ],
    ),
  conv2dTranspose: (x) => tf.conv2dTranspose(x, filter(3, 3, 5, 4), [2, 12, 10, 5], 2, 'same'),
  conv1d: (x) => tf.conv1d(tf.reshape(x, [2, 30, 4]) as Tensor3D, filter(3, 4, 2) as Tensor as Tensor3D, 1, 'same'),
  conv3d: (x) =>
    tf.conv3d(tf.reshape(x, [2, 6, 5, 2, 2]) as tf.Tensor5D, filter(2, 2, 2, 2, 3) as Tensor as tf.Tensor5D, 1, 'same'),
  depthwiseConv2d: (x) => tf.depthwiseConv2d(x, filter(3, 3, 4, 1), 2, 'same'),
  'depthwiseConv2d with several outputs a channel': (x) => tf.depthwiseConv2d(x, filter(3, 3, 4, 2), 1, 'same'),
  separableConv2d: (x) => tf.separableConv2d(x, filter(3, 3, 4, 1), filter(1, 1, 4, 3), 1, 'same'),
  matMul: (x) => tf.matMul(tf.reshape(x, [2, 120]) as Tensor2D, filter(120, 7) as Tensor as Tensor2D),
  batchNorm: (x) => tf.batchNorm(x, vector('mean'), tf.abs(vector('variance')), vector('offset'), vector('scale')),
  maxPool: (x) => tf.maxPool(x, 3, 2, 'same'),
  avgPool: (x) => tf.avgPool(x, 2, 2, 'valid'),
  'pool with dilation': (x) => tf.pool(x, [2, 2], 'max', 'valid', [2, 2]),
  'mean over rows and columns': (x) => tf.mean(x, [1, 2]),
  'max over rows and columns': (x) => tf.max(x, [1, 2]),
  moments: (x) => tf.moments(x, [0, 1, 2]).variance,
  localResponseNormalization: (x) => tf.localResponseNormalization(x),
  relu: (x) => tf.relu(x),
  relu6: (x) => tf.relu6(x),
  leakyRelu: (x) => tf.leakyRelu(x, 0.1),
  prelu: (x) => tf.prelu(x, vector('alpha') as Tensor as Tensor4D),
  elu: (x) => tf.elu(x),
  selu: (x) => tf.selu(x),
  sigmoid: (x) => tf.sigmoid(x),
  tanh: (x) => tf.tanh(x),
  softplus: (x) => tf.softplus(x),
  'hard sigmoid': (x) => tf.clipByValue(tf.add(tf.mul(x, 0.2), 0.5), 0, 1),
  swish: (x) => tf.mul(x, tf.sigmoid(x)),
  gelu: (x) => tf.mul(tf.mul(x, 0.5), tf.add(tf.erf(tf.div(x, Math.SQRT2)), 1)),
  softmax: (x) => tf.softmax(x),
  logSoftmax: (x) => tf.logSoftmax(x),
  logSumExp: (x) => tf.logSumExp(x, -1),
  pow: (x) => tf.pow(tf.abs(x), 1.7),
  'exp, log, sqrt, rsqrt': (x) => tf.log(tf.add(tf.sqrt(tf.exp(x)), tf.rsqrt(tf.add(tf.abs(x), 1)))),
  'sin, cos, atan': (x) => tf.atan(tf.add(tf.sin(x), tf.cos(x))),
  log1p: (x) => tf.log1p(tf.abs(x)),
  norm: (x) => tf.norm(x, 2, 3),
  cumsum: (x) => tf.cumsum(x, 3),
  pad: (x) =>
    tf.pad(
      x,
      [
        [0, 0],
        [1, 2],
        [0, 1],
        [0, 0],
      ],
      0.5,
    ),
  mirrorPad: (x) =>
    tf.mirrorPad(
      x,
      [
        [0, 0],
        [1, 1],
        [1, 2],
        [0, 0],
      ],
      'reflect',
    ),
  concat: (x) => tf.concat([x, tf.mul(x, 2)], 3),
  stack: (x) => tf.stack([x, tf.neg(x)], 4),
  unstack: (x) => tf.unstack(x, 1)[2],
  split: (x) => tf.split(x, [1, 3], 3)[1],
  slice: (x) => tf.slice(x, [0, 1, 2, 0], [2, 3, 3, 2]),
  transpose: (x) => tf.transpose(x, [0, 3, 1, 2]),
  reshape: (x) => tf.reshape(x, [2, -1]),
  'expandDims and squeeze': (x) => tf.squeeze(tf.expandDims(x, 2)),
  reverse: (x) => tf.reverse(x, [1, 2]),
  tile: (x) => tf.tile(x, [1, 2, 2, 1]),
  broadcastTo: (x) => tf.broadcastTo(tf.mean(x, [1, 2], true), [2, 6, 5, 4]),
  gather: (x) => tf.gather(x, tf.tensor1d([2, 0, 2], 'int32'), 3),
  where: (x) => tf.where(tf.greater(image(), 0), x, tf.mul(x, 0.1)),
  'where, broadcast': (x) => tf.where(tf.greater(vector('condition'), 0), x, tf.neg(x)),
  resizeBilinear: (x) => tf.image.resizeBilinear(square(x), [9, 11]),
  'resizeBilinear with aligned corners': (x) => tf.image.resizeBilinear(square(x), [4, 3], true),
  resizeNearestNeighbor: (x) => tf.image.resizeNearestNeighbor(x, [12, 10]),
  spaceToBatchND: (x) =>
    tf.spaceToBatchND(
      tf.slice(x, [0, 0, 0, 0], [2, 6, 4, 4]),
      [2, 2],
      [
        [0, 0],
        [0, 0],
      ],
    ),
  batchToSpaceND: (x) =>
    tf.batchToSpaceND(
      tf.tile(x, [2, 1, 1, 1]),
      [2, 2],
      [
        [1, 1],
        [0, 2],
      ],
    ),
  dropout: (x) => tf.dropout(x, 0),
};

/** Ops without a gradient, or whose gradient tfjs lacks. */
const OTHERS: Readonly<Record<string, (x: Tensor4D) => Tensor>> = {
  'dilated conv2d': (x) => tf.conv2d(x, filter(3, 3, 4, 5), 1, 'same', 'NHWC', 2),
  stridedSlice: (x) => tf.stridedSlice(x, [0, 0, 0, 0], [2, 6, 5, 4], [1, 2, 2, 1]),
  gatherND: (x) => tf.gatherND(x, tf.tensor2d([0, 1, 1, 3], [2, 2], 'int32')),
  einsum: (x) => tf.einsum('bhwc,cd->bhwd', x, filter(4, 3)),
  prod: (x) => tf.prod(x, [3]),
  depthToSpace: (x) => tf.depthToSpace(x, 2),
  argMax: (x) => tf.argMax(x, 3),
  topk: (x) => tf.topk(x, 2).values,
  'mod and floorDiv': (x) => tf.add(tf.mod(x, 0.7), tf.floorDiv(x, 0.7)),
  'floor, ceil, round, sign': (x) => tf.add(tf.add(tf.floor(x), tf.ceil(x)), tf.add(tf.round(x), tf.sign(x))),
  'maximum of integers': (x) => tf.maximum(tf.cast(x, 'int32'), 0),
  'multiply integers': (x) => tf.mul(tf.cast(tf.mul(x, 5), 'int32'), tf.scalar(3, 'int32')),
  oneHot: (x) => tf.oneHot(tf.argMax(x, 3), 4),
  cropAndResize: (x) =>
    tf.image.cropAndResize(
      x,
      tf.tensor2d([
        [0, 0, 1, 1],
        [0.1, 0.2, 0.7, 0.9],
      ]),
      tf.tensor1d([0, 1], 'int32'),
      [3, 3],
    ),
  isNaN: (x) => tf.cast(tf.isNaN(tf.log(x)), 'int32'),
  'fused matMul': (x) =>
    tf.fused.matMul({
      ...{ a: tf.reshape(x, [2, 120]), b: filter(120, 3) as Tensor as Tensor2D, activation: 'relu6' },
      bias: tf.tensor1d([1, 2, 3]),
    }),
  'fused conv2d with prelu': (x) =>
    tf.fused.conv2d({
      ...{ x, filter: filter(3, 3, 4, 4), strides: 1, pad: 'same', activation: 'prelu' },
      ...{ bias: vector('bias'), preluActivationWeights: tf.reshape(vector('alpha'), [1, 1, 4]) },
    }),
};

describe('ops of image classifiers on the engine', () => {
  before(() => registerEngine({ threads: 2 }));
  after(async () => {
    await registerEngine({ threads: 1 });
    await tf.setBackend('cpu');
  });

  it("give the reference backend's results and gradients", async () => {
    const wrong: string[] = [];
    for (const [name, op] of Object.entries(DIFFERENTIABLE)) {
      const run = () => withGradients((x) => op(x as Tensor4D), [image()]);
      await expectSame(run).catch((error: Error) => wrong.push(`${name}: ${error.message}`));
    }
    expect(wrong).to.deep.equal([]);
  }).timeout(60_000);

  it("give the reference backend's results where they have no gradient", async () => {
    const wrong: string[] = [];
    for (const [name, op] of Object.entries(OTHERS)) {
      await expectSame(() => [op(image())]).catch((error: Error) => wrong.push(`${name}: ${error.message}`));
    }
    expect(wrong).to.deep.equal([]);
  }).timeout(60_000);

  it('leave no tensor and no byte behind', async () => {
    await tf.setBackend('equipoise');
    const left = () => ({ bytes: engineInfo()?.bytes, ...tf.memory() });
    forgetStructures();
    const before = left();
    const leaking: string[] = [];
    for (const [name, op] of Object.entries({ ...DIFFERENTIABLE, ...OTHERS })) {
      tf.tidy(() => {
        if (name in OTHERS) op(image());
        else withGradients((x) => op(x as Tensor4D), [image()]);
      });
      if (JSON.stringify(left()) !== JSON.stringify(before)) leaking.push(name);
    }
    expect(leaking).to.deep.equal([]);
  }).timeout(60_000);
});
