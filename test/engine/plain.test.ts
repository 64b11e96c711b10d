import type { Tensor, Tensor1D, Tensor2D, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import fc from 'fast-check';
import { foldIn, uniform } from '../../src/core/key.ts';
import { sizeOf } from '../../src/core/structure.ts';
import { engineInfo, registerEngine } from '../../src/engine/index.ts';
import { expectSame, forgetStructures, key, numbers, on, withGradients } from './same.ts';

type Shape4D = [number, number, number, number];
type Padding = 'same' | 'valid' | 1;

const tensor4d = (name: string, shape: Shape4D): Tensor4D => tf.tensor4d(numbers(name, shape), shape);

/** Windows of any size, stride, dilation and padding on small images, in batches that fill no task. */
const windows = fc.record({
  batch: fc.constantFrom(1, 2, 3, 9, 33),
  height: fc.integer({ min: 1, max: 11 }),
  width: fc.integer({ min: 1, max: 11 }),
  channels: fc.constantFrom(1, 2, 3, 4, 5, 8, 17),
  size: fc.tuple(fc.constantFrom(1, 2, 3, 5, 7), fc.constantFrom(1, 3, 4, 5)),
  stride: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 })),
  dilation: fc.constantFrom(1, 1, 2, 3),
  padding: fc.constantFrom<Padding>('same', 'valid', 1),
});

/** True if a window of this size fits; tfjs takes padding in numbers for square ones. */
const fits = (height: number, width: number, [rows, columns]: readonly number[], padding: Padding): boolean =>
  padding === 'same' ||
  (padding === 'valid' && height >= rows && width >= columns) ||
  (padding === 1 && rows === columns && Math.min(height, width) + 2 >= rows);
/** Pools with windows wholly in the padding mean nothing: tfjs gives NaN for some and their input for others. */
const pools = (height: number, width: number, size: readonly number[], padding: Padding): boolean =>
  fits(height, width, size, padding) && (padding !== 1 || size[0] > 1);
const extent = (size: readonly number[], dilation: number): number[] => size.map((n) => (n - 1) * dilation + 1);

/** tfjs has no gradient of a dilated convolution. */
const withTheirGradients = (dilation: number, f: (...xs: Tensor[]) => Tensor, xs: Tensor[]): Tensor[] =>
  dilation > 1 ? [f(...xs)] : withGradients(f, xs);

