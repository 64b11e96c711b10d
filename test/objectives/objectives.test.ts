import type { Scalar, Tensor1D, Tensor2D, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { InputError } from '../../src/core/errors.ts';
import { foldIn, integers, normal, seedKey } from '../../src/core/key.ts';
import { type ObjectiveOptions, objectives } from '../../src/objectives/objectives.ts';
import type { Objective } from '../../src/objectives/types.ts';
import { useBackend } from '../backend.ts';
import { golden, toTensor } from '../golden.ts';

/** Logits in the place of images, so that gradients with respect to them are those of the objective alone. */
const asImages = (logits: Tensor2D): Tensor4D => tf.reshape(logits, [logits.shape[0], 1, 1, logits.shape[1]]);
const identity = (images: Tensor4D): Tensor2D => tf.reshape(images, [images.shape[0], images.shape[3]]);

/** Zero times what an objective does not read lets tfjs ask for its gradient. */
const lossOf =
  (objective: Objective, labels: Tensor1D) =>
  (clean: Tensor2D, adversarial: Tensor2D): Scalar => {
    const loss = objective.loss(identity, { images: asImages(clean), adversarial: asImages(adversarial), labels });
    return tf.add(loss, tf.mul(tf.sum(tf.add(clean, adversarial)), 0));
  };

function expectClose(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number, what: string) {
  expect(actual.length).to.equal(expected.length);
  for (let i = 0; i < actual.length; i++) expect(actual[i], `${what}[${i}]`).to.be.closeTo(expected[i], tolerance);
}

const rows: readonly { reference: string; objective: Objective; side?: 'clean' | 'adv' }[] = [
  { reference: 'cross_entropy', objective: objectives.natural() },
  { reference: 'label_smoothing_0.1', objective: objectives.natural({ labelSmoothing: 0.1 }) },
  { reference: 'mat', objective: objectives.mat() },
  { reference: 'trades_beta6', objective: objectives.trades() },
  { reference: 'trades_beta6', objective: objectives.rst() },
  { reference: 'mart_beta5', objective: objectives.mart() },
];

describe('objectives beside the reference code', () => {
  const { json, tensors } = golden('objectives') as {
    json: { objectives: Readonly<Record<string, { value: number }>> };
    tensors: ReturnType<typeof golden>['tensors'];
  };
  before(() => useBackend('cpu'));

  for (const { reference, objective } of rows) {
    it(`${objective.name} has the value and gradients of ${reference}`, () => {
      tf.tidy(() => {
        const clean = toTensor(tensors.logits_clean) as Tensor2D;
        const adversarial = toTensor(tensors.logits_adv) as Tensor2D;
        const labels = toTensor(tensors.labels) as Tensor1D;
        const loss = lossOf(objective, labels);
        const { value, grads } = tf.valueAndGrads(loss as (...x: tf.Tensor[]) => Scalar)([clean, adversarial]);
        expect(value.dataSync()[0]).to.be.closeTo(
          json.objectives[reference].value,
          1e-5 * json.objectives[reference].value,
        );
        const expected = [tensors[`${reference}.grad_clean`], tensors[`${reference}.grad_adv`]];
        for (const [i, stored] of expected.entries()) {
          const gradient = grads[i].dataSync();
          expectClose(
            gradient,
            stored ? (stored.data as Float32Array) : new Float32Array(320),
            1e-6,
            `${reference}.${i}`,
          );
        }
      });
    });
  }

  it('at is the cross-entropy of the adversarial images', () => {
    tf.tidy(() => {
      const logits = toTensor(tensors.logits_clean) as Tensor2D;
      const labels = toTensor(tensors.labels) as Tensor1D;
      const loss = lossOf(objectives.at(), labels)(tf.zerosLike(logits), logits);
      expect(loss.dataSync()[0]).to.be.closeTo(json.objectives.cross_entropy.value, 1e-5);
    });
  });
});

describe('every objective', () => {
  before(() => useBackend('cpu'));
  const options: readonly ObjectiveOptions[] = [{}, { labelSmoothing: 0.2, beta: 2 }];
  const BATCH = 5;
  const CLASSES = 4;

  for (const [name, build] of Object.entries(objectives)) {
    for (const option of options) {
      const objective = build(option);

      it(`${name} with ${JSON.stringify(option)} agrees with finite differences`, () => {
        tf.tidy(() => {
          const key = seedKey(name);
          const clean = normal(foldIn(key, 'clean'), BATCH * CLASSES);
          const adversarial = normal(foldIn(key, 'adversarial'), BATCH * CLASSES);
          const labels = tf.tensor1d(integers(foldIn(key, 'labels'), BATCH, CLASSES), 'int32');
          const loss = lossOf(objective, labels);
          const matrix = (values: Float32Array) => tf.tensor2d(values, [BATCH, CLASSES]);
          const grads = tf.grads(loss as (...x: tf.Tensor[]) => Scalar)([matrix(clean), matrix(adversarial)]);
          const step = 1e-2;
          for (const [side, point] of [clean, adversarial].entries()) {
            const numeric = point.map((_, i) => {
              const at = (offset: number) => {
                const moved = point.map((x, j) => (j === i ? x + offset : x));
                const [first, second] = side === 0 ? [moved, adversarial] : [clean, moved];
                return loss(matrix(first), matrix(second)).dataSync()[0];
              };
              return (at(step) - at(-step)) / (2 * step);
            });
            expectClose(grads[side].dataSync(), numeric, 1e-3, `${name}.${side}`);
          }
        });
      });
    }

    it(`${name} leaks no tensors and frees no borrowed ones`, () => {
      const images = tf.ones([4, 1, 1, 3]) as Tensor4D;
      const adversarial = tf.zeros([4, 1, 1, 3]) as Tensor4D;
      const labels = tf.tensor1d([0, 1, 2, 0], 'int32');
      const tensors = tf.memory().numTensors;
      const loss = build().loss(identity, { images, adversarial, labels });
      expect(tf.memory().numTensors).to.equal(tensors + 1);
      expect(loss.rank).to.equal(0);
      tf.dispose([loss, images, adversarial, labels]);
    });

    it(`${name} is called as its row, and is adversarial exactly if it says what attack it needs`, () => {
      const { adversarial, inner } = build();
      expect(build().name).to.equal(name);
      expect(inner !== null).to.equal(adversarial);
      if (inner) expect(inner.share).to.be.within(0.5, 1);
    });
  }

  it('says which β it weighs its robust term with, if it has one', () => {
    const betas = Object.fromEntries(Object.entries(objectives).map(([name, build]) => [name, build().beta]));
    expect(betas).to.include({ natural: null, at: null, mat: null, trades: 6, mart: 5, rst: 6 });
    expect(objectives.rst({ beta: 2 }).beta).to.equal(2);
  });

  it('refuses options out of range', () => {
    for (const build of Object.values(objectives)) {
      expect(() => build({ labelSmoothing: 1 })).to.throw(InputError, 'in [0, 1), such as 0.1, got 1');
      expect(() => build({ extraShare: 1 })).to.throw(InputError, 'usually 0.5, got 1');
      expect(() => build({ beta: -1 })).to.throw(InputError, 'got -1');
      expect(() => build({ beta: Number.NaN })).to.throw(InputError, 'got NaN');
    }
  });
});
