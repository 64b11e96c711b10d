import type { Tensor1D, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import * as fc from 'fast-check';
import { attackNames, attackRows } from '../../attacks/attacks.ts';
import {
  type Attack,
  type AttackName,
  type AttackProgress,
  attackNorms,
  attacks,
  type Classifier,
  type Goal,
  type Loss,
  type LossName,
  losses,
  type NormName,
  norms,
  type PerturbOptions,
  success,
} from '../../attacks/index.ts';
import { seedKey } from '../../src/core/key.ts';
import { expectSamePixels, skipUnlessExact, useBackend } from '../backend.ts';
import { lengthOf, smoothNet } from './nets.ts';

/** What the laws vary; an attack is given those that it has. */
interface Given {
  readonly norm: NormName;
  readonly epsilon: number | null;
  readonly loss?: LossName;
  readonly steps?: number;
  readonly restarts?: number;
}
/** Where attacks differ in what the laws can ask of them. */
interface Traits {
  /** True if it starts away from the image. */
  readonly randomStart?: true;
  /** Steps by which these tests stay short, where the attack has no fewer by default. */
  readonly steps?: number;
  /** True if it searches the smallest perturbation. */
  readonly smallest?: true;
  /** More and more steps with which it does. */
  readonly efforts?: readonly number[];
  /** What it increases, where that is neither an option nor the cross-entropy. */
  readonly objectives?: Readonly<Record<Goal['kind'], Loss>>;
  /** True if in mode `train` it returns the last iterate, which `evaluate` may pass by. */
  readonly last?: true;
}
/** The targeted DLR of the best target. */
const bestTarget: Loss = (logits, goal) => {
  const [first, , third, fourth] = tf.unstack(tf.topk(logits, 4).values, 1);
  return tf.div(losses.cw(logits, goal), tf.sub(first, tf.div(tf.add(third, fourth), 2)));
};
const traits: Readonly<Record<AttackName, Traits>> = {
  fgsm: {},
  bim: {},
  pgd: { randomStart: true, last: true },
  'mi-fgsm': {},
  apgd: { randomStart: true, steps: 15 },
  'apgd-t': { steps: 15, objectives: { untargeted: bestTarget, targeted: losses.dlr } },
  'fab-t': { steps: 15, smallest: true },
  autoattack: { steps: 6 },
  deepfool: { smallest: true },
  cw: { smallest: true, steps: 10, efforts: [30, 60, 120] },
  square: { randomStart: true, steps: 15 },
};
/** True if an attack takes a number of steps or queries. */
const hasLength = (attack: AttackName) => Object.keys(lengthOf(attack, { steps: 1, queries: 1 })).length > 0;
const takes = (attack: AttackName, option: 'loss' | 'restarts'): boolean => option in attackRows[attack].options;

function make(name: AttackName, options: Given): Attack {
  const { steps: few } = traits[name];
  const { steps = few, loss, ...others } = options;
  return (attacks[name] as (options: Given) => Attack)({
    ...others,
    ...(takes(name, 'loss') && { loss }),
    ...(steps !== undefined && lengthOf(name, { steps, queries: 5 * steps })),
  });
}

const RADIUS: Record<NormName, number> = { linf: 0.08, l2: 0.25, l1: 0.8 };
const COUNT = 6;
const CLASSES = 5;
const SIZE = 18;

const lossesOf = (attack: AttackName): readonly LossName[] =>
  takes(attack, 'loss') ? (Object.keys(losses) as LossName[]) : ['ce'];
const normsOf = (attack: AttackName): readonly NormName[] => attackNorms[attack];
const kinds = ['untargeted', 'targeted'] as const;

/** Every member of the families with every other; KL knows no target. */
const members = attackNames.flatMap((attack) =>
  normsOf(attack).flatMap((norm) =>
    kinds.flatMap((kind) =>
      lossesOf(attack).flatMap((loss) => (loss === 'kl' && kind === 'targeted' ? [] : [{ attack, norm, kind, loss }])),
    ),
  ),
);

/** What an attack of these choices is held to increase. */
function objectiveOf(attack: AttackName, kind: Goal['kind'], loss: LossName): Loss {
  if (takes(attack, 'loss')) return losses[loss];
  return traits[attack].objectives?.[kind] ?? losses.ce;
}

const pixelsOf = (images: Tensor4D, image: number) => images.dataSync().subarray(image * SIZE, (image + 1) * SIZE);
const rows = <T extends tf.Tensor>(tensor: T, indices: readonly number[]) => tf.gather(tensor, [...indices]) as T;

describe('laws of the attacks', () => {
  let net: ReturnType<typeof smoothNet>;
  let targets: Tensor1D;
  before(async () => {
    await useBackend('cpu');
    net = smoothNet(CLASSES, COUNT);
    targets = tf.tidy(() =>
      tf.mod(tf.add(net.labels, tf.range(1, COUNT + 1, 1, 'int32')), tf.scalar(CLASSES, 'int32')),
    );
  });
  after(() => {
    net.dispose();
    targets.dispose();
  });

  const goalOf = (kind: Goal['kind'], take = (tensor: Tensor1D) => tensor): Goal =>
    kind === 'untargeted' ? { kind, labels: take(net.labels) } : { kind, targets: take(targets) };

  for (const { attack: name, norm, kind, loss } of members) {
    it(`${name} in ${norm}, ${kind}, with ${loss}: stays in ball and box, repeats under its key, borrows its inputs`, () =>
      fc.assert(
        fc.asyncProperty(
          fc.double({ min: 1e-6, max: 4, noNaN: true }),
          fc.integer({ min: 1, max: 4 }),
          fc.integer({ min: 1, max: 3 }),
          fc.constantFrom('train' as const, 'evaluate' as const),
          fc.nat(),
          async (scale, steps, restarts, mode, seed) => {
            const epsilon = scale * RADIUS[norm];
            const attack = make(name, { norm, epsilon, loss, steps, ...(takes(name, 'restarts') && { restarts }) });
            const given = [net.images, net.labels, targets].map((tensor) => Array.from(tensor.dataSync()));
            const options: PerturbOptions = { key: seedKey(seed), mode };
            const tensors = tf.memory().numTensors;

            const adversarial = await attack.perturb(net.classifier, net.images, goalOf(kind), options);
            expect(tf.memory().numTensors).to.equal(tensors + 1);
            expect(adversarial.shape).to.deep.equal(net.images.shape);
            for (const pixel of adversarial.dataSync()) expect(pixel).to.be.within(0, 1);
            for (let i = 0; i < COUNT; i++) {
              const distance = norms[norm].distance(pixelsOf(adversarial, i), pixelsOf(net.images, i));
              expect(distance).to.be.at.most(epsilon);
            }
            expect([net.images, net.labels, targets].map((tensor) => Array.from(tensor.dataSync()))).to.deep.equal(
              given,
            );

            const again = await attack.perturb(net.classifier, net.images, goalOf(kind), options);
            expect(Array.from(again.dataSync())).to.deep.equal(Array.from(adversarial.dataSync()));
            tf.dispose([adversarial, again]);
          },
        ),
        { numRuns: 2, seed: 1 },
      ));
  }

  for (const name of attackNames) {
    for (const norm of normsOf(name)) {
      const attackOf = (epsilon: number, more: Partial<Given> = {}) => make(name, { norm, epsilon, ...more });
      const strongest: Partial<Given> = takes(name, 'restarts') ? { restarts: 2 } : {};
      const short: Partial<Given> = hasLength(name) ? { steps: 3 } : {};

      for (const mode of ['train', 'evaluate'] as const) {
        it(`${name} in ${norm} gives an image the same example in any batch and order (${mode})`, async () => {
          for (const kind of kinds) {
            const attack = attackOf(RADIUS[norm], strongest);
            const options = { key: seedKey(7), mode };
            const whole = await attack.perturb(net.classifier, net.images, goalOf(kind), options);
            for (const batch of [[4, 2, 0], [5], [3, 5, 0, 1, 2, 4]]) {
              const images = rows(net.images, batch);
              const goal = goalOf(kind, (tensor) => rows(tensor, batch));
              const part = await attack.perturb(net.classifier, images, goal, { ...options, samples: batch });
              batch.forEach((image, row) => {
                expectSamePixels(pixelsOf(part, row), pixelsOf(whole, image));
              });
              part.dispose();
              images.dispose();
              tf.dispose(Object.values(goal).filter((value) => value instanceof tf.Tensor));
            }
            whole.dispose();
          }
        });

        it(`${name} in ${norm} returns the images for epsilon 0 (${mode})`, async () => {
          const same = await attackOf(0).perturb(net.classifier, net.images, net.labels, { mode });
          expect(Array.from(same.dataSync())).to.deep.equal(Array.from(net.images.dataSync()));
          same.dispose();
        });

        it(`${name} in ${norm} leaves no tensor behind when the model throws (${mode})`, async () => {
          const attack = attackOf(RADIUS[norm], { ...strongest, ...(hasLength(name) && { steps: 3 }) });
          for (let calls = 0; calls < 4; calls++) {
            let left = calls;
            const breaking: Classifier = (images) => {
              const logits = net.classifier(images);
              if (left-- === 0) throw new Error('out of order');
              return logits;
            };
            const tensors = tf.memory().numTensors;
            // Some attacks are done before the model breaks.
            const outcome = await attack.perturb(breaking, net.images, net.labels, { mode }).catch((error) => error);
            if (left < 0) expect(outcome.message).to.equal('out of order');
            else outcome.dispose();
            expect(tf.memory().numTensors).to.equal(tensors);
          }
        });
      }

      for (const mode of ['train', 'evaluate'] as const) {
        it(`${name} in ${norm} stops within one call of the model, leaving no tensor behind (${mode})`, async () => {
          const attack = attackOf(RADIUS[norm], { ...strongest, ...short });
          /** Aborts in a call of the model; counts the calls from then on. */
          const run = async (at: number) => {
            const abort = new AbortController();
            let calls = 0;
            const model: Classifier = (images) => {
              if (calls++ === at) abort.abort(new Error('stop'));
              return net.classifier(images);
            };
            const outcome = await attack
              .perturb(model, net.images, net.labels, { mode, signal: abort.signal })
              .catch((error: Error) => error);
            if (outcome instanceof tf.Tensor) outcome.dispose();
            return { message: outcome instanceof Error ? outcome.message : null, calls };
          };
          const tensors = tf.memory().numTensors;
          const { message, calls } = await run(Number.POSITIVE_INFINITY);
          expect(message).to.equal(null);
          for (const at of new Set(
            [0, 1, 2, Math.floor(calls / 2), calls - 2].filter((i) => i >= 0 && i < calls - 1),
          )) {
            expect(await run(at), `call ${at} of ${calls}`).to.deep.equal({ message: 'stop', calls: at + 1 });
          }
          const aborted = { mode, signal: AbortSignal.abort(new Error('before')) };
          const before = await attack.perturb(net.classifier, net.images, net.labels, aborted).catch((error) => error);
          expect(before.message).to.equal('before');
          expect(tf.memory().numTensors).to.equal(tensors);
        });
      }

      if (norm === normsOf(name)[0]) {
        it(`${name} stops by a timer that fires while it runs`, async () => {
          const abort = new AbortController();
          let calls = 0;
          let after = 0;
          const slow: Classifier = (images) => {
            if (abort.signal.aborted) after++;
            // Each call takes longer than the attack goes without giving timers a turn.
            for (const until = performance.now() + 60; performance.now() < until; );
            calls++;
            return net.classifier(images);
          };
          setTimeout(() => abort.abort(new Error('stop')));
          const attack = attackOf(RADIUS[norm]);
          const outcome = await attack.perturb(slow, net.images, net.labels, { signal: abort.signal }).catch((e) => e);
          expect(outcome.message).to.equal('stop');
          expect(calls).to.be.at.most(1);
          expect(after).to.equal(0);
        });
      }

      it(`${name} in ${norm} tells how far it is, and asks no more than its budget`, async () => {
        for (const epsilon of [1e-9, RADIUS[norm]]) {
          const attack = attackOf(epsilon, { ...strongest, ...short });
          const seen: AttackProgress[] = [];
          const cost = { forwardPasses: 0, inputGradients: 0 };
          const adversarial = await attack.perturb(net.classifier, net.images, net.labels, {
            onProgress: (progress) => seen.push(progress),
            onCost: ({ forwardPasses, inputGradients }) => {
              cost.forwardPasses += forwardPasses;
              cost.inputGradients += inputGradients;
            },
          });
          adversarial.dispose();
          expect(seen).to.not.deep.equal([]);
          seen.forEach(({ attack: own, step, steps, left, share }, i) => {
            expect(step).to.be.within(1, steps);
            expect(share).to.be.within(0, 1 + 1e-12);
            expect(left).to.be.within(0, COUNT);
            const before = seen[i - 1];
            if (before === undefined) return;
            expect(share).to.be.at.least(before.share);
            if (before.attack === own) expect(step).to.be.above(before.step);
            expect(left).to.be.at.most(before.left);
          });
          const budget = attack.budget?.(CLASSES) ?? { forwardPasses: 0, inputGradients: 0 };
          const whole = {
            forwardPasses: COUNT * budget.forwardPasses,
            inputGradients: COUNT * budget.inputGradients,
          };
          if (epsilon === 1e-9 && !traits[name].smallest) {
            // Nothing succeeds. A cascade's own looks at its results are counted by it alone, and its FAB looks once more only
            // at examples that it found.
            expect(cost.inputGradients).to.equal(whole.inputGradients);
            if (name === 'autoattack') expect(cost.forwardPasses).to.be.below(whole.forwardPasses);
            else expect(cost.forwardPasses).to.equal(whole.forwardPasses);
            expect(seen[seen.length - 1].share).to.be.closeTo(1, 1e-9);
          } else {
            expect(cost.forwardPasses).to.be.at.most(whole.forwardPasses);
            expect(cost.inputGradients).to.be.at.most(whole.inputGradients);
          }
        }
      });

      for (const loss of takes(name, 'loss') ? (['cw', 'dlr'] as const) : (['ce'] as const)) {
        // Cross-entropy is no margin, and the constant of C&W weighs distances against logits.
        if (name === 'autoattack' || name === 'cw') continue;
        it(`${name} in ${norm}, with ${loss}, makes the same examples whatever number multiplies the logits`, function () {
          skipUnlessExact(this);
          return fc.assert(
            fc.asyncProperty(
              fc.integer({ min: -100, max: 120 }),
              fc.constantFrom(...kinds),
              fc.constantFrom('train' as const, 'evaluate' as const),
              async (power, kind, mode) => {
                const attack = attackOf(RADIUS[norm], { loss, ...short });
                const scaled: Classifier = (images) => tf.mul(net.classifier(images), 2 ** power);
                const [plain, same] = [
                  await attack.perturb(net.classifier, net.images, goalOf(kind), { mode }),
                  await attack.perturb(scaled, net.images, goalOf(kind), { mode }),
                ];
                expectSamePixels(same.dataSync(), plain.dataSync());
                tf.dispose([plain, same]);
              },
            ),
            {
              numRuns: 2,
              seed: 5,
              examples: [
                [-100, 'untargeted', 'evaluate'],
                [120, 'untargeted', 'train'],
              ],
            },
          );
        });
      }

      if (traits[name].smallest) {
        it(`${name} in ${norm} without epsilon changes every class, by less with more steps`, async () => {
          const lengths: number[] = [];
          for (const steps of traits[name].efforts ?? [2, 8, 20]) {
            const attack = make(name, { norm, epsilon: null, steps });
            const adversarial = await attack.perturb(net.classifier, net.images, net.labels);
            expect(await success(net.classifier, adversarial, net.labels)).to.deep.equal(new Array(COUNT).fill(true));
            const length = Array.from({ length: COUNT }, (_, i) =>
              norms[norm].distance(pixelsOf(adversarial, i), pixelsOf(net.images, i)),
            );
            lengths.push(length.reduce((sum, value) => sum + value, 0));
            // A little less than it found is too little.
            const less = await make(name, { norm, epsilon: 0.999 * Math.min(...length), steps }).perturb(
              net.classifier,
              net.images,
              net.labels,
            );
            expect(Array.from(less.dataSync())).to.deep.equal(Array.from(net.images.dataSync()));
            tf.dispose([adversarial, less]);
          }
          expect(lengths[1]).to.be.at.most(lengths[0]);
          expect(lengths[2]).to.be.at.most(lengths[1]);
        });
      } else {
        for (const { kind, loss } of members.filter((member) => member.attack === name && member.norm === norm)) {
          it(`${name} in ${norm}, ${kind}, with ${loss}: raises its loss, and more with more steps`, async () => {
            const objective = objectiveOf(name, kind, loss);
            const clean = net.classifier(net.images);
            const mean = (images: Tensor4D) =>
              tf.tidy(() => tf.mean(objective(net.classifier(images), goalOf(kind), clean)).dataSync()[0]);
            const reached = [mean(net.images)];
            for (const steps of hasLength(name) ? [1, 4, 30] : [1]) {
              const attack = attackOf(RADIUS[norm], { steps, loss });
              const adversarial = await attack.perturb(net.classifier, net.images, goalOf(kind), { mode: 'train' });
              reached.push(mean(adversarial));
              adversarial.dispose();
            }
            clean.dispose();
            // The ratio of DLR changes with the order of the logits, so an attack that keeps its last point may lose some.
            if (loss === 'dlr') reached.splice(1, reached.length - 2);
            reached.slice(1).forEach((value, i) => {
              expect(value).to.be.above(reached[i] - 2e-3 * Math.max(1, Math.abs(reached[i])));
            });
            // The divergence from the clean prediction has no slope at the image itself, where some attacks start.
            const still = loss === 'kl' && !traits[name].randomStart;
            const gain = reached[reached.length - 1] - reached[0];
            if (still) expect(gain).to.be.at.least(0);
            else expect(gain).to.be.above(loss === 'kl' ? 0.01 : 0.1 * Math.abs(reached[0]));
          });
        }
      }

      it(`${name} in ${norm} succeeds, on the very tensor that it returns, wherever any of its examples does`, async () => {
        let most = 0;
        for (const kind of kinds) {
          const attack = attackOf(2.5 * RADIUS[norm], strongest);
          const found = async (mode: 'train' | 'evaluate') => {
            const adversarial = await attack.perturb(net.classifier, net.images, goalOf(kind), { mode });
            const flags = await success(net.classifier, adversarial, goalOf(kind));
            adversarial.dispose();
            return flags;
          };
          const [trained, evaluated] = [await found('train'), await found('evaluate')];
          if (!traits[name].last) {
            trained.forEach((is, i) => {
              expect(evaluated[i] || !is).to.equal(true);
            });
          }
          most += evaluated.filter(Boolean).length;
        }
        expect(most).to.be.above(COUNT / 2);
      });

      it(`${name} in ${norm} returns an image that already meets the goal as it is`, async () => {
        const wrong = tf.tidy(() => tf.mod(tf.add(net.labels, 1), tf.scalar(CLASSES, 'int32'))) as Tensor1D;
        const goals: Goal[] = [
          { kind: 'untargeted', labels: wrong },
          { kind: 'targeted', targets: net.labels },
        ];
        for (const goal of goals) {
          const adversarial = await attackOf(RADIUS[norm]).perturb(net.classifier, net.images, goal);
          expect(Array.from(adversarial.dataSync())).to.deep.equal(Array.from(net.images.dataSync()));
          adversarial.dispose();
        }
        wrong.dispose();
      });
    }
  }

  it('another key gives another random start, and each image its own', async () => {
    const attack = attacks.pgd({ epsilon: 0.08, steps: 2, stepSize: 0.005 });
    const [same, other] = await Promise.all(
      [0, 1].map((seed) =>
        attack.perturb(net.classifier, net.images, net.labels, { key: seedKey(seed), mode: 'train' }),
      ),
    );
    expect(Array.from(same.dataSync())).to.not.deep.equal(Array.from(other.dataSync()));
    const twice = tf.tile(rows(net.images, [0]), [2, 1, 1, 1]);
    const labels = rows(net.labels, [0, 0]);
    const pair = await attack.perturb(net.classifier, twice, labels, { mode: 'train' });
    expect(Array.from(pixelsOf(pair, 0))).to.not.deep.equal(Array.from(pixelsOf(pair, 1)));
    tf.dispose([same, other, twice, labels, pair]);
  });
});
