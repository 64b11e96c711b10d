import type { Tensor1D, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { type Attack, cw, cwMargin, deepFool, type Goal, norms, success } from '../../attacks/index.ts';
import { useBackend } from '../backend.ts';
import { smoothNet } from './nets.ts';

const COUNT = 8;
const SIZE = 18;

describe('deepfool and cw', () => {
  let net: ReturnType<typeof smoothNet>;
  before(async () => {
    await useBackend('cpu');
    net = smoothNet(5, COUNT);
  });
  after(() => net.dispose());

  const distances = (adversarial: Tensor4D) =>
    Array.from({ length: COUNT }, (_, i) => {
      const [a, b] = [adversarial, net.images].map((x) => x.dataSync().subarray(i * SIZE, (i + 1) * SIZE));
      return norms.l2.distance(a, b);
    });
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

  it('deepfool crosses a boundary that the bounds cut off most of the straight way to', async () => {
    // Which row is the brighter; some of their pixels are at the bound already.
    const model = (images: tf.Tensor4D) => {
      const [top, bottom] = tf.split(images, 2, 1).map((half) => tf.sum(half, [1, 2, 3]));
      return tf.stack([top, bottom], 1) as tf.Tensor2D;
    };
    const images = tf.tensor4d([0, 0, 0.9, 0.9, 1, 0, 0.1, 0.1], [1, 2, 4, 1]);
    const labels = tf.tensor1d([0], 'int32');
    for (const norm of ['l2', 'linf'] as const) {
      const adversarial = await deepFool({ norm }).perturb(model, images, labels);
      expect(await success(model, adversarial, labels)).to.deep.equal([true]);
      // Five of eight pixels can move, and equal steps of 0.12 make up the difference of 0.6.
      const length = norms[norm].distance(adversarial.dataSync(), images.dataSync());
      expect(length / (norm === 'l2' ? Math.sqrt(5) : 1)).to.be.within(0.12, 0.1225);
      adversarial.dispose();
    }
    tf.dispose([images, labels]);
  });

  it('deepfool goes beyond the boundary by a share of the whole way, in every norm', async () => {
    for (const norm of ['l2', 'linf'] as const) {
      const adversarial = await deepFool({ norm }).perturb(net.classifier, net.images, net.labels);
      // Back by a little less than half the overshoot.
      const back = tf.tidy(
        () => tf.add(net.images, tf.mul(tf.sub(adversarial, net.images), 1.0205 / 1.03)) as Tensor4D,
      );
      expect(await success(net.classifier, back, net.labels)).to.deep.equal(new Array(COUNT).fill(true));
      tf.dispose([adversarial, back]);
    }
  });

  it('cw finds nearer examples than deepfool', async () => {
    const near = await deepFool().perturb(net.classifier, net.images, net.labels);
    const nearer = await cw({ steps: 200 }).perturb(net.classifier, net.images, net.labels);
    for (const found of [near, nearer]) {
      expect(await success(net.classifier, found, net.labels)).to.deep.equal(new Array(COUNT).fill(true));
    }
    expect(mean(distances(nearer))).to.be.below(mean(distances(near)));
    tf.dispose([near, nearer]);
  });

  it('cw goes as far beyond the boundary as the confidence asks', async () => {
    const goal: Goal = { kind: 'untargeted', labels: net.labels };
    const adversarial = await cw({ steps: 200, confidence: 0.5 }).perturb(net.classifier, net.images, goal);
    const margins = tf.tidy(() => Array.from(cwMargin(net.classifier(adversarial), goal).dataSync()));
    for (const margin of margins) expect(margin).to.be.within(0.5, 0.7);
    adversarial.dispose();
  });

  const targeted: [name: string, attack: Attack][] = [
    ['deepfool', deepFool()],
    ['deepfool in linf', deepFool({ norm: 'linf' })],
    ['cw', cw({ steps: 150, searchSteps: 5, initialConstant: 0.01 })],
  ];
  for (const [name, attack] of targeted) {
    it(`${name} reaches a target`, async () => {
      const targets = tf.tidy(() => tf.mod(tf.add(net.labels, 1), tf.scalar(5, 'int32')) as Tensor1D);
      const goal: Goal = { kind: 'targeted', targets };
      const adversarial = await attack.perturb(net.classifier, net.images, goal);
      expect((await success(net.classifier, adversarial, goal)).filter(Boolean).length).to.be.above(COUNT / 2);
      tf.dispose([targets, adversarial]);
    });
  }

  it('deepfool looks at every candidate in every step, and counts that', async () => {
    const cost = { forwardPasses: 0, inputGradients: 0 };
    const adversarial = await deepFool({ steps: 1, candidates: 3 }).perturb(net.classifier, net.images, net.labels, {
      onCost: (spent) => {
        cost.forwardPasses += spent.forwardPasses;
        cost.inputGradients += spent.inputGradients;
      },
    });
    // The clean pass, one a candidate, and one each with 0.5, 1 and 1.5 times the overshoot.
    expect(cost).to.deep.equal({ forwardPasses: COUNT * 7, inputGradients: COUNT * 3 });
    adversarial.dispose();
  });

  it('says what it cannot do', () => {
    expect(() => cw({ norm: 'linf' })).to.throw(/expected one of l2, got "linf"/);
    expect(() => deepFool({ norm: 'l1' })).to.throw(/expected one of linf, l2, got "l1"/);
    expect(() => cw({ initialConstant: 0 })).to.throw(/initialConstant: expected a number above 0/);
    expect(() => deepFool({ epsilon: -1 })).to.throw(/epsilon: expected a radius of 0 or more/);
  });
});
