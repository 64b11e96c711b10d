import '@tensorflow/tfjs-backend-cpu';
import type { Tensor1D, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { norms } from '../../attacks/index.ts';
import { crossEntropy } from '../../attacks/losses.ts';
import type { Classifier, NormName } from '../../attacks/types.ts';
import { UsageError } from '../../src/core/errors.ts';
import { foldIn, seedKey } from '../../src/core/key.ts';
import { at } from '../../src/objectives/objectives.ts';
import type { InnerAttack } from '../../src/objectives/types.ts';
import { type CombinationName, combinations } from '../../src/training/adversary/several-norms/several-norms.ts';
import { trainingAttacks } from '../../src/training/adversary/training-attacks.ts';
import { prepassAttack, trainingAttack, validationAttack } from '../../src/training/adversary/training-batches.ts';
import { describe as inWords, parseConfig, type TrainOptions } from '../../src/training/config/config.ts';
import { smoothNet } from '../attacks/nets.ts';
import { useBackend } from '../backend.ts';
import { tinyConfig } from './tiny.ts';

const INNER: InnerAttack = { loss: 'ce', startNoise: null, share: 1 };
const RADII: readonly (readonly [NormName, number])[] = [
  ['linf', 0.06],
  ['l2', 0.2],
  ['l1', 0.6],
];
const NAMES = Object.keys(combinations) as CombinationName[];
const STEPS = 3;
const COUNT = 8;

const membersOf = (scale = 1) =>
  RADII.map(([norm, radius]) => {
    const epsilon = scale * radius;
    const options = { norm, epsilon, steps: STEPS, stepSize: (2.5 * epsilon) / STEPS, inner: INNER };
    return { ...options, attack: trainingAttacks.pgd.build(options) };
  });

describe('training attacks in several norms', () => {
  let net: ReturnType<typeof smoothNet>;
  before(async () => {
    await useBackend('cpu');
    net = smoothNet(4, COUNT);
  });
  after(() => net.dispose());

  async function perturb(name: CombinationName, samples: readonly number[], { seed = 0, scale = 1 } = {}) {
    const images = tf.gather(net.images, [...samples]);
    const labels = tf.gather(net.labels, [...samples]);
    const cost = { forwardPasses: 0, inputGradients: 0 };
    const made = await combinations[name].build(membersOf(scale)).perturb(net.classifier, images, labels, {
      mode: 'train',
      key: seedKey(seed),
      samples,
      onCost: (spent) => {
        cost.forwardPasses += spent.forwardPasses;
        cost.inputGradients += spent.inputGradients;
      },
    });
    const pixels = rowsOf(made);
    tf.dispose([images, labels, made]);
    return { pixels, cost };
  }

  const rowsOf = (images: Tensor4D): number[][] =>
    tf.tidy(() => tf.reshape(images, [images.shape[0], -1]).arraySync() as number[][]);
  const all = Array.from({ length: COUNT }, (_, i) => i);
  const lossesOf = (pixels: readonly number[][], labels: Tensor1D): Float32Array =>
    tf.tidy(
      () =>
        crossEntropy(net.classifier(tf.reshape(tf.tensor2d([...pixels]), [-1, 3, 3, 2])), {
          kind: 'untargeted',
          labels,
        }).dataSync() as Float32Array,
    );

  for (const name of NAMES) {
    it(`${name} keeps each example in the ball of a norm and to pixels, repeats under its key, counts its costs and leaks no tensor`, async () => {
      const tensors = tf.memory().numTensors;
      const clean = rowsOf(net.images);
      for (const scale of [1, 5]) {
        const { pixels, cost } = await perturb(name, all, { scale });
        expect(pixels).to.have.length(name === 'average' ? 3 * COUNT : COUNT);
        pixels.forEach((row, i) => {
          for (const pixel of row) expect(pixel).to.be.within(0, 1);
          const inside = RADII.map(
            ([norm, radius]) => norms[norm].distance(row, clean[i % COUNT]) <= scale * radius * (1 + 1e-6),
          );
          if (name === 'average') expect(inside[Math.floor(i / COUNT)]).to.equal(true);
          else expect(inside).to.include(true);
        });
        const gradients = { maximum: 3, average: 3, random: 1, msd: 1 }[name] * STEPS * COUNT;
        const looks = { maximum: 3, average: 0, random: 0, msd: 3 * STEPS }[name] * COUNT;
        expect(cost).to.deep.equal({ forwardPasses: gradients + looks, inputGradients: gradients });
      }
      expect((await perturb(name, all)).pixels).to.deep.equal((await perturb(name, all)).pixels);
      expect(tf.memory().numTensors).to.equal(tensors);
    });

    it(`${name} gives an image the same example in any batch`, async () => {
      const whole = (await perturb(name, all)).pixels;
      const some = [5, 0, 3];
      const part = (await perturb(name, some)).pixels;
      part.forEach((row, i) => {
        const of = whole[Math.floor(i / some.length) * COUNT + some[i % some.length]];
        row.forEach((pixel, j) => {
          expect(pixel).to.be.closeTo(of[j], 1e-6);
        });
      });
    });

    it(`${name} raises the cross-entropy of every image above that of the image`, async () => {
      const { pixels } = await perturb(name, all);
      const before = lossesOf(rowsOf(net.images), net.labels);
      for (let first = 0; first < pixels.length; first += COUNT) {
        lossesOf(pixels.slice(first, first + COUNT), net.labels).forEach((loss, i) => {
          expect(loss).to.be.above(before[i]);
        });
      }
    });

    it(`${name} leaves no tensor behind when the model throws`, async () => {
      for (let calls = 0; calls < 6; calls++) {
        let left = calls;
        const breaking: Classifier = (images) => {
          const logits = net.classifier(images);
          if (left-- === 0) throw new Error('out of order');
          return logits;
        };
        const tensors = tf.memory().numTensors;
        const outcome = await combinations[name]
          .build(membersOf())
          .perturb(breaking, net.images, net.labels, { mode: 'train' })
          .catch((error: Error) => error);
        if (left < 0) expect((outcome as Error).message).to.equal('out of order');
        else (outcome as Tensor4D).dispose();
        expect(tf.memory().numTensors).to.equal(tensors);
      }
    });
  }

  it('maximum takes for each image the norm of highest cross-entropy, of those that average gives', async () => {
    const each = (await perturb('average', all)).pixels;
    const worst = (await perturb('maximum', all)).pixels;
    const losses = RADII.map((_, k) => lossesOf(each.slice(k * COUNT, (k + 1) * COUNT), net.labels));
    worst.forEach((row, i) => {
      const most = Math.max(...losses.map((of) => of[i]));
      const k = losses.findIndex((of) => of[i] === most);
      expect(row).to.deep.equal(each[k * COUNT + i]);
    });
  });

  it('random takes each norm about as often, another one in other epochs', async () => {
    const drawn = new Map<string, number>();
    let changed = 0;
    let before: number[] = [];
    for (let epoch = 0; epoch < 12; epoch++) {
      const { pixels } = await perturb('random', all, { seed: epoch });
      const clean = rowsOf(net.images);
      // The perturbation of linf is the densest and that of l1 the sparsest: which one it is shows in its length in l1.
      const lengths = pixels.map((row, i) => norms.l1.distance(row, clean[i]) / norms.linf.distance(row, clean[i]));
      const kinds = pixels.map((row, i) =>
        norms.linf.distance(row, clean[i]) <= 0.06 * (1 + 1e-6)
          ? 0
          : norms.l2.distance(row, clean[i]) <= 0.2 * (1 + 1e-6)
            ? 1
            : 2,
      );
      expect(lengths.every((length) => length >= 1)).to.equal(true);
      for (const kind of kinds) drawn.set(String(kind), (drawn.get(String(kind)) ?? 0) + 1);
      if (epoch > 0) changed += kinds.filter((kind, i) => kind !== before[i]).length;
      before = kinds;
    }
    expect(drawn.size).to.be.at.least(2);
    expect(Math.max(...drawn.values())).to.be.below(0.8 * 12 * COUNT);
    expect(changed).to.be.above(11 * COUNT * 0.2);
    expect(foldIn(seedKey(0), 'norm')).to.not.deep.equal(foldIn(seedKey(1), 'norm'));
  });

  it('msd finds examples at least as bad as the worst norm on most images', async () => {
    const single = lossesOf((await perturb('maximum', all)).pixels, net.labels);
    const mixed = lossesOf((await perturb('msd', all)).pixels, net.labels);
    expect(mixed.filter((loss, i) => loss > 0.8 * single[i]).length).to.be.at.least(COUNT - 2);
  });
});

describe('settings of training against several norms', () => {
  const SEVERAL: TrainOptions = { norms: { l1: 12, linf: 8 / 255 } };
  const parse = (options: TrainOptions) => parseConfig({ dataset: 'cifar10', ...options });

  it('name the norms in one order, the first of which is norm and epsilon, and resolve to themselves', () => {
    const config = parse(SEVERAL);
    expect(Object.keys(config.norms ?? {})).to.deep.equal(['linf', 'l1']);
    expect(config).to.include({ norm: 'linf', epsilon: 8 / 255, combineNorms: 'maximum', trainingAttack: 'pgd' });
    expect(config).to.not.have.property('stepSize');
    expect(parseConfig(config)).to.deep.equal(config);
    expect(inWords(config)).to.contain('at maximum of linf 8/255, l1 12 PGD-10');
    expect(parse({})).to.not.have.any.keys('norms', 'combineNorms');
  });

  it('give each norm its usual steps, and a warm-up as far as that of the others', () => {
    const config = tinyConfig({ norms: { linf: 0.1, l2: 1 }, combineNorms: 'average', attackWarmup: 2 });
    expect(trainingAttack(config, at(), { epoch: 0, guard: null })?.name).to.equal('average');
    expect(trainingAttack(tinyConfig({ objective: 'natural' }), at(), { epoch: 0, guard: null })).to.equal(null);
  });

  it('give a pre-pass its own number of steps in every norm, also beside a training attack of one step', async () => {
    await useBackend('cpu');
    const net = smoothNet(4, 4);
    const config = tinyConfig({
      norms: { linf: 0.1, l2: 1 },
      combineNorms: 'average',
      trainingAttack: 'rs-fgsm',
      optimizer: 'agent',
      agentPrepass: 'matched',
      agentAttackSteps: 3,
    });
    const gradientsOf = async (attack: ReturnType<typeof prepassAttack>) => {
      let inputGradients = 0;
      const made = await attack?.perturb(net.classifier, net.images, net.labels, {
        mode: 'train',
        onCost: (cost) => {
          inputGradients += cost.inputGradients;
        },
      });
      made?.dispose();
      return inputGradients / 4;
    };
    const standing = { epoch: 0, guard: null };
    expect(await gradientsOf(trainingAttack(config, at(), standing))).to.equal(2);
    expect(await gradientsOf(prepassAttack(config, at(), standing))).to.equal(2 * 3);
    net.dispose();
  });

  it('validate by the worst norm of each image', async () => {
    await useBackend('cpu');
    const net = smoothNet(4, 8);
    const config = tinyConfig({ norms: { linf: 0.05, l2: 0.2, l1: 0.6 } });
    const fooled = async (attack: ReturnType<typeof validationAttack>) => {
      const adversarial = await attack.perturb(net.classifier, net.images, net.labels);
      const predictions = tf.tidy(() => tf.argMax(net.classifier(adversarial), 1).dataSync());
      adversarial.dispose();
      const labels = net.labels.dataSync();
      return Array.from(predictions, (prediction, i) => prediction !== labels[i]);
    };
    const all = await fooled(validationAttack(config));
    const key = seedKey(0);
    const each = await Promise.all(
      (['linf', 'l2', 'l1'] as const).map((norm) =>
        fooled({
          perturb: (model, images, goal) =>
            validationAttack(tinyConfig({ norm, epsilon: config.norms?.[norm] })).perturb(model, images, goal, {
              key: foldIn(key, norm),
            }),
        }),
      ),
    );
    expect(all).to.deep.equal(all.map((_, i) => each.some((one) => one[i])));
    expect(all.filter(Boolean).length).to.be.within(1, 8);
    net.dispose();
  });

  const refused: readonly (readonly [string, TrainOptions, RegExp])[] = [
    ['one norm', { norms: { l2: 0.5 } }, /norms needs two norms or more, got l2=0.5/],
    ['an unknown norm', { norms: { l3: 1, l2: 1 } as never }, /norms/],
    ['a radius in grey levels', { norms: { linf: 8, l2: 0.5 } }, /Did you mean 8\/255/],
    ['another norm beside them', { ...SEVERAL, norm: 'l2' }, /both say what training is against/],
    ['another radius beside them', { ...SEVERAL, epsilon: 0.2 }, /both say what training is against/],
    [
      'an objective other than at',
      { ...SEVERAL, objective: 'trades' },
      /norms .* applies only to the objective at, got objective trades/,
    ],
    ['a way without norms', { combineNorms: 'msd' }, /combineNorms msd applies only to training against several norms/],
    [
      'a step size',
      { ...SEVERAL, stepSize: 0.1 },
      /stepSize 0.1 applies only to adversarial objectives against one norm/,
    ],
    [
      'msd with steps of another attack',
      { ...SEVERAL, combineNorms: 'msd', trainingAttack: 'rs-fgsm' },
      /msd has steps of its own/,
    ],
  ];
  for (const [what, options, message] of refused) {
    it(`refuse ${what}`, () => {
      expect(() => parse(options)).to.throw(UsageError, message);
    });
  }
});
