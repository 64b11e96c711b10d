import type { Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { type Attack, fgsm, pgd, robustAccuracy, success } from '../../attacks/index.ts';
import { InputError } from '../../src/core/errors.ts';
import { foldIn, seedKey } from '../../src/core/key.ts';
import { useBackend } from '../backend.ts';
import { rejection, smoothNet } from './nets.ts';

describe('robustAccuracy', () => {
  before(() => useBackend('cpu'));

  const attacks = [fgsm({ epsilon: 0.05 }), pgd({ epsilon: 0.05, steps: 5, restarts: 2 })];

  /** Labels of which every third is wrong. */
  const partlyWrong = (labels: ArrayLike<number>, classes: number) =>
    Int32Array.from(labels, (label, i) => (i % 3 === 0 ? (label + 1) % classes : label));

  it('counts an image where it is right both as it is and under attack', async () => {
    const net = smoothNet(4, 30);
    const labels = partlyWrong(net.labels.dataSync(), 4);
    const result = await robustAccuracy(net.classifier, attacks, net.images, labels, { batchSize: 7 });
    expect(result.n).to.equal(30);
    expect(result.clean).to.equal(20 / 30);
    expect(result.correct).to.deep.equal(Array.from({ length: 30 }, (_, i) => i % 3 !== 0));
    for (const [name, survived] of Object.entries(result.survivedAttack)) {
      expect(result.perAttack[name]).to.equal(survived.filter(Boolean).length / 30);
      expect(survived.every((is, i) => !is || result.correct[i])).to.equal(true);
    }
    expect(result.survived).to.deep.equal(
      result.survivedAttack.fgsm.map((is, i) => is && result.survivedAttack.pgd[i]),
    );
    expect(result.union).to.equal(result.survived.filter(Boolean).length / 30);
    expect(result.union).to.be.above(0).and.below(result.clean);
    net.dispose();
  });

  it('agrees with attacking and asking the model again', async () => {
    const net = smoothNet(4, 12);
    const [, attack] = attacks;
    const { survivedAttack } = await robustAccuracy(net.classifier, { attack }, net.images, net.labels);
    const key = foldIn(seedKey(0), 'attack');
    const adversarial = await attack.perturb(net.classifier, net.images, net.labels, { key });
    const fooled = await success(net.classifier, adversarial, net.labels);
    expect(survivedAttack.attack).to.deep.equal(fooled.map((is) => !is));
    adversarial.dispose();
    net.dispose();
  });

  it('gives the same figures for every batch size, from a tensor and from a source of batches', async () => {
    const net = smoothNet(4, 20);
    const labels = partlyWrong(net.labels.dataSync(), 4);
    const options = { key: seedKey(5) };
    const whole = await robustAccuracy(net.classifier, attacks, net.images, labels, options);
    const split = await robustAccuracy(net.classifier, attacks, net.images, labels, { ...options, batchSize: 3 });
    const asked: number[][] = [];
    const source = (start: number, end: number) => {
      asked.push([start, end]);
      return tf.slice(net.images, start, end - start) as Tensor4D;
    };
    const streamed = await robustAccuracy(net.classifier, attacks, source, labels, { ...options, batchSize: 8 });
    expect(asked).to.deep.equal([
      [0, 8],
      [8, 16],
      [16, 20],
    ]);
    for (const { cost: _, ...result } of [split, streamed]) {
      const { cost: __, ...expected } = whole;
      expect(result).to.deep.equal(expected);
    }
    net.dispose();
  });

  it('leaves no tensor behind, also when an attack throws', async () => {
    const net = smoothNet(4, 6);
    const before = tf.memory().numTensors;
    await robustAccuracy(net.classifier, attacks, net.images, net.labels, { batchSize: 4 });
    expect(tf.memory().numTensors).to.equal(before);
    const broken: Attack = { ...attacks[0], perturb: () => Promise.reject(new Error('broken')) };
    const error = await rejection(robustAccuracy(net.classifier, [broken], net.images, net.labels));
    expect(error.message).to.equal('broken');
    expect(tf.memory().numTensors).to.equal(before);
    net.dispose();
  });

  it('keeps no more than a batch of a large set in memory', async () => {
    const net = smoothNet(3, 1);
    const n = 600;
    const before = tf.memory().numTensors;
    let most = 0;
    const source = (start: number, end: number) => {
      most = Math.max(most, tf.memory().numTensors);
      return tf.tile(net.images, [end - start, 1, 1, 1]) as Tensor4D;
    };
    const labels = new Uint8Array(n).fill(net.labels.dataSync()[0]);
    const progress: number[] = [];
    const result = await robustAccuracy(net.classifier, [attacks[0]], source, labels, {
      batchSize: 100,
      onProgress: (done) => progress.push(done),
    });
    expect(result.clean).to.equal(1);
    expect(most).to.equal(before);
    expect(progress).to.deep.equal([100, 200, 300, 400, 500, 600]);
    net.dispose();
  });

  it('counts what each attack asks of the model', async () => {
    const net = smoothNet(4, 5);
    let forward = 0;
    const counting = (images: Tensor4D) => {
      forward += images.shape[0];
      return net.classifier(images);
    };
    const { cost, correct } = await robustAccuracy(counting, attacks, net.images, net.labels);
    const spent = Object.values(cost).reduce((sum, { forwardPasses }) => sum + forwardPasses, 0);
    expect(spent + correct.length).to.equal(forward);
    expect(cost.fgsm).to.deep.equal({ forwardPasses: 4 * 5, inputGradients: 5 });
    net.dispose();
  });

  it('says what is wrong with attacks of one name, missing labels and an empty set', async () => {
    const net = smoothNet(4, 5);
    const run = (...[which, images, labels]: [readonly Attack[], Tensor4D, ArrayLike<number>]) =>
      rejection(robustAccuracy(net.classifier, which, images, labels));
    const twice = await run([pgd({ epsilon: 0.1 }), pgd({ epsilon: 0.2 })], net.images, net.labels.dataSync());
    expect(twice).to.be.instanceOf(InputError);
    expect(twice.message).to.match(/Two attacks are called pgd/);
    expect((await run(attacks, net.images, [1, 2])).message).to.match(/\[5\].*got 2/);
    const foreign = robustAccuracy(net.classifier, attacks, net.images, net.labels, { batch_size: 2 } as never);
    expect((await rejection(foreign)).message).to.match(/no option batch_size\. Did you mean batchSize\?/);
    const none = tf.zeros([0, 3, 3, 2]) as Tensor4D;
    expect((await run(attacks, none, [])).message).to.match(/at least one image/);
    none.dispose();
    net.dispose();
  });
});
