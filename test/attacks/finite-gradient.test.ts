import type { Tensor, Tensor1D, Tensor2D, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import * as fc from 'fast-check';
import {
  type Attack,
  type AttackName,
  attackNorms,
  attacks,
  type Classifier,
  fgsm,
  type Loss,
  miFgsm,
  norms,
  pgd,
  robustAccuracy,
} from '../../attacks/index.ts';
import { finiteGradient, makeFinite } from '../../attacks/loops/finite-gradient.ts';
import { useBackend } from '../backend.ts';
import { lengthOf, smoothNet } from './nets.ts';

const { NaN: nan, POSITIVE_INFINITY: infinity } = Number;
const COUNT = 4;
const SIZE = 18;

const attackNames = Object.keys(attacks) as AttackName[];
const members = attackNames.flatMap((name) => attackNorms[name].map((norm) => ({ name, norm })));

/** An attack with few steps; those that search the smallest perturbation have no limit. */
const make = (name: AttackName, norm: string, epsilon: number): Attack =>
  (attacks[name] as (options: object) => Attack)({ norm, epsilon, ...lengthOf(name, { steps: 3, queries: 10 }) });

/** The identity of images, with a gradient that the caller chooses. */
const withGradient = (images: Tensor4D, change: (dy: Tensor) => Tensor): Tensor4D =>
  tf.customGrad((x) => ({ value: tf.clone(x as Tensor), gradFunc: (dy: Tensor) => change(dy) }))(images) as Tensor4D;

/** Replaces components of each image's gradient. */
const replacing =
  (components: Readonly<Record<number, number>>) =>
  (dy: Tensor): Tensor => {
    const places = Object.keys(components).map(Number);
    const at = tf.tensor4d(
      Array.from({ length: SIZE }, (_, i) => +places.includes(i)),
      [1, 3, 3, 2],
    );
    const values = tf.tensor4d(
      Array.from({ length: SIZE }, (_, i) => components[i] ?? 0),
      [1, 3, 3, 2],
    );
    return tf.where(tf.cast(tf.mul(at, tf.onesLike(dy)), 'bool'), tf.mul(values, tf.onesLike(dy)), dy);
  };

describe('gradients that are not finite', () => {
  let net: ReturnType<typeof smoothNet>;
  before(async () => {
    await useBackend('cpu');
    net = smoothNet(5, COUNT);
  });
  after(() => net.dispose());

  it('NaN becomes 0; infinite components become ±1 and all others 0', () => {
    const cases: [given: number[], expected: number[]][] = [
      [
        [1, -2, 3],
        [1, -2, 3],
      ],
      [
        [1, nan, -3],
        [1, 0, -3],
      ],
      [
        [nan, nan, nan],
        [0, 0, 0],
      ],
      [
        [1, infinity, -3],
        [0, 1, 0],
      ],
      [
        [-infinity, infinity, nan],
        [-1, 1, 0],
      ],
    ];
    for (const [given, expected] of cases) {
      const gradient = Float32Array.from(given);
      const changed = makeFinite(gradient);
      expect(Array.from(gradient)).to.deep.equal(expected);
      expect(changed).to.equal(given.some((slope) => !Number.isFinite(slope)));
    }
  });

  it('are mended image by image, and a finite gradient is not touched', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(fc.float(), { minLength: 4, maxLength: 4 }), { minLength: 1, maxLength: 5 }),
        async (rows) => {
          const given = tf.tensor4d(rows.flat(), [rows.length, 2, 2, 1]);
          const expected = rows.flatMap((row) => {
            const own = Float32Array.from(row);
            makeFinite(own);
            return [...own];
          });
          let told = 0;
          const mended = await finiteGradient(given, (gradients) => {
            told += gradients;
          });
          expect(Array.from(mended.dataSync(), (x) => x + 0)).to.deep.equal(expected.map((x) => x + 0));
          const broken = rows.filter((row) => !row.every(Number.isFinite)).length;
          expect(told).to.equal(broken);
          expect(mended === given).to.equal(broken === 0);
          tf.dispose([given, mended]);
        },
      ),
      { numRuns: 100, seed: 6 },
    ));

  const patterns: [title: string, components: Readonly<Record<number, number>>][] = [
    ['NaN in one component', { 3: nan }],
    ['NaN in every component', Object.fromEntries(Array.from({ length: SIZE }, (_, i) => [i, nan]))],
    ['one infinite component', { 2: infinity }],
    ['infinite components of both signs, and NaN', { 0: infinity, 5: -infinity, 7: nan }],
    ['infinity in every component', Object.fromEntries(Array.from({ length: SIZE }, (_, i) => [i, infinity]))],
    ['the largest finite numbers', { 0: 3e38, 1: -3e38, 2: 3e38 }],
  ];
  for (const { name, norm } of members) {
    it(`${name} in ${norm} makes finite images within its ball of them`, async () => {
      for (const [i, [title, components]] of patterns.entries()) {
        const mode = i % 2 === 0 ? 'train' : 'evaluate';
        const model: Classifier = (images) => net.classifier(withGradient(images, replacing(components)));
        const tensors = tf.memory().numTensors;
        let told = 0;
        const adversarial = await make(name, norm, 0.1).perturb(model, net.images, net.labels, {
          mode,
          onNonFinite: (gradients) => {
            told += gradients;
          },
        });
        const pixels = adversarial.dataSync();
        expect(
          pixels.every((pixel) => pixel >= 0 && pixel <= 1),
          title,
        ).to.equal(true);
        for (let i = 0; i < COUNT; i++) {
          const [a, b] = [pixels, net.images.dataSync()].map((all) => all.subarray(i * SIZE, (i + 1) * SIZE));
          expect(norms[norm].distance(a, b), title).to.be.at.most(0.1);
        }
        // Square takes no gradient.
        if (name !== 'square' && !title.includes('finite numbers')) expect(told, title).to.be.above(0);
        adversarial.dispose();
        expect(tf.memory().numTensors).to.equal(tensors);
      }
    });
  }

  it('a step goes along the infinite components alone, by the step of the norm', async () => {
    const gray = tf.fill([1, 3, 3, 2], 0.5) as Tensor4D;
    const labels = tf.tidy(() => tf.argMax(net.classifier(gray), 1)) as Tensor1D;
    const components = { 0: infinity, 5: -infinity, 7: nan };
    const model: Classifier = (images) => net.classifier(withGradient(images, replacing(components)));
    const lengths = { linf: 0.1, l2: 0.1 / Math.SQRT2 };
    for (const norm of ['linf', 'l2'] as const) {
      for (const attack of [
        fgsm({ norm, epsilon: 0.1 }),
        pgd({ norm, epsilon: 0.1, steps: 1, randomStart: false, stepSize: 0.1 }),
        miFgsm({ norm, epsilon: 0.1, steps: 2, stepSize: 0.1 }),
      ]) {
        const adversarial = await attack.perturb(model, gray, labels, { mode: 'train' });
        const moved = Array.from(adversarial.dataSync(), (pixel) => pixel - 0.5);
        moved.forEach((move, i) => {
          const expected = i === 0 ? lengths[norm] : i === 5 ? -lengths[norm] : 0;
          expect(move, `${attack.name} in ${norm}, component ${i}`).to.be.closeTo(expected, 1e-6);
        });
        adversarial.dispose();
      }
    }
    tf.dispose([gray, labels]);
  });

  it('an image that a model standardises to nothing is not counted as fooled, nor does it change the others', async () => {
    // The deviation of a uniform image is 0, where its gradient is infinite.
    const standardising: Classifier = (images) => {
      const centred = tf.sub(images, tf.mean(images, [1, 2, 3], true));
      const deviation = tf.sqrt(tf.mean(tf.square(centred), [1, 2, 3], true));
      const standard = tf.div(centred, tf.maximum(deviation, 0.01)) as Tensor4D;
      return tf.add(
        tf.mul(net.classifier(tf.add(tf.mul(standard, 0.1), 0.5)), 1),
        tf.tensor2d([[0.01, 0, 0, 0, 0]]),
      ) as Tensor2D;
    };
    const uniform = tf.fill([1, 3, 3, 2], 0.5) as Tensor4D;
    const images = tf.concat([uniform, net.images]) as Tensor4D;
    const labels = tf.tidy(() => tf.argMax(standardising(images), 1)) as Tensor1D;
    expect(labels.dataSync()[0]).to.equal(0);
    for (const { name, norm } of members) {
      if (name === 'square' || name === 'autoattack') continue;
      const attack = make(name, norm, norm === 'linf' ? 0.05 : norm === 'l2' ? 0.2 : 0.5);
      const options = { samples: [9, 0, 1, 2, 3] };
      const whole = await robustAccuracy(standardising, { attack }, images, labels, options);
      // Attacks that start at the image see nothing there; others leave it.
      if (['fgsm', 'bim', 'mi-fgsm', 'fab-t', 'deepfool', 'cw'].includes(name)) {
        expect(whole.survived[0], `${name} in ${norm}`).to.equal(true);
      }
      const others = tf.slice(labels, 1) as Tensor1D;
      const alone = await robustAccuracy(standardising, { attack }, net.images, others, { samples: [0, 1, 2, 3] });
      expect(whole.survived.slice(1), `${name} in ${norm}`).to.deep.equal([...alone.survived]);
      others.dispose();
    }
    tf.dispose([uniform, images, labels]);
  });

  it('an infinite or undefined loss of one image does not touch the examples of others', async () => {
    const loss =
      (value: number): Loss =>
      (logits, goal) => {
        const hot = tf.oneHot((goal as { labels: Tensor1D }).labels, 5);
        const right = tf.sum(tf.mul(logits, tf.cast(hot, 'float32')), 1);
        const second = tf.equal(tf.range(0, logits.shape[0]), logits.shape[0] === COUNT ? 1 : -1);
        return tf.where(second, tf.fill([logits.shape[0]], value), tf.neg(right)) as Tensor1D;
      };
    const options = { epsilon: 0.05, steps: 3 } as const;
    const plain = await pgd({ ...options, loss: loss(0) }).perturb(net.classifier, net.images, net.labels, {
      mode: 'train',
    });
    for (const value of [nan, infinity, -infinity]) {
      const spoiled = await pgd({ ...options, loss: loss(value) }).perturb(net.classifier, net.images, net.labels, {
        mode: 'train',
      });
      expect(Array.from(spoiled.dataSync())).to.deep.equal(Array.from(plain.dataSync()));
      spoiled.dispose();
    }
    plain.dispose();
  });

  it('momentum that grows beyond float32 leaves images finite', async () => {
    for (const norm of ['linf', 'l2', 'l1'] as const) {
      const attack = miFgsm({ norm, epsilon: 0.2, steps: 45, momentum: 10 });
      const adversarial = await attack.perturb(net.classifier, net.images, net.labels, { mode: 'train' });
      expect(adversarial.dataSync().every((pixel) => pixel >= 0 && pixel <= 1)).to.equal(true);
      adversarial.dispose();
    }
  });
});
