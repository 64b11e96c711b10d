import type { Tensor2D, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { type Attack, bim, crossEntropy, fgsm, miFgsm, pgd, success } from '../../attacks/index.ts';
import { seedKey } from '../../src/core/key.ts';
import { useBackend } from '../backend.ts';
import { smoothNet } from './nets.ts';

const SIZE = 18;
const example = (images: Tensor4D, i: number) => Array.from(images.dataSync().subarray(i * SIZE, (i + 1) * SIZE));

describe('pgd', () => {
  let net: ReturnType<typeof smoothNet>;
  before(async () => {
    await useBackend('cpu');
    net = smoothNet(5, 16);
  });
  after(() => net.dispose());

  const run = (attack: Attack, options = {}) => attack.perturb(net.classifier, net.images, net.labels, options);
  const lossesOf = (adversarial: Tensor4D) =>
    tf.tidy(() =>
      Array.from(crossEntropy(net.classifier(adversarial), { kind: 'untargeted', labels: net.labels }).dataSync()),
    );

  // Two steps of a quarter of epsilon depend on the start.
  const shy = { epsilon: 0.06, steps: 2, stepSize: 0.015 };

  it('chooses among restarts for every image by itself', async () => {
    const single = await run(pgd(shy));
    const several = await run(pgd({ ...shy, restarts: 4 }));
    const fooledAtOnce = await success(net.classifier, single, net.labels);
    const fooled = await success(net.classifier, several, net.labels);
    const [first, best] = [lossesOf(single), lossesOf(several)];
    let raised = 0;
    fooledAtOnce.forEach((is, i) => {
      if (is) expect(example(several, i)).to.deep.equal(example(single, i));
      else if (!fooled[i]) expect(best[i]).to.be.at.least(first[i]);
      if (!is && best[i] > first[i]) raised++;
    });
    expect(fooledAtOnce.some((is) => is) && fooledAtOnce.some((is) => !is)).to.equal(true);
    expect(raised).to.be.above(2);
    tf.dispose([single, several]);
  });

  it('stacks restarts no deeper than the batch, and drops images that have fallen', async () => {
    const rowsSeen: number[] = [];
    const watching = (images: Tensor4D) => {
      rowsSeen.push(images.shape[0]);
      return net.classifier(images);
    };
    const attack = pgd({ ...shy, restarts: 12 });
    const adversarial = await attack.perturb(watching, net.images, net.labels);
    const fallen = (await success(net.classifier, adversarial, net.labels)).filter(Boolean).length;
    expect(Math.max(...rowsSeen)).to.be.at.most(16);
    expect(fallen).to.be.above(2);
    const asked = rowsSeen.reduce((sum, rows) => sum + rows, 0);
    // The clean images, and for every image that stands 12 attempts of 2 steps and a last look.
    const standing = 16 - fallen;
    expect(asked).to.be.at.least(16 + standing * 12 * 3);
    expect(asked).to.be.below(16 + 16 * 12 * 3 * 0.75);
    adversarial.dispose();
  });

  it('keeps the iterate of highest loss, not the last', async () => {
    // So long a step overshoots, and the last iterate is worse than one before it.
    const attack = bim({ epsilon: 0.05, steps: 7, stepSize: 0.1 });
    const last = await run(attack, { mode: 'train' });
    const best = await run(attack);
    const fooled = await success(net.classifier, best, net.labels);
    const [atLast, atBest] = [lossesOf(last), lossesOf(best)];
    fooled.forEach((is, i) => {
      if (!is) expect(atBest[i]).to.be.at.least(atLast[i]);
    });
    tf.dispose([last, best]);
  });

  it('runs every step for every image in mode train', async () => {
    const rowsSeen: number[] = [];
    const watching = (images: Tensor4D) => {
      rowsSeen.push(images.shape[0]);
      return net.classifier(images);
    };
    const cost = { forwardPasses: 0, inputGradients: 0 };
    const adversarial = await pgd({ epsilon: 0.3, steps: 5 }).perturb(watching, net.images, net.labels, {
      mode: 'train',
      onCost: (spent) => {
        cost.forwardPasses += spent.forwardPasses;
        cost.inputGradients += spent.inputGradients;
      },
    });
    expect(rowsSeen).to.deep.equal([16, 16, 16, 16, 16]);
    expect(cost).to.deep.equal({ forwardPasses: 80, inputGradients: 80 });
    adversarial.dispose();
  });

  it('takes the restart of highest loss in mode train', async () => {
    const single = await run(pgd(shy), { mode: 'train' });
    const several = await run(pgd({ ...shy, restarts: 5 }), { mode: 'train' });
    const [one, five] = [lossesOf(single), lossesOf(several)];
    one.forEach((loss, i) => {
      expect(five[i]).to.be.at.least(loss);
    });
    expect(five.reduce((sum, loss) => sum + loss)).to.be.above(one.reduce((sum, loss) => sum + loss));
    tf.dispose([single, several]);
  });

  it('takes 2.5 epsilon / steps as its step, and a start instead of a random one', async () => {
    const start = tf.clipByValue(tf.add(net.images, 0.01), 0, 1) as Tensor4D;
    const options = { start, mode: 'train' } as const;
    const implied = await run(pgd({ epsilon: 0.04, steps: 5 }), options);
    const stated = await run(pgd({ epsilon: 0.04, steps: 5, stepSize: 0.02, restarts: 3 }), {
      ...options,
      key: seedKey(9),
    });
    expect(Array.from(implied.dataSync())).to.deep.equal(Array.from(stated.dataSync()));
    tf.dispose([start, implied, stated]);
  });

  it('starts FGSM with a random start in the ball, and steps 1.25 epsilon from there', async () => {
    const wide = await run(fgsm({ epsilon: 0.04, randomStart: true }), { mode: 'train', key: seedKey(3) });
    const equal = await run(pgd({ epsilon: 0.04, steps: 1, stepSize: 0.05 }), { mode: 'train', key: seedKey(3) });
    expect(Array.from(wide.dataSync())).to.deep.equal(Array.from(equal.dataSync()));
    const plain = await run(fgsm({ epsilon: 0.04 }), { mode: 'train' });
    expect(Array.from(wide.dataSync())).to.not.deep.equal(Array.from(plain.dataSync()));
    tf.dispose([wide, equal, plain]);
  });

  it('follows the accumulated gradient with momentum', async () => {
    // A loss whose gradient turns round after the first step: only momentum goes on.
    const turning = (images: Tensor4D) => {
      const z = tf.mean(images, [1, 2, 3]);
      const kink = tf.sub(tf.mul(2, tf.minimum(z, 0.55)), tf.mul(0.5, z));
      return tf.stack([tf.mul(-1, kink), tf.zerosLike(kink)], 1) as Tensor2D;
    };
    const images = tf.fill([1, 3, 3, 2], 0.5) as Tensor4D;
    const labels = tf.tensor1d([0], 'int32');
    const options = { epsilon: 0.3, steps: 2, stepSize: 0.1 };
    const follow = async (attack: Attack) => {
      const adversarial = await attack.perturb(turning, images, labels, { mode: 'train' });
      const [pixel] = adversarial.dataSync();
      adversarial.dispose();
      return pixel;
    };
    expect(await follow(bim(options))).to.be.closeTo(0.5, 1e-6);
    expect(await follow(miFgsm(options))).to.be.closeTo(0.6, 1e-6);
    expect(await follow(miFgsm({ ...options, momentum: 2 }))).to.be.closeTo(0.7, 1e-6);
    tf.dispose([images, labels]);
  });

  it("increases the caller's own loss", async () => {
    const attack = bim({
      epsilon: 0.05,
      steps: 3,
      loss: (logits) => tf.neg(tf.reshape(tf.slice(logits, [0, 2], [-1, 1]), [-1])),
    });
    const adversarial = await run(attack, { mode: 'train' });
    const third = (images: Tensor4D) => tf.tidy(() => tf.slice(net.classifier(images), [0, 2], [-1, 1]).dataSync());
    const [before, after] = [third(net.images), third(adversarial)];
    before.forEach((logit, i) => {
      expect(after[i]).to.be.below(logit);
    });
    adversarial.dispose();
  });

  it('attacks pixels within other bounds', async () => {
    const images = tf.tidy(() => tf.sub(tf.mul(net.images, 2), 1)) as Tensor4D;
    const model = (x: Tensor4D) => net.classifier(tf.div(tf.add(x, 1), 2) as Tensor4D);
    const attack = pgd({ epsilon: 0.6, bounds: [-1, 1] });
    const adversarial = await attack.perturb(model, images, net.labels, { mode: 'train' });
    const pixels = adversarial.dataSync();
    const original = images.dataSync();
    expect(Math.min(...pixels)).to.equal(-1);
    expect(Math.max(...pixels)).to.equal(1);
    pixels.forEach((pixel, i) => {
      expect(Math.abs(pixel - original[i])).to.be.at.most(0.6);
    });
    tf.dispose([images, adversarial]);
  });

  it('attacks two classes, one image, and none', async () => {
    const two = smoothNet(2, 1);
    const attack = pgd({ epsilon: 0.5, loss: 'cw' });
    const adversarial = await attack.perturb(two.classifier, two.images, two.labels);
    expect(await success(two.classifier, adversarial, two.labels)).to.deep.equal([true]);
    const none = tf.zeros([0, 3, 3, 2]) as Tensor4D;
    const labels = tf.tensor1d([], 'int32');
    const empty = await attack.perturb(two.classifier, none, labels);
    expect(empty.shape).to.deep.equal([0, 3, 3, 2]);
    tf.dispose([adversarial, none, labels, empty]);
    two.dispose();
  });

  it('gives a turn to timers while it runs', async () => {
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    const slow = (images: Tensor4D) => {
      for (const until = performance.now() + 15; performance.now() < until; );
      return net.classifier(images);
    };
    const adversarial = await pgd({ epsilon: 0.1, steps: 15 }).perturb(slow, net.images, net.labels, { mode: 'train' });
    clearInterval(timer);
    expect(turns).to.be.above(0);
    adversarial.dispose();
  });
});
