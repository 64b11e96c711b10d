import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { engine, fastest, profiled } from '../../../scripts/bench/profile.ts';
import type { Work } from '../../../scripts/bench/work.ts';
import { structure } from '../../../src/core/structure.ts';
import { ENGINE, registerEngine } from '../../../src/engine/index.ts';
import { sparseConv2d } from '../../../src/ops/sparse-conv2d.ts';

describe('counting the work of kernels', () => {
  before(async () => {
    await registerEngine({ threads: 2 });
    await tf.setBackend(ENGINE);
  });

  /** Work by kernel of one convolution 3×3 of 4 images 8×8, one nonzero in the middle and one in a corner. */
  async function convolution(): Promise<Map<string, Work>> {
    const counted = new Map<string, Work>();
    const x = tf.ones<tf.Rank.R4>([4, 8, 8, 1]);
    const values = tf.ones<tf.Rank.R1>([2]);
    const kernel = structure([3, 3, 1, 1], Int32Array.of(0, 4));
    const gradients = tf.grads((input: tf.Tensor, weights: tf.Tensor) =>
      sparseConv2d(input as tf.Tensor4D, kernel, weights as tf.Tensor1D, { stride: 1, padding: 1 }),
    );
    const executed = await profiled(() => {
      const [dx, dw] = gradients([x, values]);
      dx.dataSync();
      dw.dataSync();
      tf.dispose([dx, dw]);
    });
    for (const { call, work } of executed) if (work) counted.set(call.kernel, work);
    tf.dispose([x, values]);
    return counted;
  }

  it('counts two operations a nonzero, pixel and image, without the rows where a nonzero meets padding', async () => {
    const counted = await convolution();
    const pixels = 4 * 8 * 8;
    const inCorner = 4 * 7 * 8;
    expect(counted.get('convolve')?.flops).to.equal(2 * (pixels + inCorner));
    // The batch is filled up to a super-block in weight gradients, or not: a whole multiple of the same count.
    expect((counted.get('weightGradient')?.flops ?? 0) % (2 * (pixels + inCorner))).to.equal(0);
    expect(counted.get('weightGradient')?.flops).to.be.above(0);
  });

  it('counts each value once, read or written', async () => {
    const counted = await convolution();
    const column = 4 * 4 * 8;
    // Rows of 8 pixels and one of padding are read, rows of 8 pixels written, two records read.
    expect(counted.get('convolve')?.bytes).to.equal(9 * column + 8 * column + 2 * 8);
  });

  it('takes the fastest time of each call over profiles of the same calls', async () => {
    const profile = await profiled(() => tf.dispose(tf.relu(tf.ones([100_000]))));
    const timed = (milliseconds: number) => profile.map((executed) => ({ ...executed, milliseconds }));
    const other = [...timed(1), ...timed(1)];
    expect(fastest([other, timed(5), timed(4)]).map(({ milliseconds }) => milliseconds)).to.deep.equal(
      profile.map(() => 4),
    );
  });

  it('leaves kernels alone afterwards', async () => {
    const before = engine().pool.runChain;
    await profiled(() => {});
    expect(engine().pool.runChain).to.equal(before);
  });
});
