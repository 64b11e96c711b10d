// A law over a table of operators: the gradient of a graph of one node is that of finite differences, with images stored in
// either order of axes. Values are compared with PyTorch's by the networks of onnx.test.ts.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Tensor, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { normal, seedKey } from '../../src/core/key.ts';
import { loadTarget } from '../../src/evaluation/targets/target.ts';
import { useBackend } from '../backend.ts';
import { withFolder } from './models.ts';
import { encodeModel, integers, type NodeSketch, type TensorSketch, tensor } from './onnx-writer.ts';

/** Numbers ~ N(0, 1), kept away from 0, where many derivatives jump. */
const noise = (shape: readonly number[], seed = 1): Float32Array => {
  const size = shape.reduce((product, extent) => product * extent, 1);
  return normal(seedKey(seed), size).map((value) => value + Math.sign(value) * 0.1);
};

const weights = (name: string, ...shape: number[]): TensorSketch => tensor(name, shape, noise(shape, name.length));
/** Numbers nearer to 0 than any pixel of the images. */
const small = (name: string, ...shape: number[]): TensorSketch =>
  tensor(
    name,
    shape,
    noise(shape, name.length).map((value) => Math.tanh(value) / 12),
  );
const positive = (name: string, ...shape: number[]): TensorSketch =>
  tensor(
    name,
    shape,
    noise(shape, name.length).map((value) => 0.5 + Math.abs(value)),
  );
const floats = (name: string, ...values: number[]): TensorSketch =>
  tensor(name, [values.length], Float32Array.from(values));
const scalar = (name: string, value: number): TensorSketch => tensor(name, [], Float32Array.of(value));

interface Row {
  readonly op: string;
  readonly what?: string;
  readonly attributes?: NodeSketch['attributes'];
  /** Inputs behind the first; an empty text is one that is left out. */
  readonly others?: readonly (TensorSketch | '')[];
  /** The input [batch, channels, height, width], without the batch; default [4, 5, 6]. */
  readonly shape?: readonly number[];
}

const conv = (what: string, out: number, perGroup: number, attributes: NonNullable<Row['attributes']>): Row => ({
  op: 'Conv',
  what,
  attributes,
  others: [weights('kernel', out, perGroup, 3, 2), weights('bias', out)],
});

const resizeTo = (what: string, attributes: NonNullable<Row['attributes']>, height: number, width: number): Row => ({
  op: 'Resize',
  what,
  attributes,
  others: ['', floats('scales', 1, 1, height, width)],
});

