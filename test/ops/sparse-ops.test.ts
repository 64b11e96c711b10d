import type { Tensor, Tensor1D, Tensor2D, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import fc from 'fast-check';
import { InputError } from '../../src/core/errors.ts';
import { normal, sample, seedKey } from '../../src/core/key.ts';
import { type Structure, scatterValues, sizeOf, structure } from '../../src/core/structure.ts';
import { sparseConv2d } from '../../src/ops/sparse-conv2d.ts';
import { gather } from '../../src/ops/sparse-kernel.ts';
import { sparseMatMul } from '../../src/ops/sparse-matmul.ts';
import { useBackend } from '../backend.ts';

const random = (seed: number, shape: number[]): Tensor => tf.tensor(normal(seedKey(seed), sizeOf(shape)), shape);

const randomStructure = (seed: number, shape: number[], density: number): Structure =>
  structure(shape, sample(seedKey(seed), Math.round(density * sizeOf(shape)), sizeOf(shape)));

function expectClose(actual: Tensor, expected: Tensor): void {
  expect(actual.shape).to.deep.equal(expected.shape);
  const [a, b] = [actual.dataSync(), expected.dataSync()];
  for (let i = 0; i < a.length; i++) expect(a[i]).to.be.closeTo(b[i], 1e-4 * (1 + Math.abs(b[i])));
}

describe('sparse convolution', () => {
  before(() => useBackend('cpu'));

  const cases = fc.record({
    seed: fc.nat(1000),
    batch: fc.integer({ min: 1, max: 3 }),
    height: fc.integer({ min: 3, max: 7 }),
    width: fc.integer({ min: 3, max: 7 }),
    inputs: fc.integer({ min: 1, max: 3 }),
    outputs: fc.integer({ min: 1, max: 3 }),
    size: fc.constantFrom(1, 3),
    stride: fc.constantFrom(1, 2),
    padding: fc.constantFrom(0, 1),
    density: fc.constantFrom(0, 0.1, 0.5, 1),
  });

  it('refuses a kernel that does not fit the images', () => {
    const kernel = randomStructure(1, [5, 5, 2, 3], 0.5);
    const values = tf.ones([75]) as Tensor1D;
    const convolve = (shape: readonly [number, number, number, number], padding: number) => () =>
      sparseConv2d(tf.ones([...shape]) as Tensor4D, kernel, values, { stride: 1, padding });
    expect(convolve([1, 3, 3, 2], 1)().shape).to.deep.equal([1, 1, 1, 3]);
    for (const [shape, padding] of [
      [[1, 4, 9, 2], 0],
      [[1, 9, 2, 2], 1],
      [[1, 9, 9, 3], 0],
    ] as const) {
      const message = /kernel \[5, 5, 2, 3\] needs images .* at least as large as the kernel/;
      expect(convolve(shape, padding)).to.throw(InputError, message);
    }
  });

  it('is the dense convolution with the scattered kernel, forward and in every gradient', () => {
    fc.assert(
      fc.property(cases, ({ seed, batch, height, width, inputs, outputs, size, stride, padding, density }) => {
        tf.tidy(() => {
          const kernelShape: [number, number, number, number] = [size, size, inputs, outputs];
          const sparse = randomStructure(seed, kernelShape, density);
          const values = random(seed + 1, [sparse.positions.length]) as Tensor1D;
          const x = random(seed + 2, [batch, height, width, inputs]) as Tensor4D;
          const kernel = tf.tensor4d(scatterValues(sparse, values.dataSync()), kernelShape);
          const weigh = (y: Tensor): Tensor => tf.sum(tf.mul(y, random(seed + 3, y.shape)));

          const [dx, dValues, dProbe] = tf.grads((x, values, probe) =>
            weigh(sparseConv2d(x as Tensor4D, sparse, values as Tensor1D, { stride, padding }, probe as Tensor4D)),
          )([x, values, tf.zerosLike(kernel)]);
          const [dxDense, dKernel] = tf.grads((x, kernel) =>
            weigh(tf.conv2d(x as Tensor4D, kernel as Tensor4D, stride, padding)),
          )([x, kernel]);

          expectClose(sparseConv2d(x, sparse, values, { stride, padding }), tf.conv2d(x, kernel, stride, padding));
          expectClose(dx, dxDense);
          expectClose(dValues, gather(sparse, dKernel));
          expectClose(dProbe, dKernel);
        });
      }),
      { numRuns: 40 },
    );
  });

  it('computes no weight gradient where only the input gradient is asked for', async () => {
    const { kernelNames } = await tf.profile(() => {
      const sparse = randomStructure(1, [3, 3, 2, 2], 0.5);
      const values = random(2, [sparse.positions.length]) as Tensor1D;
      const images = random(3, [1, 5, 5, 2]);
      const input = (x: Tensor): Tensor =>
        tf.sum(sparseConv2d(x as Tensor4D, sparse, values, { stride: 1, padding: 1 }));
      return tf.grad(input)(images);
    });
    expect(kernelNames).to.include('SparseConv2DBackpropInput');
    expect(kernelNames).to.not.include('SparseConv2DBackpropFilter');
  });

  it('refuses values that do not match the structure', () => {
    tf.tidy(() => {
      const sparse = randomStructure(1, [3, 3, 2, 2], 0.5);
      expect(() => sparseConv2d(tf.zeros([1, 4, 4, 2]), sparse, tf.zeros([3]), { stride: 1, padding: 1 })).to.throw(
        InputError,
        '18 nonzeros needs one value for each, got 3',
      );
    });
  });

  it('leaks no tensor', () => {
    const sparse = randomStructure(1, [3, 3, 2, 2], 0.5);
    const before = tf.memory().numTensors;
    for (let i = 0; i < 3; i++) {
      const values = random(2, [sparse.positions.length]);
      const x = random(3, [1, 5, 5, 2]);
      const gradients = tf.grads((x, values) =>
        tf.sum(sparseConv2d(x as Tensor4D, sparse, values as Tensor1D, { stride: 1, padding: 1 })),
      )([x, values]);
      tf.dispose([values, x, gradients]);
    }
    expect(tf.memory().numTensors).to.equal(before);
  });
});

describe('sparse matrix product', () => {
  before(() => useBackend('cpu'));

  it('is the dense product with the scattered kernel, forward and in every gradient', () => {
    const extent = fc.integer({ min: 1, max: 6 });
    fc.assert(
      fc.property(
        fc.nat(1000),
        extent,
        extent,
        extent,
        fc.constantFrom(0, 0.3, 1),
        (seed, batch, inputs, outputs, density) => {
          tf.tidy(() => {
            const sparse = randomStructure(seed, [inputs, outputs], density);
            const values = random(seed + 1, [sparse.positions.length]) as Tensor1D;
            const x = random(seed + 2, [batch, inputs]) as Tensor2D;
            const kernel = tf.tensor(scatterValues(sparse, values.dataSync()), [inputs, outputs]) as Tensor2D;
            const weigh = (y: Tensor): Tensor => tf.sum(tf.mul(y, random(seed + 3, y.shape)));

            const [dx, dValues, dProbe] = tf.grads((x, values, probe) =>
              weigh(sparseMatMul(x as Tensor2D, sparse, values as Tensor1D, probe as Tensor2D)),
            )([x, values, tf.zerosLike(kernel)]);
            const [dxDense, dKernel] = tf.grads((x, kernel) => weigh(tf.matMul(x as Tensor2D, kernel as Tensor2D)))([
              x,
              kernel,
            ]);

            expectClose(sparseMatMul(x, sparse, values), tf.matMul(x, kernel));
            expectClose(dx, dxDense);
            expectClose(dValues, gather(sparse, dKernel));
            expectClose(dProbe, dKernel);
          });
        },
      ),
      { numRuns: 40 },
    );
  });
});
