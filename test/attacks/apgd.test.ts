import type { Tensor1D, Tensor2D, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { checkpoints } from '../../attacks/apgd.ts';
import { type Attack, apgd, apgdT, type Goal, pgd, success } from '../../attacks/index.ts';
import { useBackend } from '../backend.ts';
import { smoothNet } from './nets.ts';

describe('apgd', () => {
  before(() => useBackend('cpu'));

  it('judges its step sizes at the checkpoints of the paper', () => {
    const at = [...checkpoints(100).keys()];
    expect(at).to.deep.equal([22, 41, 57, 70, 80, 87, 93, 99]);
    expect([...checkpoints(100).values()]).to.deep.equal([22, 19, 16, 13, 10, 7, 6, 6]);
    expect([...checkpoints(3).keys()]).to.deep.equal([1, 2, 3]);
  });

  it('climbs higher than PGD of as many steps on a loss whose best step is short', async () => {
    // A narrow ridge: steps that do not shrink jump over it.
    const peak = tf.tensor4d(
      Array.from({ length: 18 }, (_, i) => 0.5 + 0.04 * Math.sin(i)),
      [1, 3, 3, 2],
    );
    const ridge = (images: Tensor4D) => {
      const distance = tf.sum(tf.square(tf.sub(images, peak)), [1, 2, 3]);
      return tf.stack([distance, tf.fill([images.shape[0]], -1)], 1) as Tensor2D;
    };
    const images = tf.fill([1, 3, 3, 2], 0.5) as Tensor4D;
    const labels = tf.tensor1d([0], 'int32');
    const reached = async (attack: Attack) => {
      const adversarial = await attack.perturb(ridge, images, labels, { mode: 'train' });
      const [distance] = tf.tidy(() => tf.sum(tf.square(tf.sub(adversarial, peak))).dataSync());
      adversarial.dispose();
      return distance;
    };
    const loss = 'cw';
    const auto = await reached(apgd({ epsilon: 0.1, steps: 60, loss }));
    const fixed = await reached(pgd({ epsilon: 0.1, steps: 60, stepSize: 0.05, loss }));
    expect(auto).to.be.below(5e-4);
    expect(auto).to.be.below(fixed / 10);
    tf.dispose([peak, images, labels]);
  });

  for (const classes of [2, 3, 4]) {
    it(`apgd-t attacks a model of ${classes} classes`, async () => {
      const net = smoothNet(classes, 8);
      const adversarial = await apgdT({ epsilon: 0.4, steps: 10 }).perturb(net.classifier, net.images, net.labels);
      const fooled = await success(net.classifier, adversarial, net.labels);
      expect(fooled.filter(Boolean).length).to.be.above(5);
      adversarial.dispose();
      net.dispose();
    });
  }

  it('apgd-t tries the next target where one fails, and finds what a single one does not', async () => {
    // Class 1 comes second but is out of reach; class 2 is further, and within.
    const model = (images: Tensor4D) => {
      const mean = tf.mean(images, [1, 2, 3]);
      const rest = [0, -0.1, -5].map((logit) => tf.fill([images.shape[0]], logit));
      return tf.stack([rest[0], rest[1], tf.sub(tf.mul(mean, 10), 5.5), rest[2]], 1) as Tensor2D;
    };
    const images = tf.fill([1, 3, 3, 2], 0.5) as Tensor4D;
    const labels = tf.tensor1d([0], 'int32');
    for (const [targets, succeeds] of [
      [1, false],
      [2, true],
    ] as const) {
      const adversarial = await apgdT({ epsilon: 0.1, steps: 15, targets }).perturb(model, images, labels);
      expect(await success(model, adversarial, labels)).to.deep.equal([succeeds]);
      adversarial.dispose();
    }
    tf.dispose([images, labels]);
  });

  it('apgd-t given a target aims at it alone', async () => {
    const net = smoothNet(5, 6);
    const targets = tf.tidy(() => tf.mod(tf.add(net.labels, 2), tf.scalar(5, 'int32')) as Tensor1D);
    const goal: Goal = { kind: 'targeted', targets };
    const adversarial = await apgdT({ epsilon: 0.6, steps: 20 }).perturb(net.classifier, net.images, goal);
    expect((await success(net.classifier, adversarial, goal)).filter(Boolean).length).to.be.above(3);
    tf.dispose([targets, adversarial]);
    net.dispose();
  });

  it('says what it cannot do', () => {
    expect(() => apgd({ epsilon: 1, norm: 'l1' })).to.throw(/expected one of linf, l2, got "l1"/);
    expect(() => apgd({ epsilon: 0.1, rho: 2 })).to.throw(/rho: expected a share/);
    expect(() => apgdT({ epsilon: 0.1, targets: 0 })).to.throw(/targets: expected a whole number of at least 1/);
    expect(apgd({ epsilon: 0.1, loss: 'dlr' }).name).to.equal('apgd-dlr');
    expect(apgd({ epsilon: 0.1 }).name).to.equal('apgd-ce');
  });
});