const rows: readonly Row[] = [
  ...['Relu', 'LeakyRelu', 'Elu', 'Celu', 'Selu', 'Sigmoid', 'Tanh', 'Softplus', 'Softsign', 'Mish', 'Gelu', 'Erf'].map(
    (op) => ({ op }),
  ),
  ...[
    'HardSigmoid',
    'HardSwish',
    'Neg',
    'Abs',
    'Exp',
    'Softmax',
    'LogSoftmax',
    'GlobalAveragePool',
    'GlobalMaxPool',
  ].map((op) => ({ op })),
  { op: 'Gelu', what: 'by tanh', attributes: { approximate: 'tanh' } },
  { op: 'ThresholdedRelu', attributes: { alpha: 0.05 } },
  { op: 'Softmax', what: 'over channels', attributes: { axis: 1 } },
  { op: 'Softmax', what: 'over rows', attributes: { axis: 2 } },
  { op: 'PRelu', others: [weights('slope', 4, 1, 1)] },
  { op: 'Clip', others: [scalar('low', -0.5), scalar('high', 1)] },
  { op: 'Clip', what: 'from above', others: ['', scalar('high', 0.4)] },
  { op: 'Add', what: 'channels', others: [weights('b', 4, 1, 1)] },
  { op: 'Sub', what: 'columns', others: [weights('b', 6)] },
  { op: 'Mul', what: 'images', others: [weights('b', 4, 5, 6)] },
  { op: 'Div', what: 'rows', others: [positive('b', 5, 1)] },
  { op: 'Max', what: 'a number', others: [scalar('b', 0.2)] },
  { op: 'Max', what: 'channels', others: [small('b', 4, 1, 1)] },
  { op: 'Min', what: 'channels', others: [small('b', 4, 1, 1)] },
  { op: 'Pow', what: 'to 2', others: [scalar('b', 2)] },
  { op: 'Pow', what: 'to 3', others: [scalar('b', 3)] },
  { op: 'Mean', others: [weights('b', 4, 1, 1), weights('cc', 6)] },
  conv('plain', 3, 4, {}),
  conv('padded unevenly, with strides', 3, 4, { pads: [1, 0, 2, 1], strides: [2, 1] }),
  conv('dilated', 3, 4, { dilations: [2, 3], pads: [1, 1, 1, 1] }),
  conv('in groups', 6, 2, { group: 2, auto_pad: 'SAME_UPPER', strides: [2, 2] }),
  conv('depthwise', 8, 1, { group: 4, auto_pad: 'SAME_LOWER', strides: [2, 1], dilations: [1, 2] }),
  {
    op: 'ConvTranspose',
    attributes: { strides: [2, 3], pads: [1, 0, 0, 1], output_padding: [1, 2] },
    others: [weights('kernel', 4, 3, 3, 2), weights('bias', 3)],
  },
  {
    op: 'ConvTranspose',
    what: 'in groups, dilated',
    attributes: { group: 2, dilations: [2, 1] },
    others: [weights('kernel', 4, 3, 2, 2)],
  },
  { op: 'MaxPool', attributes: { kernel_shape: [3, 2], strides: [2, 2], pads: [1, 0, 1, 1], ceil_mode: 1 } },
  { op: 'AveragePool', attributes: { kernel_shape: [3, 2], strides: [2, 2], pads: [1, 0, 1, 1], ceil_mode: 1 } },
  {
    op: 'AveragePool',
    what: 'counting its padding',
    attributes: { kernel_shape: [3, 3], pads: [1, 1, 0, 1], count_include_pad: 1 },
  },
  {
    op: 'BatchNormalization',
    others: [weights('s', 4), weights('bb', 4), weights('mmm', 4), positive('vvvv', 4)],
  },
  { op: 'InstanceNormalization', others: [weights('s', 4), weights('bb', 4)] },
  { op: 'GroupNormalization', attributes: { num_groups: 2 }, others: [weights('s', 4), weights('bb', 4)] },
  { op: 'LayerNormalization', attributes: { axis: 2 }, others: [weights('s', 5, 6), weights('bb', 5, 6)] },
  { op: 'RMSNormalization', others: [weights('s', 6)] },
  { op: 'LpNormalization', attributes: { axis: 1 } },
  { op: 'LRN', attributes: { size: 3 } },
  { op: 'MatMul', what: 'one matrix', others: [weights('b', 6, 3)] },
  { op: 'MatMul', what: 'a stack that broadcasts', others: [weights('b', 4, 6, 3)] },
  { op: 'Einsum', attributes: { equation: 'bchw,chk->bkc' }, others: [weights('b', 4, 5, 3)] },
  {
    op: 'Einsum',
    what: 'with axes of one operand',
    attributes: { equation: 'bchw,ck->bh' },
    others: [weights('b', 4, 3)],
  },
  { op: 'ReduceMean', others: [integers('axes', [2, 3])], attributes: { keepdims: 0 } },
  { op: 'ReduceMax', others: [integers('axes', [1])] },
  { op: 'ReduceMin', others: [integers('axes', [-1])] },
  { op: 'ReduceL1', others: [integers('axes', [2])] },
  { op: 'ReduceL2', others: [integers('axes', [1, 3])], attributes: { keepdims: 0 } },
  { op: 'ReduceLogSumExp', others: [integers('axes', [1])] },
  { op: 'ReduceProd', others: [integers('axes', [3])] },
  { op: 'Transpose', attributes: { perm: [0, 3, 1, 2] } },
  { op: 'Reshape', others: [integers('to', [0, -1, 3])] },
  {
    op: 'Slice',
    what: 'with steps',
    others: [integers('from', [1, 4]), integers('to', [4, -9]), integers('axes', [1, 3]), integers('steps', [2, -2])],
  },
  { op: 'Gather', what: 'in any order', others: [integers('at', [3, 0, 0, -1])], attributes: { axis: 1 } },
  { op: 'Gather', what: 'of one place', others: [integers('at', [2])], attributes: { axis: 3 } },
  { op: 'GatherND', others: [tensor('at', [2, 2], BigInt64Array.of(0n, 3n, 1n, 1n))] },
  { op: 'ScatterND', others: [tensor('at', [1, 2], BigInt64Array.of(1n, 2n)), weights('updates', 1, 5, 6)] },
  { op: 'TopK', others: [integers('count', [3])], attributes: { axis: 2 } },
  {
    op: 'TopK',
    what: 'of channels, the smallest',
    others: [integers('count', [2])],
    attributes: { axis: 1, largest: 0 },
  },
  { op: 'Tile', others: [integers('times', [1, 2, 1, 3])] },
  { op: 'Pad', others: [integers('pads', [0, 1, 2, 0, 0, 0, -1, 3])] },
  {
    op: 'Pad',
    what: 'by reflection',
    attributes: { mode: 'reflect' },
    others: [integers('pads', [0, 0, 2, 1, 0, 0, 3, 2])],
  },
  {
    op: 'Pad',
    what: 'by its edge',
    attributes: { mode: 'edge' },
    others: [integers('pads', [0, 0, 2, 0, 0, 0, 0, 3])],
  },
  { op: 'Pad', what: 'around', attributes: { mode: 'wrap' }, others: [integers('pads', [0, 1, 2, 1, 0, 0, 0, 3])] },
  { op: 'DepthToSpace', attributes: { blocksize: 2, mode: 'CRD' } },
  { op: 'SpaceToDepth', attributes: { blocksize: 2 }, shape: [3, 4, 6] },
  { op: 'CumSum', others: [tensor('axis', [], BigInt64Array.of(2n))], attributes: { reverse: 1 } },
  { op: 'Trilu', attributes: { upper: 0 } },
  resizeTo('to the nearest', { mode: 'nearest' }, 1.7, 0.6),
  resizeTo('linearly', { mode: 'linear' }, 2, 0.6),
  resizeTo('with aligned corners', { mode: 'linear', coordinate_transformation_mode: 'align_corners' }, 1.7, 2),
  resizeTo('by cubics', { mode: 'cubic' }, 1.7, 0.6),
  resizeTo('against aliasing', { mode: 'linear', antialias: 1 }, 0.5, 0.4),
];

