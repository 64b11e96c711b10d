import type { Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import {
  type Attack,
  type Classifier,
  cw,
  deepFool,
  norms,
  type PerturbOptions,
  pgd,
  quantised,
  square,
  success,
} from '../../attacks/index.ts';
import { seedKey } from '../../src/core/key.ts';
import { useBackend } from '../backend.ts';
import { smoothNet } from './nets.ts';

const COUNT = 12;
const SIZE = 18;

describe('quantised', () => {
  let net: ReturnType<typeof smoothNet>;
  let images: Tensor4D;
  let labels: tf.Tensor1D;
  before(async () => {
    await useBackend('cpu');
    net = smoothNet(5, COUNT);
    images = tf.tidy(() => tf.div(tf.round(tf.mul(net.images, 255)), 255) as Tensor4D);
    labels = tf.tidy(() => tf.argMax(net.classifier(images), 1) as tf.Tensor1D);
  });
  after(() => {
    net.dispose();
    tf.dispose([images, labels]);
  });

  const bytes = (tensor: Tensor4D) => Array.from(tensor.dataSync(), (pixel) => pixel * 255);
  const fooled = async (attack: Attack, options?: PerturbOptions) => {
    const adversarial = await attack.perturb(net.classifier, images, labels, options);
    const flags = await success(net.classifier, adversarial, labels);
    return { adversarial, count: flags.filter(Boolean).length, flags };
  };

  const attacks: [title: string, attack: Attack][] = [
    ['pgd in linf', pgd({ epsilon: 8 / 255, steps: 8 })],
    ['pgd in linf, between two levels', pgd({ epsilon: 8.6 / 255, steps: 8 })],
    ['pgd in l2', pgd({ norm: 'l2', epsilon: 0.12, steps: 8 })],
    ['pgd in l1', pgd({ norm: 'l1', epsilon: 0.3, steps: 8 })],
    ['square', square({ epsilon: 0.04, queries: 40 })],
    ['deepfool', deepFool({ epsilon: 0.2 })],
    ['cw without epsilon', cw({ steps: 40, searchSteps: 4, initialConstant: 0.1 })],
  ];
  for (const [title, attack] of attacks) {
    for (const mode of ['evaluate', 'train'] as const) {
      it(`${title}: every pixel is a byte, within epsilon in whole levels (${mode})`, async () => {
        const tensors = tf.memory().numTensors;
        const { adversarial } = await fooled(quantised(attack), { mode });
        expect(tf.memory().numTensors).to.equal(tensors + 1);
        const [found, clean] = [bytes(adversarial), bytes(images)];
        for (const byte of found) {
          expect(byte).to.be.within(0, 255);
          expect(byte).to.be.closeTo(Math.round(byte), 2e-5);
        }
        for (let i = 0; i < COUNT; i++) {
          const [a, b] = [found, clean].map((all) => all.slice(i * SIZE, (i + 1) * SIZE).map(Math.round));
          if (attack.epsilon !== null) {
            expect(norms[attack.norm].distance(a, b) / 255).to.be.at.most(attack.epsilon * (1 + 1e-6));
          }
        }
        // Saved as bytes and read again it is the very same tensor.
        const read = tf.tidy(() => tf.div(tf.round(tf.mul(adversarial, 255)), 255).dataSync());
        expect(Array.from(read)).to.deep.equal(Array.from(adversarial.dataSync()));
        adversarial.dispose();
      });
    }
  }

  it('succeeds nearly as often as the attack does, and where its first rounding fails goes deeper', async () => {
    const attack = pgd({ norm: 'l2', epsilon: 0.15, steps: 20, stepSize: 0.002 });
    const exact = await fooled(attack);
    const rounded = await fooled(quantised(attack));
    const naive = tf.tidy(() => tf.div(tf.round(tf.mul(exact.adversarial, 255)), 255) as Tensor4D);
    const plain = (await success(net.classifier, naive, labels)).filter(Boolean).length;
    expect(exact.count).to.be.above(2);
    expect(rounded.count).to.be.at.least(plain);
    expect(rounded.count).to.be.at.least(exact.count - 1);
    tf.dispose([exact.adversarial, rounded.adversarial, naive]);
  });

  it('gives an image the same example in any batch', async () => {
    const attack = quantised(pgd({ epsilon: 8 / 255, steps: 4 }));
    const whole = await attack.perturb(net.classifier, images, labels, { key: seedKey(2) });
    const [part, goal] = [tf.slice(images, [3, 0, 0, 0], [2, -1, -1, -1]), tf.slice(labels, 3, 2)];
    const same = await attack.perturb(net.classifier, part, goal, { key: seedKey(2), samples: [3, 4] });
    expect(Array.from(same.dataSync())).to.deep.equal(Array.from(whole.dataSync().subarray(3 * SIZE, 5 * SIZE)));
    tf.dispose([whole, part, goal, same]);
  });

  it('leaves no tensor behind when the model throws', async () => {
    for (let calls = 0; calls < 12; calls++) {
      let left = calls;
      const breaking: Classifier = (x) => {
        if (left-- === 0) throw new Error('out of order');
        return net.classifier(x);
      };
      const tensors = tf.memory().numTensors;
      const attack = quantised(pgd({ epsilon: 8 / 255, steps: 3 }));
      const outcome = await attack.perturb(breaking, images, labels).catch((error) => error);
      if (left < 0) expect(outcome.message).to.equal('out of order');
      else outcome.dispose();
      expect(tf.memory().numTensors).to.equal(tensors);
    }
  });

  it('refuses images that are no bytes', async () => {
    const outcome = await quantised(pgd({ epsilon: 0.1 }))
      .perturb(net.classifier, net.images, net.labels)
      .catch((error) => error);
    expect(outcome.message).to.match(/Expected images whose pixels are among.*before they are resized or normalised/);
  });

  it('is called after the attack, and has its norm and epsilon', () => {
    expect(quantised(pgd({ epsilon: 0.1, norm: 'l2' }))).to.include({ name: 'pgd-uint8', norm: 'l2', epsilon: 0.1 });
  });
});
