import '@tensorflow/tfjs-backend-cpu';
import type { Tensor, Tensor1D, Tensor2D, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import fc from 'fast-check';
import { foldIn, sample } from '../../src/core/key.ts';
import { sizeOf, structure } from '../../src/core/structure.ts';
import { engineInfo, registerEngine } from '../../src/engine/index.ts';
import { sparseConv2d } from '../../src/ops/sparse-conv2d.ts';
import { sparseMatMul } from '../../src/ops/sparse-matmul.ts';
import { expectSame, forgetStructures, key, numbers, on, withGradients } from './same.ts';

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
    forgetStructures();
    run();
    const bytes = engineInfo()?.bytes;
    for (let i = 0; i < 1000; i++) run();
    expect(engineInfo()?.bytes).to.equal(bytes);
  });
});