describe('every ONNX operator has the gradient of finite differences', () => {
  before(() => useBackend('cpu'));

  for (const { op, what, attributes = {}, others = [], shape = [4, 5, 6] } of rows) {
    // A transposition of images makes them stored as the graph has them.
    for (const stored of ['channels last', 'channels first'] as const) {
      it(`${op}${what === undefined ? '' : ` ${what}`}, ${stored}`, () =>
        withFolder(async (folder) => {
          const inputs = others.map((other) => (other === '' ? '' : other.name));
          const turned = stored === 'channels first';
          const nodes = [
            ...(turned ? [{ op: 'Mul', inputs: ['flat', 'one'], outputs: ['x'] }] : []),
            { op, inputs: [turned ? 'x' : 'image', ...inputs], outputs: ['y'], attributes },
            { op: 'Flatten', inputs: ['y'], outputs: ['logits'] },
          ];
          const reshaped = { op: 'Reshape', inputs: ['image', 'shape'], outputs: ['vectors'] };
          const back = { op: 'Reshape', inputs: ['vectors', 'images'], outputs: ['flat'] };
          const path = join(folder, 'net.onnx');
          await writeFile(
            path,
            encodeModel({
              opset: 23,
              inputs: [{ name: 'image', shape: [null, ...shape] }],
              outputs: [{ name: 'logits', shape: [null, null] }],
              initializers: [
                ...others.filter((other) => other !== ''),
                integers('shape', [0, -1]),
                integers('images', [-1, ...shape]),
                scalar('one', 1),
              ],
              nodes: turned ? [reshaped, back, ...nodes] : nodes,
            }),
          );
          const target = await loadTarget(path);
          const [channels, height, width] = shape;
          const at: Tensor4D['shape'] = [2, height, width, channels];
          tf.tidy(() => {
            const x = tf.tensor4d(noise(at), at);
            const loss = (pixels: Tensor): Tensor => {
              const y = target.preprocessedBy({})(pixels as Tensor4D);
              return tf.sum(tf.mul(y, tf.tensor(noise(y.shape, 5), y.shape)));
            };
            const gradient = tf.grad(loss)(x);
            const direction = tf.tensor4d(noise(at, 7), at);
            const predicted = tf.sum(tf.mul(gradient, direction)).dataSync()[0];
            const step = 2e-3;
            const change = (sign: number): number => loss(tf.add(x, tf.mul(direction, sign * step))).dataSync()[0];
            const measured = (change(1) - change(-1)) / (2 * step);
            const size = Math.sqrt(tf.sum(tf.mul(tf.square(gradient), tf.square(direction))).dataSync()[0]);
            expect(size).to.be.above(0);
            expect(Math.abs(predicted - measured) / size).to.be.below(0.05);
          });
          target.dispose();
        }));
    }
  }
});

