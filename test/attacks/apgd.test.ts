import type { Tensor1D, Tensor2D, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { phasesOf } from '../../attacks/apgd.ts';
import { type Attack, apgd, apgdT, type Goal, norms, pgd, success } from '../../attacks/index.ts';
import { checkpoints } from '../../attacks/loops/apgd-steps/halving.ts';
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

  it('with multiEpsilon takes 30 % of the steps in 3 and in 2 times the radius, and always one within it', () => {
    const phases = (steps: number) => phasesOf(12, steps, true).map((phase) => [phase.epsilon, phase.steps]);
    expect(phases(100)).to.deep.equal([
      [36, 30],
      [24, 30],
      [12, 40],
    ]);
    expect(phases(4)).to.deep.equal([
      [36, 2],
      [24, 1],
      [12, 1],
    ]);
    expect(phases(1)).to.deep.equal([[12, 1]]);
    expect(phasesOf(12, 100, false)).to.deep.equal([{ epsilon: 12, steps: 100 }]);
  });

  for (const norm of ['linf', 'l2', 'l1'] as const) {
    it(`with multiEpsilon in ${norm} looks further than epsilon first, and counts only what lies within`, async () => {
      const net = smoothNet(5, 4);
      const epsilon = { linf: 0.02, l2: 0.1, l1: 0.3 }[norm];
      const clean = net.images.arraySync().flat(3);
      const furthest: number[] = [];
      const cost = { forwardPasses: 0, inputGradients: 0 };
      const watched = (images: Tensor4D) => {
        const own = images.dataSync();
        furthest.push(
          Math.max(
            ...[0, 1, 2, 3].map((i) =>
              norms[norm].distance(own.slice(18 * i, 18 * (i + 1)), clean.slice(18 * i, 18 * (i + 1))),
            ),
          ),
        );
        return net.classifier(images);
      };
      const attack = apgd({ norm, epsilon, steps: 10, multiEpsilon: true });
      const adversarial = await attack.perturb(watched, net.images, net.labels, {
        mode: 'train',
        onCost: (spent) => {
          cost.forwardPasses += spent.forwardPasses;
          cost.inputGradients += spent.inputGradients;
        },
      });
      // The clean images, then a look at the start of each phase and after each of its steps.
      expect(furthest).to.have.length(1 + 13);
      expect(Math.max(...furthest.slice(1, 5))).to.be.within(2.1 * epsilon, 3 * epsilon);
      expect(Math.max(...furthest.slice(5, 9))).to.be.within(1.1 * epsilon, 2 * epsilon);
      expect(Math.max(...furthest.slice(9))).to.be.at.most(epsilon);
      expect(cost).to.deep.equal({ forwardPasses: 4 * 14, inputGradients: 4 * 10 });
      adversarial.dispose();
      net.dispose();
    });
  }

  it('in l1 spends its whole length on the pixels of a linear model with the largest gradients', async () => {
    const weights = [0.1, -5, 0.3, 2, 0.2, -0.4];
    const direction = tf.tensor2d(weights, [6, 1]);
    const linear = (images: Tensor4D) => {
      const z = tf.matMul(tf.reshape(images, [-1, 6]) as Tensor2D, direction);
      return tf.concat([tf.neg(z), z], 1) as Tensor2D;
    };
    const images = tf.fill([1, 2, 3, 1], 0.6) as Tensor4D;
    const labels = tf.tensor1d([0], 'int32');
    const attack = apgd({ norm: 'l1', epsilon: 0.8, steps: 60, loss: 'cw' });
    const adversarial = await attack.perturb(linear, images, labels, { mode: 'train' });
    const [clean, found] = [images.dataSync(), adversarial.dataSync()];
    expect(Array.from(found, (pixel, i) => Math.sign(pixel - clean[i]))).to.deep.equal([0, -1, 0, 1, 0, 0]);
    expect(norms.l1.distance(found, clean)).to.be.within(0.8 - 1e-6, 0.8);
    tf.dispose([direction, images, labels, adversarial]);
  });

  it('says what it cannot do', () => {
    expect(() => apgd({ epsilon: 0.1, rho: 2 })).to.throw(/rho: expected a share/);
    expect(() => apgdT({ epsilon: 0.1, targets: 0 })).to.throw(/targets: expected a whole number of at least 1/);
    expect(apgd({ epsilon: 0.1, loss: 'dlr' }).name).to.equal('apgd-dlr');
    expect(apgd({ epsilon: 0.1 }).name).to.equal('apgd-ce');
  });
});