describe('engine kernels of plain tensors', () => {
  before(() => registerEngine({ threads: 2 }));
  after(async () => {
    await registerEngine({ threads: 1 });
    await tf.setBackend('cpu');
  });

  it('convolve as tfjs does, with both gradients', async () => {
    const outputs = fc.constantFrom(1, 3, 8, 10, 16, 21, 40);
    await fc.assert(
      fc.asyncProperty(windows, outputs, async ({ batch, height, width, channels, size, padding, ...w }, filters) => {
        const stride = w.dilation > 1 ? ([1, 1] as [number, number]) : w.stride;
        if (!fits(height, width, extent(size, w.dilation), padding)) return;
        await expectSame(() =>
          withTheirGradients(
            w.dilation,
            (x, kernel) => tf.conv2d(x as Tensor4D, kernel as Tensor4D, stride, padding, 'NHWC', w.dilation),
            [tensor4d('x', [batch, height, width, channels]), tensor4d('w', [...size, channels, filters])],
          ),
        );
      }),
      { numRuns: 80 },
    );
  }).timeout(60_000);

  it('convolve where images and kernels make many tasks, panels and groups', async () => {
    await expectSame(() =>
      withGradients(
        (x, w) => tf.conv2d(x as Tensor4D, w as Tensor4D, 2, 'same'),
        [tensor4d('x', [5, 23, 21, 9]), tensor4d('w', [3, 3, 9, 37])],
      ),
    );
  });

  it('convolve each channel by itself, with both gradients', async () => {
    await fc.assert(
      fc.asyncProperty(windows, async ({ batch, height, width, channels, size, padding, dilation, stride }) => {
        const steps = dilation > 1 ? 1 : stride[0];
        if (!fits(height, width, extent(size, dilation), padding)) return;
        await expectSame(() =>
          withTheirGradients(
            dilation,
            (x, w) => tf.depthwiseConv2d(x as Tensor4D, w as Tensor4D, steps, padding, 'NHWC', dilation),
            [tensor4d('x', [batch, height, width, channels]), tensor4d('w', [...size, channels, 1])],
          ),
        );
      }),
      { numRuns: 60 },
    );
  }).timeout(60_000);

  it('leave to the reference what is not theirs: channels first, several outputs a channel', async () => {
    await expectSame(() => {
      const x = tensor4d('x', [2, 9, 8, 3]);
      const w = tensor4d('w', [3, 3, 3, 4]);
      return [
        tf.conv2d(tf.transpose(x, [0, 3, 1, 2]), w, 1, 'same', 'NCHW'),
        ...withGradients((a, b) => tf.depthwiseConv2d(a as Tensor4D, b as Tensor4D, 1, 'same'), [x, w]),
      ];
    });
  });

  it('fuse bias and activation into convolutions', async () => {
    await expectSame(() => {
      const x = tensor4d('x', [5, 6, 7, 3]);
      const [bias, leakyreluAlpha] = [tf.tensor1d(numbers('b', [4])), 0.3];
      const [filter, each] = [tensor4d('w', [3, 3, 3, 4]), tensor4d('each', [3, 3, 3, 1])];
      return (['linear', 'relu', 'relu6', 'elu', 'sigmoid', 'leakyrelu'] as const).flatMap((activation) => [
        tf.fused.conv2d({ x, filter, strides: 1, pad: 'same', bias, activation, leakyreluAlpha }),
        tf.fused.depthwiseConv2d({
          ...{ x, filter: each, strides: 1, pad: 'same', activation, leakyreluAlpha },
          bias: tf.tensor1d(numbers('c', [3])),
        }),
      ]);
    });
  });

  it('multiply matrices, transposed or not, large or small, several at once, with both gradients', async () => {
    const problem = fc.record({
      outer: fc.constantFrom<[number[], number[]]>(
        [[], []],
        [[3], [3]],
        [
          [2, 3],
          [1, 3],
        ],
        [[2], [1]],
      ),
      m: fc.constantFrom(1, 3, 40),
      k: fc.constantFrom(1, 17, 64),
      n: fc.constantFrom(1, 10, 65),
      transposeA: fc.boolean(),
      transposeB: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(problem, async ({ outer, m, k, n, transposeA, transposeB }) => {
        const a = [...outer[0], ...(transposeA ? [k, m] : [m, k])];
        const b = [...outer[1], ...(transposeB ? [n, k] : [k, n])];
        await expectSame(() => {
          const product = (x: Tensor, y: Tensor) => tf.matMul(x as Tensor2D, y as Tensor2D, transposeA, transposeB);
          const [x, y] = [tf.tensor(numbers('a', a), a), tf.tensor(numbers('b', b), b)];
          // tfjs's gradient does not sum over dimensions that were broadcast.
          return outer[0].join() === outer[1].join() ? withGradients(product, [x, y]) : [product(x, y)];
        });
      }),
      { numRuns: 60 },
    );
    await expectSame(() => {
      const a = tf.tensor2d(numbers('a', [40, 50]), [40, 50]);
      const b = tf.tensor2d(numbers('b', [50, 30]), [50, 30]);
      const bias = tf.tensor1d(numbers('bias', [30]));
      return (['linear', 'relu', 'sigmoid', 'elu'] as const).map((activation) =>
        tf.fused.matMul({ a, b, bias, activation }),
      );
    });
  }).timeout(60_000);

  it('pool maxima of any windows, the gradient going to the first of equal ones', async () => {
    await fc.assert(
      fc.asyncProperty(windows, async ({ batch, height, width, channels, size, stride, padding }) => {
        if (!pools(height, width, size, padding)) return;
        const shape: Shape4D = [batch, height, width, channels];
        const x = uniform(foldIn(key, 'pool'), sizeOf(shape), 0, 4).map(Math.floor);
        await expectSame(() =>
          withGradients((image) => tf.maxPool(image as Tensor4D, size, stride, padding), [tf.tensor4d(x, shape)]),
        );
      }),
      { numRuns: 60 },
    );
  }).timeout(60_000);

  it('pool means of any windows; without padding the gradient is that of the reference backend', async () => {
    await fc.assert(
      fc.asyncProperty(windows, async ({ batch, height, width, channels, size, stride, padding }) => {
        if (!pools(height, width, size, padding)) return;
        const x = () => tensor4d('x', [batch, height, width, channels]);
        const pool = (image: Tensor) => tf.avgPool(image as Tensor4D, size, stride, padding);
        await expectSame(() => (padding === 'valid' ? withGradients(pool, [x()]) : [pool(x())]));
      }),
      { numRuns: 60 },
    );
  }).timeout(60_000);

  it('pool means whose gradient is their derivative at the border too, where tfjs divides by the whole window', async () => {
    await tf.setBackend('equipoise');
    const [pooled, gradient] = tf.tidy(() => {
      const pool = (image: Tensor) => tf.avgPool(image as Tensor4D, 3, 2, 'same');
      // Linear: the sum of the outputs is the sum of the inputs, each times its gradient.
      const x = tensor4d('x', [2, 5, 6, 3]);
      const dx = tf.grad((image: Tensor) => tf.sum(pool(image)))(x as Tensor);
      return [tf.sum(pool(x)).dataSync()[0], tf.sum(tf.mul(x, dx)).dataSync()[0]];
    });
    expect(gradient).to.be.closeTo(pooled, 1e-4);
  });

  it('normalise each channel, with all gradients', async () => {
    for (const shape of [
      [3, 4, 5, 1],
      [2, 3, 3, 6],
      [5, 2, 7, 7],
      [33, 5, 5, 16],
      [7, 12],
    ]) {
      const channels = shape.slice(-1);
      const square = (name: string) => numbers(name, channels).map((value) => value * value);
      await expectSame(() =>
        withGradients(
          (x, mean, variance, offset, scale) =>
            tf.batchNorm(x, mean as Tensor1D, variance as Tensor1D, offset as Tensor1D, scale as Tensor1D, 0.01),
          [
            tf.tensor(numbers('x', shape), shape),
            tf.tensor(numbers('mean', channels), channels),
            tf.tensor(square('variance'), channels),
            tf.tensor(numbers('offset', channels), channels),
            tf.tensor(numbers('scale', channels), channels),
          ],
        ),
      );
    }
  });

  it('give the same bits on 1, 2 and 3 threads, and to an image in any batch', async () => {
    const image = numbers('image', [1, 9, 7, 5]);
    const run = (batch: number) => () => {
      const x = tf.concat([tf.tensor4d(image, [1, 9, 7, 5]), tensor4d('x', [batch - 1, 9, 7, 5])]);
      return withGradients(
        (a, b, c) => {
          const y = tf.avgPool(tf.conv2d(a as Tensor4D, b as Tensor4D, 2, 'same'), 2, 1, 'same');
          return tf.maxPool(tf.depthwiseConv2d(y, c as Tensor4D, 1, 'same'), 3, 1, 'same');
        },
        [x, tensor4d('w', [3, 3, 5, 20]), tensor4d('each', [3, 3, 20, 1])],
      );
    };
    await registerEngine({ threads: 1 });
    const one = await on('equipoise', run(21));
    for (const threads of [2, 3]) {
      await registerEngine({ threads });
      expect(await on('equipoise', run(21))).to.deep.equal(one);
    }
    const [few] = await on('equipoise', run(2));
    const [many] = one;
    expect(few.subarray(0, few.length / 2)).to.deep.equal(many.subarray(0, few.length / 2));
    await registerEngine({ threads: 2 });
  });

  it('return every byte', async () => {
    await tf.setBackend('equipoise');
    const run = () =>
      tf.tidy(() => {
        const layer = (x: Tensor, w: Tensor, v: Tensor, m: Tensor) => {
          const y = tf.maxPool(tf.conv2d(x as Tensor4D, w as Tensor4D, 1, 'same'), 3, 2, 'same');
          const z = tf.avgPool(tf.depthwiseConv2d(y, v as Tensor4D, 1, 'same'), 3, 1, 'same');
          return tf.sum(tf.matMul(tf.reshape(z, [3, 27]), m as Tensor2D));
        };
        tf.grads(layer)([tf.ones([3, 6, 6, 2]), tf.ones([3, 3, 2, 3]), tf.ones([3, 3, 3, 1]), tf.ones([27, 4])]);
      });
    forgetStructures();
    run();
    const bytes = engineInfo()?.bytes;
    for (let i = 0; i < 200; i++) run();
    expect(engineInfo()?.bytes).to.equal(bytes);
  });
});