/** Derivatives where an activation is exactly 0, as PyTorch 2.15 has them: dark pixels give many zeros. */
const AT_ZERO: readonly (readonly [op: string, derivative: number, Pick<Row, 'attributes' | 'others'>?])[] = [
  ['Relu', 0],
  ['Clip', 0, { others: [scalar('low', 0), scalar('high', 6)] }],
  ['LeakyRelu', 0.25, { attributes: { alpha: 0.25 } }],
  ['PRelu', 0.25, { others: [floats('slope', 0.25)] }],
  ['Elu', 2.5, { attributes: { alpha: 2.5 } }],
  ['Celu', 1, { attributes: { alpha: 2.5 } }],
  ['Selu', 1.7580993],
  ['Softplus', 0.5],
  ['Softsign', 1],
  ['Mish', 0.6],
  ['Gelu', 0.5],
  ['HardSwish', 0.5],
  ['Abs', 0],
  ['ReduceL2', 0, { others: [integers('axes', [1])] }],
];

describe('an ONNX activation that is exactly 0', () => {
  before(() => useBackend('cpu'));

  for (const [op, derivative, { attributes, others = [] } = {}] of AT_ZERO) {
    it(`has PyTorch's derivative: ${op}`, () =>
      withFolder(async (folder) => {
        const path = join(folder, 'net.onnx');
        const inputs = ['image', ...others.map((other) => (other === '' ? '' : other.name))];
        await writeFile(
          path,
          encodeModel({
            opset: 18,
            inputs: [{ name: 'image', shape: [null, 1, 1, 2] }],
            outputs: [{ name: 'logits', shape: [null, 2] }],
            initializers: others.filter((other) => other !== ''),
            nodes: [
              { op, inputs, outputs: ['y'], attributes },
              { op: 'Flatten', inputs: ['y'], outputs: ['logits'] },
            ],
          }),
        );
        const target = await loadTarget(path);
        tf.tidy(() => {
          const loss = (x: Tensor): Tensor => tf.sum(target.classify(x as Tensor4D));
          const gradient = tf
            .grad(loss)(tf.zeros([1, 1, 2, 1]))
            .dataSync();
          expect(gradient[0]).to.be.closeTo(derivative, 1e-5);
        });
        target.dispose();
      }));
  }
});
