import type { Tensor, Tensor1D, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { attackNames } from '../../attacks/attacks.ts';
import {
  type Attack,
  type AttackName,
  apgd,
  attacks,
  autoattack,
  type Classifier,
  type Cost,
  cw,
  fgsm,
  pgd,
  square,
} from '../../attacks/index.ts';
import { InputError } from '../../src/core/errors.ts';
import { foldIn, normal, seedKey } from '../../src/core/key.ts';
import { skipUnlessExact, useBackend } from '../backend.ts';
import { lengthOf, smoothNet } from './nets.ts';

const CLASSES = 5;
const COUNT = 8;

const addTo = (total: { forwardPasses: number; inputGradients: number }) => (spent: Cost) => {
  total.forwardPasses += spent.forwardPasses;
  total.inputGradients += spent.inputGradients;
};

describe('expectation over transformation', () => {
  let net: ReturnType<typeof smoothNet>;
  before(async () => {
    await useBackend('cpu');
    net = smoothNet(CLASSES, COUNT);
  });
  after(() => net.dispose());

  const make = (name: AttackName, epsilon: number, eot: number): Attack =>
    (attacks[name] as (options: object) => Attack)({ epsilon, eot, ...lengthOf(name, { steps: 2, queries: 4 }) });

  /** The model with other noise on its images at every call. */
  function noisy(sigma: number, seed = 0): Classifier {
    let calls = 0;
    return (images) =>
      tf.tidy(() => {
        const noise = normal(foldIn(seedKey(seed), calls++), images.size);
        return net.classifier(tf.add(images, tf.mul(tf.tensor4d(noise, images.shape), sigma)) as Tensor4D);
      });
  }

  /** How often a random model is wrong about images, over many of its draws. */
  function wrongShare(model: Classifier, images: Tensor4D, labels: Tensor1D): number {
    const draws = 40;
    let wrong = 0;
    for (let draw = 0; draw < draws; draw++) {
      wrong += tf.tidy(() => tf.sum(tf.cast(tf.notEqual(tf.argMax(model(images), 1), labels), 'int32')).dataSync()[0]);
    }
    return wrong / draws / images.shape[0];
  }

  const wrongAfter = async (attack: Attack, sigma: number): Promise<number> => {
    const adversarial = await attack.perturb(noisy(sigma), net.images, net.labels);
    const share = wrongShare(noisy(sigma, 1), adversarial, net.labels);
    adversarial.dispose();
    return share;
  };

  for (const name of attackNames) {
    it(`${name} asks the model as many times as often, and leaves no tensor behind`, async () => {
      const spent = { forwardPasses: 0, inputGradients: 0 };
      const tensors = tf.memory().numTensors;
      const attack = make(name, 1e-9, 3);
      const adversarial = await attack.perturb(net.classifier, net.images, net.labels, { onCost: addTo(spent) });
      expect(tf.memory().numTensors).to.equal(tensors + 1);
      adversarial.dispose();
      const budget = attack.budget?.(CLASSES) as Cost;
      const once = make(name, 1e-9, 1).budget?.(CLASSES) as Cost;
      expect(budget.inputGradients).to.equal(3 * once.inputGradients);
      // A cascade looks at each result once, as it does at those of its attacks for models that are not random.
      const looks = name === 'autoattack' ? 5 : 0;
      expect(budget.forwardPasses - looks).to.equal(3 * (once.forwardPasses - looks));
      expect(spent.inputGradients).to.be.at.most(COUNT * budget.inputGradients);
      expect(spent.forwardPasses).to.be.at.most(COUNT * budget.forwardPasses);
      // Nothing succeeds, so only the search of a smallest perturbation may end before its budget.
      if (!['deepfool', 'cw', 'fab-t'].includes(name)) {
        expect(spent.inputGradients).to.equal(COUNT * budget.inputGradients);
        // FAB, a part of AutoAttack, looks once more only at examples that it found.
        if (name !== 'autoattack') expect(spent.forwardPasses).to.equal(COUNT * budget.forwardPasses);
      }
    });

    it(`${name} does to a model that is not random what it does with one call`, async () => {
      // A mean of four equal numbers is exact.
      const [once, mean] = await Promise.all(
        [1, 4].map((eot) =>
          make(name, 0.2, eot).perturb(net.classifier, net.images, net.labels, { mode: 'train', key: seedKey(5) }),
        ),
      );
      expect(Array.from(mean.dataSync())).to.deep.equal(Array.from(once.dataSync()));
      tf.dispose([once, mean]);
    });
  }

  for (const [title, make] of [
    ['PGD', (eot) => pgd({ epsilon: 0.15, steps: 15, eot })],
    ['APGD', (eot) => apgd({ epsilon: 0.15, steps: 15, eot })],
    ['Square', (eot) => square({ epsilon: 0.15, queries: 60, eot })],
  ] as const satisfies readonly (readonly [string, (eot: number) => Attack])[]) {
    it(`makes ${title} stronger on a random model, whose answers over many draws are counted`, async () => {
      const sigma = 0.3;
      const clean = wrongShare(noisy(sigma, 1), net.images, net.labels);
      const [single, averaged] = [await wrongAfter(make(1), sigma), await wrongAfter(make(16), sigma)];
      expect(single).to.be.above(clean);
      expect(averaged).to.be.above(single + 0.05);
    });
  }

  it('attacks an image that a single draw gets wrong', async () => {
    // Every other call, the first one among them, answers with another class.
    let calls = 0;
    const fickle: Classifier = (images) =>
      tf.tidy(() => {
        const logits = net.classifier(images);
        return (calls++ % 2 === 0 ? tf.neg(logits) : logits) as tf.Tensor2D;
      });
    for (const [eot, moved] of [
      [1, false],
      [4, true],
    ] as const) {
      calls = 0;
      const adversarial = await fgsm({ epsilon: 0.1, eot, loss: 'cw' }).perturb(fickle, net.images, net.labels);
      const change = tf.tidy(() => tf.max(tf.abs(tf.sub(adversarial, net.images))).dataSync()[0]);
      expect(change > 0, `eot ${eot}`).to.equal(moved);
      adversarial.dispose();
    }
  });

  it('leaves a pixel to those calls whose gradient is a number there', async () => {
    let calls = 0;
    const broken: Classifier = (images) =>
      tf.tidy(() => {
        const logits = net.classifier(images);
        if (calls++ % 2 === 0) return logits;
        // A square root at 0 times 0: the logits are as before, their gradient is NaN.
        const nothing = tf.mul(tf.sqrt(tf.sub(images, images)), 0);
        return tf.add(logits, tf.sum(tf.reshape(nothing, [COUNT, -1]), 1, true)) as tf.Tensor2D;
      });
    let notFinite = 0;
    const options = { mode: 'train', onNonFinite: () => notFinite++ } as const;
    const attack = pgd({ epsilon: 0.1, steps: 5, eot: 2 });
    const adversarial = await attack.perturb(broken, net.images, net.labels, options);
    const wanted = await attack.perturb(net.classifier, net.images, net.labels, options);
    expect(notFinite).to.equal(0);
    expect(Array.from(adversarial.dataSync())).to.deep.equal(Array.from(wanted.dataSync()));
    tf.dispose([adversarial, wanted]);
  });

  it('reports a gradient that no call gives', async () => {
    const broken: Classifier = (images) =>
      net.classifier(
        tf.customGrad((x) => ({ value: tf.clone(x as Tensor), gradFunc: (dy: Tensor) => tf.mul(dy, Number.NaN) }))(
          images,
        ) as Tensor4D,
      );
    for (const name of attackNames.filter((name) => name !== 'square')) {
      let notFinite = 0;
      const onNonFinite = (gradients: number) => {
        notFinite += gradients;
      };
      const adversarial = await make(name, 0.1, 3).perturb(broken, net.images, net.labels, { onNonFinite });
      expect(notFinite, name).to.be.at.least(COUNT);
      expect(adversarial.dataSync().every(Number.isFinite), name).to.equal(true);
      adversarial.dispose();
    }
  });

  it('holds for logits whose sum over all calls float32 does not hold', async function () {
    skipUnlessExact(this);
    const large: Classifier = (images) => tf.mul(net.classifier(images), 2 ** 122);
    for (const name of ['pgd', 'apgd-t', 'fab-t', 'square'] as const) {
      const [plain, scaled] = await Promise.all(
        [net.classifier, large].map((model) => {
          const loss = name === 'pgd' && { loss: 'cw' };
          const attack = (attacks[name] as (options: object) => Attack)({
            epsilon: 0.1,
            eot: 16,
            ...loss,
            ...lengthOf(name, { steps: 2, queries: 4 }),
          });
          return attack.perturb(model, net.images, net.labels, { mode: 'train' });
        }),
      );
      const change = tf.tidy(() => tf.max(tf.abs(tf.sub(plain, scaled))).dataSync()[0]);
      expect(change, name).to.be.below(1e-6);
      tf.dispose([plain, scaled]);
    }
  });

  it('takes a whole number of calls, at least one', () => {
    for (const eot of [0, 1.5, Number.NaN, '20' as unknown as number]) {
      expect(() => cw({ eot })).to.throw(InputError, /^eot: expected a whole number of at least 1, got /);
    }
    expect(autoattack({ epsilon: 0.1, version: 'rand' }).budget?.(10)).to.deep.equal(
      autoattack({ epsilon: 0.1, version: 'rand', eot: 20 }).budget?.(10),
    );
  });
});
