import '@tensorflow/tfjs-backend-cpu';
import type { Tensor, Tensor1D, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import fc from 'fast-check';
import { norms, pgd as pgdAttack } from '../../attacks/index.ts';
import { seedKey } from '../../src/core/key.ts';
import { disposeParams } from '../../src/core/params.ts';
import { init } from '../../src/models/init.ts';
import { buildModel } from '../../src/models/models.ts';
import { objectives } from '../../src/objectives/objectives.ts';
import type { InnerAttack } from '../../src/objectives/types.ts';
import { attackPlan } from '../../src/training/adversary/plan.ts';
import { formatSteps, parseSteps, stepsAt } from '../../src/training/adversary/steps-schedule.ts';
import { type TrainingAttackName, trainingAttacks } from '../../src/training/adversary/training-attacks.ts';
import { attackBatch } from '../../src/training/adversary/training-batches.ts';
import { goldenNet, smoothNet } from '../attacks/nets.ts';
import { useBackend } from '../backend.ts';
import { golden, toTensor } from '../golden.ts';

const NAMES = Object.keys(trainingAttacks) as TrainingAttackName[];
const CROSS_ENTROPY: InnerAttack = { loss: 'ce', startNoise: null, share: 1 };
const KL: InnerAttack = { loss: 'kl', startNoise: 0.001, share: 1 };
const RADII = { linf: 8 / 255, l2: 0.5, l1: 3 } as const;
type NormName = keyof typeof RADII;

/** The attack with its own step size and, where that is the user's, two steps. */
function build(name: TrainingAttackName, norm: NormName, epsilon: number, inner: InnerAttack) {
  const { steps = null, stepSize, build: attackOf } = trainingAttacks[name];
  return attackOf({ norm, epsilon, steps: steps ?? 2, stepSize: stepSize(epsilon, steps ?? 2), inner });
}

const furthest = (a: Tensor, b: Tensor): number => tf.tidy(() => tf.max(tf.abs(tf.sub(a, b))).dataSync()[0]);

describe('training attacks against the formulas in PyTorch', () => {
  before(() => useBackend('cpu'));
  const { json, tensors } = golden('training-attacks') as {
    json: { epsilon: Readonly<Record<'linf' | 'l2', number>> };
    tensors: ReturnType<typeof golden>['tensors'];
  };

  for (const name of ['rs-fgsm', 'n-fgsm'] as const) {
    for (const norm of ['linf', 'l2'] as const) {
      for (const [loss, inner] of [
        ['cross-entropy', CROSS_ENTROPY],
        ['kl', KL],
      ] as const) {
        it(`${name} in ${norm} with ${loss} makes the golden images from the golden noise`, async () => {
          const expected = toTensor(tensors[`${name}.${norm}.${loss}`]);
          const net = goldenNet(expected.shape[0]);
          const { classifier, images, labels } = net;
          const noise = toTensor(tensors[`${name}.${norm}.noise`]);
          const start = tf.add(images, noise) as Tensor4D;
          const attack = build(name, norm, json.epsilon[norm], inner);
          const adversarial = await attack.perturb(classifier, images, labels, { start, mode: 'train' });
          expect(adversarial.shape).to.deep.equal(expected.shape);
          expect(furthest(adversarial, expected)).to.be.below(2e-6);
          expect(furthest(adversarial, images)).to.be.above(0.01);
          net.dispose();
          tf.dispose([expected, noise, start, adversarial]);
        });
      }
    }
  }
});

describe('every training attack', () => {
  before(() => useBackend('cpu'));

  const cases = NAMES.flatMap((name) => Object.keys(RADII).map((norm) => [name, norm as NormName] as const));
  for (const [name, norm] of cases) {
    for (const [loss, inner] of [
      ['cross-entropy', CROSS_ENTROPY],
      ['kl', KL],
    ] as const) {
      const perturb = async (epsilon: number, samples: readonly number[], seed = 0) => {
        const net = smoothNet(3, 6);
        const attack = build(name, norm, epsilon, inner);
        const images = tf.gather(net.images, [...samples]);
        const labels = tf.gather(net.labels, [...samples]);
        const spent = { forwardPasses: 0, inputGradients: 0 };
        const adversarial = await attack.perturb(net.classifier, images, labels, {
          mode: 'train',
          key: seedKey(seed),
          samples,
          onCost: ({ forwardPasses, inputGradients }) => {
            spent.forwardPasses += forwardPasses;
            spent.inputGradients += inputGradients;
          },
        });
        const distances = Array.from((await images.array()) as number[][][][], (_, i) =>
          tf.tidy(() =>
            norms[norm].distance(
              tf.slice(adversarial, i, 1).dataSync() as Float32Array,
              tf.slice(images, i, 1).dataSync() as Float32Array,
            ),
          ),
        );
        const pixels = Array.from(adversarial.dataSync());
        net.dispose();
        tf.dispose([images, labels, adversarial]);
        return { pixels, distances, spent, attack };
      };

      it(`${name} in ${norm} with ${loss} keeps to pixels, to its ball and to its costs, and leaks no tensor`, async () => {
        const before = tf.memory().numTensors;
        for (const epsilon of [RADII[norm], norm === 'linf' ? 0.6 : 4 * RADII[norm]]) {
          const { pixels, distances, spent, attack } = await perturb(epsilon, [0, 1, 2, 3, 4, 5]);
          expect(Math.min(...pixels)).to.be.at.least(0);
          expect(Math.max(...pixels)).to.be.at.most(1);
          // N-FGSM does not project: noise of 2 ε and a step of ε.
          const reach = name === 'n-fgsm' ? 3 * epsilon : epsilon;
          expect(attack.epsilon).to.equal(norm === 'linf' ? Math.min(1, reach) : reach);
          for (const distance of distances) expect(distance).to.be.at.most(reach * (1 + 1e-6));
          const steps = trainingAttacks[name].steps ?? 2;
          const clean = loss === 'kl' ? 6 : 0;
          expect(spent).to.deep.equal({ forwardPasses: 6 * steps + clean, inputGradients: 6 * steps });
        }
        expect(tf.memory().numTensors).to.equal(before);
      });

      it(`${name} in ${norm} with ${loss} gives an image the same noise in any batch, and another under another key`, async () => {
        const epsilon = RADII[norm];
        const { pixels } = await perturb(epsilon, [0, 1, 2, 3, 4, 5]);
        const size = pixels.length / 6;
        const some = await perturb(epsilon, [4, 1]);
        const apart = (a: readonly number[], b: readonly number[]) =>
          Math.max(...a.map((value, i) => Math.abs(value - b[i])));
        expect(apart(some.pixels.slice(0, size), pixels.slice(4 * size, 5 * size))).to.be.below(1e-6);
        expect(apart(some.pixels.slice(size), pixels.slice(size, 2 * size))).to.be.below(1e-6);
        expect((await perturb(epsilon, [0, 1, 2, 3, 4, 5])).pixels).to.deep.equal(pixels);
        expect((await perturb(epsilon, [0, 1, 2, 3, 4, 5], 1)).pixels).not.to.deep.equal(pixels);
      });
    }
  }

  for (const norm of ['linf', 'l2', 'l1'] as const) {
    it(`rs-fgsm in ${norm} is one step of pgd of size 1.25 epsilon, bit for bit`, async () => {
      const { classifier, images, labels, dispose } = smoothNet(3, 4);
      const epsilon = RADII[norm];
      const made = [];
      for (const attack of [
        build('rs-fgsm', norm, epsilon, CROSS_ENTROPY),
        pgdAttack({ norm, epsilon, steps: 1, stepSize: 1.25 * epsilon }),
      ]) {
        const adversarial = await attack.perturb(classifier, images, labels, { mode: 'train', key: seedKey(3) });
        made.push(Array.from(adversarial.dataSync()));
        adversarial.dispose();
      }
      expect(made[0]).to.deep.equal(made[1]);
      dispose();
    });
  }

  for (const norm of ['linf', 'l2'] as const) {
    it(`n-fgsm in ${norm} without noise is one step of pgd of size epsilon from the image`, async () => {
      const { classifier, images, labels, dispose } = smoothNet(3, 4);
      const epsilon = RADII[norm] / 4;
      const noisy = build('n-fgsm', norm, epsilon, CROSS_ENTROPY);
      const a = await noisy.perturb(classifier, images, labels, { mode: 'train', start: images });
      const step = pgdAttack({ norm, epsilon, steps: 1, stepSize: epsilon, randomStart: false });
      const b = await step.perturb(classifier, images, labels as Tensor1D, { mode: 'train' });
      expect(furthest(a, b)).to.be.below(1e-6);
      dispose();
      tf.dispose([a, b]);
    });
  }
});

describe('an objective under a training attack', () => {
  before(() => useBackend('cpu'));

  for (const [objectiveName, objectiveOf] of Object.entries(objectives)) {
    const objective = objectiveOf();
    const { inner } = objective;
    if (inner === null) continue;
    for (const name of NAMES) {
      it(`${objectiveName} takes the examples that it wants from ${name}, within their ball, and counts their costs`, async () => {
        const program = buildModel('mlp', { inputShape: [3, 3, 2], classes: 3, width: 0.02 });
        const { params, state } = init(program, seedKey(0));
        const { images, labels, dispose } = smoothNet(3, 5);
        const epsilon = 0.1;
        const attack = build(name, 'linf', epsilon, inner);
        const tensors = tf.memory().numTensors;
        const { adversarial, costs } = await attackBatch(
          attack,
          objective,
          program,
          { params, state },
          { images, labels, samples: [3, 1, 4, 5, 9] },
          { key: seedKey(2), mode: 'evaluate' },
        );
        expect(tf.memory().numTensors).to.equal(tensors + 1);
        const attacked = Math.floor(inner.share * 5);
        const steps = trainingAttacks[name].steps ?? 2;
        const distances = Array.from({ length: 5 }, (_, i) =>
          furthest(tf.slice(adversarial, i, 1), tf.slice(images, i, 1)),
        );
        for (const [i, distance] of distances.entries()) {
          if (i < attacked) expect(distance).to.be.within(0.01, (name === 'n-fgsm' ? 3 : 1) * epsilon + 1e-6);
          else expect(distance).to.equal(0);
        }
        const pixels = adversarial.dataSync();
        expect(Math.min(...pixels)).to.be.at.least(0);
        expect(Math.max(...pixels)).to.be.at.most(1);
        const clean = inner.loss === 'kl' ? attacked : 0;
        expect(costs).to.deep.include({
          forwardPasses: attacked * steps + clean,
          inputGradients: attacked * steps,
          weightGradients: 0,
        });
        // One-step attacks need a start that is not beside the image, so they have their own.
        expect(attack.startNoise).to.equal(name === 'pgd' ? inner.startNoise : null);
        dispose();
        adversarial.dispose();
        disposeParams(params);
        tf.dispose(state);
      });
    }
  }
});

describe('the plan of a training attack', () => {
  const config = { objective: 'at', epsilon: 0.1, epochs: 10, norm: 'linf' } as Parameters<typeof attackPlan>[0];
  const planOf = (settings: object, epoch = 0, collapses = 0) =>
    attackPlan({ ...config, ...settings }, { epoch, guard: { collapses } });

  it('is that of the settings, and nothing under natural training', () => {
    expect(planOf({ steps: 7, stepSize: 0.02 })).to.deep.equal({ name: 'pgd', steps: 7, epsilon: 0.1, stepSize: 0.02 });
    expect(planOf({ trainingAttack: 'rs-fgsm' })).to.deep.include({ name: 'rs-fgsm', steps: 1, stepSize: 0.125 });
    expect(planOf({ trainingAttack: 'n-fgsm' })).to.deep.include({ name: 'n-fgsm', steps: 1, stepSize: 0.1 });
    expect(planOf({ objective: 'natural' })).to.equal(null);
  });

  it('follows a schedule of steps by the share of training that is done', () => {
    const stepsSchedule = '0@0,1@0.3,2@0.75';
    const steps = Array.from({ length: 10 }, (_, epoch) => planOf({ stepsSchedule }, epoch)?.steps ?? 0);
    expect(steps).to.deep.equal([0, 0, 0, 1, 1, 1, 1, 1, 2, 2]);
    expect(planOf({ stepsSchedule }, 3)?.stepSize).to.be.closeTo(0.25, 1e-12);
    expect(planOf({ stepsSchedule }, 9)?.stepSize).to.be.closeTo(0.125, 1e-12);
  });

  it('takes the last entry of a schedule that has begun', () =>
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.double({ min: 0.01, max: 0.99, noNaN: true }), { minLength: 1, maxLength: 5 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (shares, progress) => {
          const schedule = [0, ...shares.sort((a, b) => a - b)].map((from, steps) => ({ steps, from }));
          expect(stepsAt(schedule, progress)).to.equal(shares.filter((from) => from <= progress).length);
          expect(parseSteps(formatSteps(schedule))).to.deep.equal(schedule);
        },
      ),
    ));

  it('is pgd with a step more after each collapse, except where a schedule attacks nothing', () => {
    for (const [settings, steps] of [
      [{ trainingAttack: 'rs-fgsm', stepSize: 0.1 }, 1],
      [{ trainingAttack: 'n-fgsm' }, 1],
      [{ steps: 2, stepSize: 0.01 }, 2],
    ] as const) {
      for (const collapses of [1, 2, 3]) {
        const { name, steps: now, stepSize } = planOf(settings, 0, collapses) as NonNullable<ReturnType<typeof planOf>>;
        expect([name, now]).to.deep.equal(['pgd', steps + collapses]);
        expect(stepSize).to.be.closeTo(0.25 / now, 1e-12);
      }
    }
    const stepsSchedule = '0@0,1@0.5';
    expect(planOf({ stepsSchedule }, 4, 1)).to.equal(null);
    expect(planOf({ stepsSchedule }, 5, 1)).to.include({ name: 'pgd', steps: 2 });
  });

  it('warms up epsilon and step size together', () => {
    const plans = [0, 1, 2].map((epoch) => planOf({ trainingAttack: 'n-fgsm', attackWarmup: 2 }, epoch));
    expect(plans.map((plan) => [plan?.epsilon, plan?.stepSize])).to.deep.equal([
      [0.05, 0.05],
      [0.1, 0.1],
      [0.1, 0.1],
    ]);
    const [weak] = [planOf({ trainingAttack: 'n-fgsm', attackWarmup: 2 }, 0, 1)];
    expect([weak?.epsilon, weak?.stepSize]).to.deep.equal([0.05, 0.0625]);
  });
});
