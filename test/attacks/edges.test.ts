import type { Tensor1D, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { layers, sequential } from '@tensorflow/tfjs-layers';
import { expect } from 'chai';
import { type Attack, type AttackName, apgd, attackNorms, attacks, norms, success } from '../../attacks/index.ts';
import { InputError } from '../../src/core/errors.ts';
import { useBackend } from '../backend.ts';
import { lengthOf, rejection, smoothNet } from './nets.ts';

const attackNames = Object.keys(attacks) as AttackName[];

/** An attack with few steps. */
const make = (name: AttackName, norm: string, epsilon: number): Attack =>
  (attacks[name] as (options: object) => Attack)({ norm, epsilon, ...lengthOf(name, { steps: 5, queries: 40 }) });

const members = attackNames.flatMap((name) => attackNorms[name].map((norm) => ({ name, norm })));

describe('every attack', () => {
  before(() => useBackend('cpu'));

  for (const { name, norm } of members) {
    it(`${name} in ${norm} takes one image and two classes, and finds what a large radius holds`, async () => {
      const net = smoothNet(2, 1);
      const tensors = tf.memory().numTensors;
      const found: boolean[] = [];
      for (const epsilon of [0.01, norm === 'linf' ? 1 : 20]) {
        const adversarial = await make(name, norm, epsilon).perturb(net.classifier, net.images, net.labels);
        expect(adversarial.shape).to.deep.equal([1, 3, 3, 2]);
        expect(norms[norm].distance(adversarial.dataSync(), net.images.dataSync())).to.be.at.most(epsilon);
        found.push(...(await success(net.classifier, adversarial, net.labels)));
        adversarial.dispose();
      }
      expect(tf.memory().numTensors).to.equal(tensors);
      // The few steps of C&W only begin its search for the constant.
      if (name !== 'cw') expect(found).to.deep.equal([false, true]);
      net.dispose();
    });
  }

  it('refuses the loss DLR for two classes, and says what to use', async () => {
    const net = smoothNet(2, 1);
    const tensors = tf.memory().numTensors;
    const error = await rejection(apgd({ epsilon: 0.1, loss: 'dlr' }).perturb(net.classifier, net.images, net.labels));
    expect(error).to.be.instanceOf(InputError);
    expect(error.message).to.match(/DLR compares 3 classes; the model has 2\. Use the loss/);
    expect(tf.memory().numTensors).to.equal(tensors);
    net.dispose();
  });

  const wrong: readonly {
    readonly title: string;
    readonly images?: (images: Tensor4D) => tf.Tensor;
    readonly labels?: () => tf.Tensor;
    readonly says: RegExp;
  }[] = [
    {
      title: 'NaN pixels',
      images: (images) => tf.where(tf.equal(images, tf.max(images)), Number.NaN, images),
      says: /NaN/,
    },
    {
      title: 'pixels of another range',
      images: (images) => tf.mul(images, 255),
      says: /expected pixels in \[0, 1\]; a pixel of image/,
    },
    {
      title: 'images of another rank',
      images: (images) => tf.reshape(images, [2, 18]),
      says: /got \[2,18\]\. Give them that shape/,
    },
    {
      title: 'labels that the model has not',
      labels: () => tf.tensor1d([0, 7], 'int32'),
      says: /labels: expected classes 0 … 4.*got 7 \(number 1\)/,
    },
    {
      title: 'labels of another number',
      labels: () => tf.tensor1d([0], 'int32'),
      says: /class numbers \[2\], one an image, got a tensor \[1\]/,
    },
    { title: 'one-hot labels', labels: () => tf.oneHot([0, 1], 5), says: /one-hot/ },
  ];
  for (const { title, images, labels, says } of wrong) {
    it(`refuses ${title} with one message, and leaves no tensor behind`, async () => {
      const net = smoothNet(5, 2);
      const x = (images ? tf.tidy(() => images(net.images)) : tf.clone(net.images)) as Tensor4D;
      const y = (labels?.() ?? tf.clone(net.labels)) as Tensor1D;
      const tensors = tf.memory().numTensors;
      for (const { name, norm } of members) {
        for (const mode of ['train', 'evaluate'] as const) {
          const error = await rejection(make(name, norm, 0.1).perturb(net.classifier, x, y, { mode }));
          expect(error, `${name} in ${norm}`).to.be.instanceOf(InputError);
          expect(error.message, `${name} in ${norm}`).to.match(says);
          expect(tf.memory().numTensors, `${name} in ${norm}`).to.equal(tensors);
        }
      }
      tf.dispose([x, y]);
      net.dispose();
    });
  }

  it('takes no image at all, or says that there is none', async () => {
    const net = smoothNet(5, 2);
    const [x, y] = [tf.zeros([0, 3, 3, 2]) as Tensor4D, tf.tensor1d([], 'int32')];
    const tensors = tf.memory().numTensors;
    for (const { name, norm } of members) {
      const outcome = await make(name, norm, 0.1)
        .perturb(net.classifier, x, y)
        .catch((error: unknown) => error);
      if (outcome instanceof tf.Tensor) {
        expect(outcome.shape, `${name} in ${norm}`).to.deep.equal([0, 3, 3, 2]);
        outcome.dispose();
      } else expect(outcome, `${name} in ${norm}`).to.be.instanceOf(InputError);
      expect(tf.memory().numTensors).to.equal(tensors);
    }
    tf.dispose([x, y]);
    net.dispose();
  });

  it('leaves mode and statistics of a model with batch norm and dropout as they were', async () => {
    const model = sequential({
      layers: [
        layers.flatten({ inputShape: [3, 3, 2] }),
        layers.dense({ units: 6, kernelInitializer: 'glorotUniform' }),
        layers.batchNormalization(),
        layers.dropout({ rate: 0.5 }),
        layers.dense({ units: 5, activation: 'softmax' }),
      ],
    });
    const weights = () => model.getWeights().map((tensor) => Array.from(tensor.dataSync()));
    const before = weights();
    const net = smoothNet(5, 2);
    const labels = tf.tidy(() => tf.argMax(model.apply(net.images, { training: false }) as tf.Tensor2D, 1)) as Tensor1D;
    for (const { name, norm } of members) {
      const attack = make(name, norm, 0.1);
      const [adversarial, again] = [
        await attack.perturb(model, net.images, labels, { mode: 'train' }),
        await attack.perturb(model, net.images, labels, { mode: 'train' }),
      ];
      // Dropout would make them differ.
      expect(Array.from(again.dataSync()), `${name} in ${norm}`).to.deep.equal(Array.from(adversarial.dataSync()));
      tf.dispose([adversarial, again]);
      (await attack.perturb(model, net.images, labels)).dispose();
    }
    expect(weights()).to.deep.equal(before);
    labels.dispose();
    net.dispose();
    model.dispose();
  });
});
