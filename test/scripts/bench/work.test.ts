import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { engine, fastest, profiled } from '../../../scripts/bench/profile.ts';
import type { Work } from '../../../scripts/bench/work.ts';
import { seedKey } from '../../../src/core/key.ts';
import { disposeParams, disposeTensors } from '../../../src/core/params.ts';
import { denseStructure, type Structure, structure } from '../../../src/core/structure.ts';
import { ENGINE, registerEngine } from '../../../src/engine/index.ts';
import { init } from '../../../src/models/init.ts';
import { conv, dense, globalAveragePool, program } from '../../../src/models/layers.ts';
import { runNetwork } from '../../../src/ops/network.ts';
import { sparseConv2d } from '../../../src/ops/sparse-conv2d.ts';

describe('counting the work of kernels', () => {
  before(async () => {
    await registerEngine({ threads: 2 });
    await tf.setBackend(ENGINE);
  });

  /** One nonzero in the middle and one in a corner. */
  const TWO = structure([3, 3, 1, 1], Int32Array.of(0, 4));

  /** Work by kernel, of the first call, of one convolution of 4 images 8×8. */
  async function convolution(kernel: Structure): Promise<Map<string, Work>> {
    const counted = new Map<string, Work>();
    const x = tf.ones<tf.Rank.R4>([4, 8, 8, kernel.shape[2]]);
    const values = tf.ones<tf.Rank.R1>([kernel.positions.length]);
    const gradients = tf.grads((input: tf.Tensor, weights: tf.Tensor) =>
      sparseConv2d(input as tf.Tensor4D, kernel, weights as tf.Tensor1D, { stride: 1, padding: 1 }),
    );
    const executed = await profiled(() => {
      const [dx, dw] = gradients([x, values]);
      dx.dataSync();
      dw.dataSync();
      tf.dispose([dx, dw]);
    });
    for (const { call, work } of executed) if (work && !counted.has(call.kernel)) counted.set(call.kernel, work);
    tf.dispose([x, values]);
    return counted;
  }

  it('counts two operations a nonzero, pixel and image, without the rows where a nonzero meets padding', async () => {
    const counted = await convolution(TWO);
    const pixels = 4 * 8 * 8;
    const inCorner = 4 * 7 * 8;
    expect(counted.get('convolve')?.flops).to.equal(2 * (pixels + inCorner));
    // The batch is filled up to a super-block in weight gradients, or not: a whole multiple of the same count.
    expect((counted.get('weightGradient')?.flops ?? 0) % (2 * (pixels + inCorner))).to.equal(0);
    expect(counted.get('weightGradient')?.flops).to.be.above(0);
  });

  it('counts every slice of the input channels once', async () => {
    const channels = 256;
    const counted = await convolution(denseStructure([3, 3, channels, 1]));
    // Two of eight rows meet two rows of the kernel, the others three.
    const flops = 2 * 4 * 8 * (2 * 2 + 6 * 3) * 3 * channels;
    expect(counted.get('convolve')?.flops).to.equal(flops);
    expect((counted.get('weightGradient')?.flops ?? 0) % flops).to.equal(0);
    expect(counted.get('weightGradient')?.flops).to.be.above(0);
  });

  it('counts each value once, read or written', async () => {
    const counted = await convolution(TWO);
    const column = 4 * 4 * 8;
    // Rows of 8 pixels and one of padding are read, rows of 8 pixels written, two records read.
    expect(counted.get('convolve')?.bytes).to.equal(9 * column + 8 * column + 2 * 8);
  });

  it('counts the products of dense kernels: of each weight, or of the 16 points of 2×2 outputs', async () => {
    const flops = new Map<string, number>();
    for (const channels of [2, 32]) {
      const options = { inputShape: [8, 8, channels], classes: 2, width: 1 } as const;
      const layers = [conv('conv', channels, channels), globalAveragePool, dense('head', channels, 2)];
      const network = program('small', options, layers);
      const { params, state } = init(network, seedKey('work'));
      const images = tf.ones<tf.Rank.R4>([4, 8, 8, channels]);
      const executed = await profiled(() =>
        tf.dispose(runNetwork(network, params, state, images, { training: false }).logits),
      );
      for (const { call, work } of executed) {
        if (work && !flops.has(call.kernel)) flops.set(call.kernel, work.flops);
      }
      disposeParams(params);
      disposeTensors(state);
      images.dispose();
    }
    // Two of eight rows meet two rows of the kernel, the others three; columns of zeros are computed.
    expect(flops.get('convolveFull')).to.equal(2 * 4 * 8 * (2 * 2 + 6 * 3) * 3 * 2 * 2);
    expect(flops.get('convolveWinograd')).to.equal(2 * 4 * 16 * 16 * 32 * 32);
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
