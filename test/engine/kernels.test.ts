import '@tensorflow/tfjs-backend-cpu';
import type { Tensor, Tensor1D, Tensor2D, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import fc from 'fast-check';
import { foldIn, normal, sample, seedKey, uniform } from '../../src/core/key.ts';
import { sizeOf, structure } from '../../src/core/structure.ts';
import { engineInfo, registerEngine } from '../../src/engine/index.ts';
import { sparseConv2d } from '../../src/ops/sparse-conv2d.ts';
import { sparseMatMul } from '../../src/ops/sparse-matmul.ts';

const key = seedKey('engine kernels');
const numbers = (name: string, shape: readonly number[]): Float32Array => normal(foldIn(key, name), sizeOf(shape));

type Run = () => Tensor[];

/** What `run` gives on a backend. */
async function on(backend: 'cpu' | 'equipoise', run: Run): Promise<Float32Array[]> {
  await tf.setBackend(backend);
  const results: Float32Array[] = [];
  tf.tidy(() => {
    for (const tensor of run()) results.push(tensor.dataSync() as Float32Array);
  });
  return results;
}

async function expectSame(run: Run): Promise<void> {
  const expected = await on('cpu', run);
  const actual = await on('equipoise', run);
  expect(actual.length).to.equal(expected.length);
  actual.forEach((values, which) => {
    expect(values.length).to.equal(expected[which].length);
    const scale = expected[which].reduce((max, value) => Math.max(max, Math.abs(value)), 1);
    values.forEach((value, i) => {
      if (!(Math.abs(value - expected[which][i]) <= 1e-5 * scale)) {
        expect.fail(`result ${which}, value ${i}: ${value} instead of ${expected[which][i]}`);
      }
    });
  });
}

/** A function's value and its gradients at `xs`, for random weights of the value's elements. */
function withGradients(f: (...xs: Tensor[]) => Tensor, xs: Tensor[]): Tensor[] {
  const y = f(...xs);
  const weights = tf.tensor(numbers('dy', y.shape), y.shape);
  return [y, ...tf.grads((...given: Tensor[]) => tf.sum(tf.mul(f(...given), weights)))(xs)];
}

const convolutions = fc
  .record({
    batch: fc.constantFrom(1, 3, 5, 9, 33),
    height: fc.integer({ min: 1, max: 10 }),
    width: fc.integer({ min: 1, max: 10 }),
    inputs: fc.integer({ min: 1, max: 5 }),
    outputs: fc.integer({ min: 1, max: 6 }),
    size: fc.constantFrom(1, 3, 5),
    stride: fc.constantFrom(1, 2, 3),
    padding: fc.integer({ min: 0, max: 2 }),
    density: fc.constantFrom(0, 0.05, 0.3, 1),
  })
  .filter(
    ({ height, width, size, padding }) => padding < size && height + 2 * padding >= size && width + 2 * padding >= size,
  );

describe('engine kernels', () => {
  before(() => registerEngine({ threads: 2 }));
  after(async () => {
    await registerEngine({ threads: 1 });
    await tf.setBackend('cpu');
  });

  it('convolves with a sparse kernel, with its three gradients', async () => {
    await fc.assert(
      fc.asyncProperty(
        convolutions,
        async ({ batch, height, width, inputs, outputs, size, stride, padding, density }) => {
          const shape = [size, size, inputs, outputs];
          const positions = sample(foldIn(key, 'mask'), Math.round(density * sizeOf(shape)), sizeOf(shape));
          const kernel = structure(shape, positions);
          // The plain definition cannot scatter nothing.
          if (positions.length === 0) return;
          await expectSame(() => {
            const image = [batch, height, width, inputs] as [number, number, number, number];
            const x = tf.tensor4d(numbers('x', image), image);
            const values = tf.tensor1d(numbers('values', [positions.length]));
            const probe = tf.zeros(shape);
            return withGradients(
              (a, b, c) => sparseConv2d(a as Tensor4D, kernel, b as Tensor1D, { stride, padding }, c as Tensor4D),
              [x, values, probe],
            );
          });
        },
      ),
      { numRuns: 60 },
    );
  }).timeout(60_000);

  it('convolves many channels, a slice of them at a time, with the three gradients', async () => {
    for (const [inputs, outputs, stride, density] of [
      [150, 3, 1, 1],
      [3, 140, 1, 0.7],
      [120, 3, 2, 0.8],
      [2, 120, 2, 0.9],
    ]) {
      const shape = [3, 3, inputs, outputs];
      const positions = sample(foldIn(key, 'mask'), Math.round(density * sizeOf(shape)), sizeOf(shape));
      const kernel = structure(shape, positions);
      await expectSame(() => {
        const x = tf.tensor4d(numbers('x', [5, 3, 8, inputs]), [5, 3, 8, inputs]);
        return withGradients(
          (a, b, c) => sparseConv2d(a as Tensor4D, kernel, b as Tensor1D, { stride, padding: 1 }, c as Tensor4D),
          [x, tf.tensor1d(numbers('values', [positions.length])), tf.zeros(shape)],
        );
      });
    }
  });

  it('convolves with a dense kernel as tfjs does, with both gradients', async () => {
    const padding = fc.constantFrom<'same' | 'valid' | 1>('same', 'valid', 1);
    await fc.assert(
      fc.asyncProperty(convolutions, padding, async ({ batch, height, width, inputs, outputs, size, stride }, pad) => {
        if (pad === 'valid' && Math.min(height, width) < size) return;
        if (pad === 1 && Math.min(height, width) + 2 < size) return;
        await expectSame(() => {
          const image = [batch, height, width, inputs] as [number, number, number, number];
          const filter = [size, size, inputs, outputs] as [number, number, number, number];
          return withGradients(
            (x, w) => tf.conv2d(x as Tensor4D, w as Tensor4D, stride, pad),
            [tf.tensor4d(numbers('x', image), image), tf.tensor4d(numbers('w', filter), filter)],
          );
        });
      }),
      { numRuns: 40 },
    );
  }).timeout(60_000);

  it('leaves convolutions that are not ours to the reference: dilated, unequal strides', async () => {
    await expectSame(() => {
      const x = tf.tensor4d(numbers('x', [2, 9, 8, 3]), [2, 9, 8, 3]);
      const w = tf.tensor4d(numbers('w', [3, 3, 3, 4]), [3, 3, 3, 4]);
      return [tf.conv2d(x, w, [2, 1], 'same'), tf.conv2d(x, w, 1, 'valid', 'NHWC', 2)];
    });
  });

  it('fuses bias and ReLU into a convolution', async () => {
    await expectSame(() => {
      const x = tf.tensor4d(numbers('x', [5, 6, 7, 3]), [5, 6, 7, 3]);
      const filter = tf.tensor4d(numbers('w', [3, 3, 3, 4]), [3, 3, 3, 4]);
      const bias = tf.tensor1d(numbers('b', [4]));
      return (['linear', 'relu', 'elu'] as const).map((activation) =>
        tf.fused.conv2d({ x, filter, strides: 1, pad: 'same', bias, activation }),
      );
    });
  });

  it('multiplies by a sparse matrix, with its three gradients', async () => {
    const problem = fc.record({
      batch: fc.constantFrom(1, 2, 33, 70),
      inputs: fc.integer({ min: 1, max: 40 }),
      outputs: fc.integer({ min: 1, max: 40 }),
      density: fc.constantFrom(0.1, 0.6, 1),
    });
    await fc.assert(
      fc.asyncProperty(problem, async ({ batch, inputs, outputs, density }) => {
        const shape = [inputs, outputs];
        const positions = sample(
          foldIn(key, 'mask'),
          Math.max(1, Math.round(density * inputs * outputs)),
          inputs * outputs,
        );
        const kernel = structure(shape, positions);
        await expectSame(() =>
          withGradients(
            (x, values, probe) => sparseMatMul(x as Tensor2D, kernel, values as Tensor1D, probe as Tensor2D),
            [
              tf.tensor2d(numbers('x', [batch, inputs]), [batch, inputs]),
              tf.tensor1d(numbers('values', [positions.length])),
              tf.zeros(shape),
            ],
          ),
        );
      }),
      { numRuns: 30 },
    );
  }).timeout(60_000);

  it('multiplies dense matrices, transposed or not, large or small, with both gradients', async () => {
    const problem = fc.record({
      m: fc.constantFrom(1, 3, 40),
      k: fc.constantFrom(1, 17, 64),
      n: fc.constantFrom(1, 10, 65),
      transposeA: fc.boolean(),
      transposeB: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(problem, async ({ m, k, n, transposeA, transposeB }) => {
        const [a, b] = [transposeA ? [k, m] : [m, k], transposeB ? [n, k] : [k, n]];
        await expectSame(() =>
          withGradients(
            (x, y) => tf.matMul(x as Tensor2D, y as Tensor2D, transposeA, transposeB),
            [tf.tensor(numbers('a', a), a), tf.tensor(numbers('b', b), b)],
          ),
        );
      }),
      { numRuns: 40 },
    );
    await expectSame(() => {
      const a = tf.tensor2d(numbers('a', [40, 50]), [40, 50]);
      const b = tf.tensor2d(numbers('b', [50, 30]), [50, 30]);
      const bias = tf.tensor1d(numbers('bias', [30]));
      return [
        ...(['linear', 'relu', 'sigmoid'] as const).map((activation) => tf.fused.matMul({ a, b, bias, activation })),
        tf.matMul(
          tf.tensor3d(numbers('c', [2, 30, 40]), [2, 30, 40]),
          tf.tensor3d(numbers('d', [2, 40, 20]), [2, 40, 20]),
        ),
      ];
    });
  }).timeout(60_000);

  it('pools maxima, the gradient going to the first of equal ones', async () => {
    const problem = fc.record({
      batch: fc.constantFrom(1, 4, 6),
      height: fc.integer({ min: 1, max: 9 }),
      width: fc.integer({ min: 1, max: 9 }),
      channels: fc.integer({ min: 1, max: 5 }),
      size: fc.integer({ min: 1, max: 4 }),
      stride: fc.integer({ min: 1, max: 4 }),
    });
    await fc.assert(
      fc.asyncProperty(problem, async ({ batch, height, width, channels, size, stride }) => {
        if (Math.min(height, width) < size) return;
        const shape = [batch, height, width, channels] as [number, number, number, number];
        const x = uniform(foldIn(key, 'pool'), sizeOf(shape), 0, 4).map(Math.floor);
        await expectSame(() =>
          withGradients((image) => tf.maxPool(image as Tensor4D, size, stride, 'valid'), [tf.tensor4d(x, shape)]),
        );
      }),
      { numRuns: 40 },
    );
  }).timeout(60_000);

  it('gives the same bits on 1, 2 and 3 threads', async () => {
    const kernel = structure([3, 3, 5, 4], sample(foldIn(key, 'mask'), 60, 180));
    const run = () => {
      const x = tf.tensor4d(numbers('x', [21, 9, 7, 5]), [21, 9, 7, 5]);
      const values = tf.tensor1d(numbers('values', [60]));
      return withGradients(
        (a, b) =>
          tf.maxPool(sparseConv2d(a as Tensor4D, kernel, b as Tensor1D, { stride: 2, padding: 1 }), 2, 2, 'valid'),
        [x, values],
      );
    };
    await registerEngine({ threads: 1 });
    const one = await on('equipoise', run);
    for (const threads of [2, 3]) {
      await registerEngine({ threads });
      expect(await on('equipoise', run)).to.deep.equal(one);
    }
  });

  it('returns every byte', async () => {
    await tf.setBackend('equipoise');
    const kernel = structure([3, 3, 2, 3], Int32Array.of(1, 5, 17, 40));
    const run = () =>
      tf.tidy(() => {
        const x = tf.ones([3, 6, 6, 2]) as Tensor4D;
        const layer = (a: Tensor) =>
          tf.maxPool(
            sparseConv2d(a as Tensor4D, kernel, tf.tensor1d([1, 2, 3, 4]), { stride: 1, padding: 1 }),
            2,
            2,
            'valid',
          );
        tf.grad((a: Tensor) => tf.sum(layer(a)))(x);
      });
    run();
    const bytes = engineInfo()?.bytes;
    for (let i = 0; i < 1000; i++) run();
    expect(engineInfo()?.bytes).to.equal(bytes);
  });
});
