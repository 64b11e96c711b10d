import type { Tensor, Tensor1D, Tensor2D, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import {
  type Attack,
  bim,
  crossEntropy,
  cwMargin,
  cwMarginUpTo,
  dlr,
  fgsm,
  type Goal,
  kl,
  type Loss,
  lossGradient,
  miFgsm,
  type PerturbOptions,
  pgd,
} from '../../attacks/index.ts';
import { skipUnlessExact, useBackend } from '../backend.ts';
import { golden, toTensor } from '../golden.ts';
import { goldenNet } from './nets.ts';

const largest = (difference: Tensor): number => tf.tidy(() => tf.max(tf.abs(difference)).dataSync()[0]);
const apart = (a: Tensor, b: Tensor): number => tf.tidy(() => largest(tf.sub(a, b)));

describe('attacks against the golden vectors', () => {
  before(() => useBackend('cpu'));
  beforeEach(() => tf.engine().startScope());
  afterEach(() => tf.engine().endScope());

  const EPSILON = 8 / 255;

  it('sees the logits, the losses and the input gradient of the golden net', () => {
    const { classifier, images, labels, tensors } = goldenNet(4);
    const { gradient, loss, logits } = lossGradient(classifier, crossEntropy, { kind: 'untargeted', labels }, images);
    const first = (name: string) => tf.slice(toTensor(tensors[name]), 0, 4);
    expect(apart(logits, first('logits'))).to.be.below(1e-4);
    expect(apart(loss, first('loss'))).to.be.below(1e-5);
    // The stored gradient is of the mean over 64 images.
    expect(apart(tf.div(gradient, 64), toTensor(tensors.input_grad))).to.be.below(1e-7);
  });

  interface Case {
    readonly title: string;
    readonly attack: Attack;
    readonly images?: number;
    readonly targeted?: boolean;
    readonly start?: string;
    /** Largest share of an image's pixels that may be off by more than 1e-5. */
    readonly share?: number;
    /** Largest distance of any pixel, where the norm has no signs to flip. */
    readonly pixel?: number;
  }
  const pgdLinf = { epsilon: EPSILON, stepSize: 2 / 255, steps: 10 };
  const pgdL2 = { norm: 'l2', epsilon: 0.5, stepSize: 0.1, steps: 10 } as const;
  const cases: Record<string, Case> = {
    fgsm: { title: 'FGSM', attack: fgsm({ epsilon: EPSILON }), share: 0 },
    fgm_l2: { title: 'FGM in l2', attack: fgsm({ norm: 'l2', epsilon: 0.5 }), pixel: 1e-5 },
    pgd_linf: { title: 'BIM', attack: bim(pgdLinf), share: 0.01 },
    pgd_linf_start: { title: 'PGD in linf from a start', attack: pgd(pgdLinf), start: 'start_delta', share: 0.01 },
    pgd_l2: { title: 'PGD in l2', attack: pgd({ ...pgdL2, randomStart: false }), pixel: 1.5e-3 },
    pgd_l2_start: { title: 'PGD in l2 from a start', attack: pgd(pgdL2), start: 'start_delta', pixel: 1.5e-3 },
    pgd_linf_targeted: { title: 'targeted PGD', attack: bim(pgdLinf), targeted: true, share: 0.15 },
    mifgsm: { title: 'MI-FGSM', attack: miFgsm(pgdLinf), share: 0.01 },
  };

  for (const [name, { title, attack, targeted, start, share = 0.05, pixel }] of Object.entries(cases)) {
    it(`${title} makes the golden adversarial images`, async () => {
      const stored = golden('attacks').tensors;
      const net = goldenNet(3);
      const first = <T extends Tensor>(key: string) => tf.slice(toTensor(stored[key]), 0, 3) as T;
      const goal: Goal = targeted
        ? { kind: 'targeted', targets: first<Tensor1D>('targets') }
        : { kind: 'untargeted', labels: net.labels };
      const options: PerturbOptions = {
        mode: 'train',
        start: start ? (tf.clipByValue(tf.add(net.images, first(`${name}.${start}`)), 0, 1) as Tensor4D) : undefined,
      };
      const adversarial = await attack.perturb(net.classifier, net.images, goal, options);
      const expected = first<Tensor4D>(`${name}.adv`);
      const off = tf.cast(tf.greater(tf.abs(tf.sub(adversarial, expected)), 1e-5), 'float32');
      if (pixel === undefined) {
        expect(largest(tf.mean(off, [1, 2, 3]))).to.be.at.most(share);
        expect(tf.mean(off).dataSync()[0]).to.be.at.most(0.05);
      } else {
        expect(apart(adversarial, expected)).to.be.at.most(pixel);
      }
      const logits = net.classifier(adversarial);
      const losses = crossEntropy(logits, { kind: 'untargeted', labels: net.labels });
      const mean = tf.mean(first(`${name}.loss`)).dataSync()[0];
      expect(tf.mean(losses).dataSync()[0]).to.be.closeTo(mean, 0.005 * mean);
      const predictions = tf.argMax(logits, 1);
      const success = targeted ? tf.equal(predictions, first('targets')) : tf.notEqual(predictions, net.labels);
      expect(Array.from(success.dataSync())).to.deep.equal(Array.from(first(`${name}.success`).dataSync()));
      adversarial.dispose();
    });
  }

  it('raises the KL divergence as the inner maximisation of TRADES does', async () => {
    const stored = golden('attacks').tensors;
    const net = goldenNet(2);
    const start = tf.add(net.images, tf.slice(toTensor(stored['trades.start_noise']), 0, 2)) as Tensor4D;
    const attack = pgd({ ...pgdLinf, loss: 'kl' });
    const adversarial = await attack.perturb(net.classifier, net.images, net.labels, { mode: 'train', start });
    const goal: Goal = { kind: 'untargeted', labels: net.labels };
    const reached = kl(net.classifier(adversarial), goal, net.classifier(net.images));
    const expected = tf.slice(toTensor(stored['trades.kl']), 0, 2);
    expect(largest(tf.div(tf.sub(reached, expected), expected))).to.be.below(0.05);
    adversarial.dispose();
  });
});

describe('losses against the golden vectors', () => {
  before(() => useBackend('cpu'));
  beforeEach(() => tf.engine().startScope());
  afterEach(() => tf.engine().endScope());

  const negated =
    (loss: Loss): Loss =>
    (...given) =>
      tf.neg(loss(...given));
  // The objectives are what an untargeted attack lowers, except DLR.
  const cases: Record<string, { loss: Loss; targeted?: boolean }> = {
    margin: { loss: negated(cwMargin) },
    cw_margin_kappa0: { loss: negated(cwMarginUpTo(0)) },
    cw_margin_kappa5: { loss: negated(cwMarginUpTo(5)) },
    dlr: { loss: dlr },
    dlr_targeted: { loss: dlr, targeted: true },
  };

  function valueAndGradient(loss: Loss, targeted = false) {
    const { tensors } = golden('objectives');
    const logits = toTensor(tensors.logits_clean) as Tensor2D;
    const labels = toTensor(tensors.labels) as Tensor1D;
    const goal: Goal = targeted
      ? { kind: 'targeted', targets: toTensor(tensors.targets) as Tensor1D, labels }
      : { kind: 'untargeted', labels };
    const value = loss(logits, goal);
    const gradient = tf.grad((z: Tensor) => tf.sum(loss(z as Tensor2D, goal)))(logits);
    return { value, gradient, tensors };
  }

  for (const [name, { loss, targeted }] of Object.entries(cases)) {
    it(`${name} has the golden values and the gradient of their sum`, () => {
      const { value, gradient, tensors } = valueAndGradient(loss, targeted);
      expect(apart(value, toTensor(tensors[`${name}.value`]))).to.be.below(1e-5);
      expect(apart(gradient, toTensor(tensors[`${name}.grad_clean`]))).to.be.below(1e-5);
    });
  }

  it('cross-entropy has the golden mean and gradient', () => {
    const { value, gradient, tensors } = valueAndGradient(crossEntropy);
    expect(tf.mean(value).dataSync()[0]).to.be.closeTo(1.1182384306981656, 1e-5);
    // The stored gradient is of the mean over 32 samples.
    expect(apart(tf.div(gradient, 32), toTensor(tensors['cross_entropy.grad_clean']))).to.be.below(1e-6);
  });

  for (const [name, loss] of Object.entries({ cwMargin, dlr })) {
    it(`${name} and its gradient follow a number that multiplies the logits, over the range of float32`, function () {
      skipUnlessExact(this);
      const { tensors } = golden('objectives');
      const logits = toTensor(tensors.logits_clean) as Tensor2D;
      const goal: Goal = { kind: 'untargeted', labels: toTensor(tensors.labels) as Tensor1D };
      const at = (scale: number) => {
        const scaled = tf.mul(logits, scale) as Tensor2D;
        const slopes = tf.grad((z: Tensor) => tf.sum(loss(z as Tensor2D, goal)))(scaled);
        return { value: loss(scaled, goal).dataSync(), slopes: slopes.dataSync() };
      };
      const plain = at(1);
      for (const power of [-120, -80, -41, -20, 20, 41, 80, 120]) {
        const { value, slopes } = at(2 ** power);
        // A margin grows with the logits, a ratio does not, and its gradient shrinks.
        const [grows, shrinks] = loss === cwMargin ? [2 ** power, 1] : [1, 2 ** -power];
        expect(Array.from(value)).to.deep.equal(Array.from(plain.value, (x) => x * grows));
        expect(Array.from(slopes)).to.deep.equal(Array.from(plain.slopes, (x) => x * shrinks));
      }
    });
  }

  it('the loss of one class is a number where the logit of another is infinite', () => {
    const logits = tf.tensor2d([3e38, -3e38, 0, Number.NEGATIVE_INFINITY, 1, 0], [2, 3]);
    const labels = tf.tensor1d([0, 1], 'int32');
    const goal: Goal = { kind: 'untargeted', labels };
    expect(Array.from(cwMargin(logits, goal).dataSync())).to.deep.equal([Math.fround(-3e38), -1]);
    expect(crossEntropy(logits, goal).dataSync()[0]).to.equal(0);
    const equal = tf.fill([1, 4], 2) as Tensor2D;
    const tied = dlr(equal, { kind: 'untargeted', labels: tf.tensor1d([0], 'int32') });
    expect(tied.dataSync()[0]).to.equal(0);
  });

  it('takes the clean prediction as the label of a targeted DLR without labels', () => {
    const { tensors } = golden('objectives');
    const logits = toTensor(tensors.logits_adv) as Tensor2D;
    const clean = toTensor(tensors.logits_clean) as Tensor2D;
    const targets = toTensor(tensors.targets) as Tensor1D;
    const labels = tf.argMax(clean, 1) as Tensor1D;
    const withLabels = dlr(logits, { kind: 'targeted', targets, labels });
    expect(apart(dlr(logits, { kind: 'targeted', targets }, clean), withLabels)).to.equal(0);
  });
});
