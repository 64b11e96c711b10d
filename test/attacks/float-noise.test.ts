import type { Tensor1D, Tensor2D, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { type Attack, type Classifier, cw, deepFool, fabT, norms, success } from '../../attacks/index.ts';
import { isWithinNoise } from '../../attacks/loops/float-noise.ts';
import { underAttack } from '../../attacks/measure/under-attack.ts';
import { seedKey, uniform } from '../../src/core/key.ts';
import { useBackend } from '../backend.ts';

const COUNT = 12;
const SIZE = 8;

/** Whether images are brighter than a half, with a part that both logits have and whose rounding their difference shares. */
const brightness =
  (common: number): Classifier =>
  (images) =>
    tf.tidy(() => {
      const difference = tf.mul(tf.sub(tf.mean(images, [1, 2, 3]), 0.5), 10);
      return tf.add(tf.stack([tf.neg(difference), difference], 1), common) as Tensor2D;
    });

describe('examples near the boundary', () => {
  let images: Tensor4D;
  let labels: Tensor1D;
  before(async () => {
    await useBackend('cpu');
    images = tf.tensor4d(uniform(seedKey(2), COUNT * SIZE, 0.1, 0.45), [COUNT, 2, 2, 2]);
    labels = tf.zeros([COUNT], 'int32');
  });
  after(() => tf.dispose([images, labels]));

  it('lie within float noise if their margin is at most a hundred-thousandth of the largest logit', () => {
    const noisy = (kind: 'untargeted' | 'targeted', wanted: number, ...logits: number[]) =>
      isWithinNoise(kind, wanted, Float32Array.from(logits));
    for (const scale of [1e-20, 1, 1e20]) {
      expect(noisy('untargeted', 0, scale, scale * 1.000001, -scale)).to.equal(true);
      expect(noisy('untargeted', 0, scale, scale * 1.0001, -scale)).to.equal(false);
      expect(noisy('targeted', 1, scale, scale * 1.000001, -scale)).to.equal(true);
      expect(noisy('targeted', 1, scale, scale * 1.0001, -scale)).to.equal(false);
    }
    // A tie, a goal that is not met, and no numbers.
    expect(noisy('untargeted', 1, 3, 3)).to.equal(true);
    expect(noisy('untargeted', 0, 3.00001, 3)).to.equal(false);
    expect(noisy('untargeted', 0, Number.NaN, 1)).to.equal(false);
  });

  it('are measured by the logits that a class can win by, not by those of classes that are never given', () => {
    for (const scale of [1e-20, 1, 1e20]) {
      for (const never of [-1e9 * scale, Number.NEGATIVE_INFINITY]) {
        const noisy = (margin: number) =>
          isWithinNoise('untargeted', 0, Float32Array.of(scale, scale * (1 + margin), never, -7 * scale));
        expect(noisy(1e-6)).to.equal(true);
        expect(noisy(1e-3)).to.equal(false);
      }
    }
    expect(isWithinNoise('untargeted', 0, Float32Array.of(1, Number.POSITIVE_INFINITY, 0))).to.equal(false);
  });

  const near = { norm: 'l2', overshoot: 1.0001 } as const;
  const short = { steps: 50, searchSteps: 5, initialConstant: 1 } as const;
  const attacks: readonly (readonly [string, Attack, Attack])[] = [
    // Little more than the hyperplane is aimed at, so that rounding could decide on which side an example lies.
    ['fab-t', fabT({ ...near, steps: 20 }), fabT({ ...near, epsilon: 2, steps: 20 })],
    ['cw', cw(short), cw({ ...short, epsilon: 2 })],
    ['deepfool', deepFool(), deepFool({ epsilon: 2 })],
  ];
  for (const [name, free, capped] of attacks) {
    it(`are moved beyond it by ${name}, by less than a thousandth of their distance`, async () => {
      const model = brightness(10);
      for (const attack of [free, capped]) {
        const { adversarial, survived, withinNoise } = await underAttack(model, attack, images, labels, {
          key: seedKey(0),
          samples: Array.from({ length: COUNT }, (_, i) => i),
        });
        // So few steps of Adam leave some images right.
        expect(survived.filter(Boolean).length).to.be.below(name === 'cw' ? COUNT : 1);
        expect(withinNoise).to.equal(0);
        if (name === 'fab-t') {
          const [clean, moved] = [images.dataSync(), adversarial.dataSync()];
          for (let i = 0; i < COUNT; i++) {
            const [from, to] = [clean, moved].map((all) => all.slice(i * SIZE, (i + 1) * SIZE) as Float32Array);
            const mean = from.reduce((sum, pixel) => sum + pixel, 0) / SIZE;
            const boundary = Math.sqrt(SIZE) * (0.5 - mean);
            expect(norms.l2.distance(from, to)).to.be.within(boundary, boundary * 1.001 + 1e-6);
          }
        }
        adversarial.dispose();
      }
    });
  }

  it('stay as they are, and are counted, where no thousandth is enough', async () => {
    // Logits so large that their difference is lost in their rounding until it is a tenth.
    const model = brightness(10_000);
    const attack = fabT({ norm: 'l2', steps: 20 });
    const samples = Array.from({ length: COUNT }, (_, i) => i);
    const { adversarial, survived, withinNoise } = await underAttack(model, attack, images, labels, {
      key: seedKey(0),
      samples,
    });
    expect(await success(model, adversarial, labels)).to.deep.equal(survived.map((is) => !is));
    expect(withinNoise)
      .to.equal(survived.filter((is) => !is).length)
      .and.to.be.above(0);
    adversarial.dispose();
  });
});
