import type { Tensor2D, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { apgd, norms, square, success } from '../../attacks/index.ts';
import { seedKey, uniform } from '../../src/core/key.ts';
import { useBackend } from '../backend.ts';
import { smoothNet } from './nets.ts';

describe('square', () => {
  before(() => useBackend('cpu'));

  for (const ball of [{ epsilon: 0.15 }, { norm: 'l2', epsilon: 0.9 }, { norm: 'l1', epsilon: 3 }] as const) {
    const norm = 'norm' in ball ? ball.norm : 'linf';
    it(`in ${norm} fools a model whose gradients are masked, where APGD-CE sees nothing`, async () => {
      const net = smoothNet(5, 12);
      const masked = (images: Tensor4D) => net.classifier(tf.div(tf.round(tf.mul(images, 32)), 32) as Tensor4D);
      const labels = tf.tidy(() => tf.argMax(masked(net.images), 1) as tf.Tensor1D);
      const fooled = async (attack: ReturnType<typeof square>) => {
        const adversarial = await attack.perturb(masked, net.images, labels);
        const flags = await success(masked, adversarial, labels);
        adversarial.dispose();
        return flags.filter(Boolean).length;
      };
      const white = await fooled(apgd(ball));
      const black = await fooled(square({ ...ball, queries: 200 }));
      expect(black).to.be.above(white + 2);
      labels.dispose();
      net.dispose();
    });
  }

  it('asks as often as it may, and takes no gradient', async () => {
    const net = smoothNet(5, 3);
    const cost = { forwardPasses: 0, inputGradients: 0 };
    const adversarial = await square({ epsilon: 1e-6, queries: 25, restarts: 2 }).perturb(
      net.classifier,
      net.images,
      net.labels,
      {
        onCost: (spent) => {
          cost.forwardPasses += spent.forwardPasses;
          cost.inputGradients += spent.inputGradients;
        },
      },
    );
    expect(cost).to.deep.equal({ forwardPasses: 3 + 3 * 25 * 2, inputGradients: 0 });
    adversarial.dispose();
    net.dispose();
  });

  /** A model that never changes its mind, and keeps the queries that it is asked. */
  function stubborn() {
    const seen: Float32Array[] = [];
    const model = (images: Tensor4D) => {
      seen.push(Float32Array.from(images.dataSync()));
      return tf.stack([tf.ones([images.shape[0]]), tf.zeros([images.shape[0]])], 1) as Tensor2D;
    };
    return { seen, model };
  }
  const [height, width, channels] = [9, 7, 2];
  const images = () =>
    tf.tensor4d(uniform(seedKey(1), height * width * channels, 0.2, 0.8), [1, height, width, channels]);
  const labels = () => tf.tensor1d([0], 'int32');

  it('in linf starts at stripes of ±epsilon, and changes one square at a time', async () => {
    const { seen, model } = stubborn();
    const [x, y] = [images(), labels()];
    const clean = x.dataSync();
    (await square({ epsilon: 0.1, queries: 30 }).perturb(model, x, y)).dispose();
    const [, first, ...others] = seen;
    first.forEach((pixel, i) => {
      expect(Math.abs(pixel - clean[i])).to.be.closeTo(0.1, 1e-6);
      expect(Math.sign(pixel - clean[i])).to.equal(
        Math.sign(first[i % (width * channels)] - clean[i % (width * channels)]),
      );
    });
    // p = 0.8 gives windows of 7 × 7 pixels, half of it after ten queries 5 × 5.
    others.forEach((query, number) => {
      const changed = new Set<number>();
      query.forEach((pixel, i) => {
        expect(Math.abs(pixel - clean[i])).to.be.closeTo(0.1, 1e-6);
        if (pixel !== first[i]) changed.add(Math.floor(i / channels));
      });
      const [rows, columns] = [
        Array.from(changed, (i) => Math.floor(i / width)),
        Array.from(changed, (i) => i % width),
      ];
      const side = number <= 10 ? 7 : 5;
      for (const places of [rows, columns]) {
        if (places.length > 0) expect(Math.max(...places) - Math.min(...places)).to.be.below(side);
      }
    });
    tf.dispose([x, y]);
  });

  for (const [norm, epsilon] of [
    ['l2', 0.3],
    ['l1', 2],
  ] as const) {
    it(`in ${norm} spends the whole length allowed in every query`, async () => {
      const { seen, model } = stubborn();
      const [x, y] = [images(), labels()];
      (await square({ epsilon, norm, queries: 30 }).perturb(model, x, y)).dispose();
      expect(seen).to.have.length(31);
      for (const query of seen.slice(1)) {
        const distance = norms[norm].distance(query, x.dataSync());
        expect(distance).to.be.at.most(epsilon);
        expect(distance).to.be.above(0.9995 * epsilon);
      }
      tf.dispose([x, y]);
    });
  }

  it('says what it cannot do', () => {
    expect(() => square({ epsilon: 0.1, queries: 0 })).to.throw(/queries: expected a whole number of at least 1/);
  });
});
