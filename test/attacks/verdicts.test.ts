import type { Tensor2D, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import type { Attack, Classifier } from '../../attacks/index.ts';
import { verdicts } from '../../attacks/measure/verdicts.ts';
import { seedKey } from '../../src/core/key.ts';
import { useBackend } from '../backend.ts';

/** Bright images are class 1. */
const byBrightness: Classifier = (images) =>
  tf.tidy(() => {
    const brightness = tf.mean(images, [1, 2, 3]);
    return tf.stack([tf.sub(0.5, brightness), tf.sub(brightness, 0.5)], 1) as Tensor2D;
  });

/** Makes every image brighter by a number. */
const brighten = (by: number): Attack => ({
  name: `brighten-${by}`,
  norm: 'linf',
  epsilon: by,
  perturb: async (_model, images) => tf.tidy(() => tf.add(images, by) as Tensor4D),
});

const ATTACKS = [0.2, 0.3].map((by) => [`by ${by}`, brighten(by)] as const);

/** Images of brightness 0.1, 0.25, 0.35 and 0.4, all of class 0. */
const images = () => tf.tensor4d([0.1, 0.25, 0.35, 0.4], [4, 1, 1, 1]);
const GOAL = { kind: 'untargeted', classes: new Int32Array(4) } as const;

describe('verdicts on attacks in a row', () => {
  before(() => useBackend('cpu'));

  const found = async (later: 'survivors' | 'all', rows: readonly number[] = [0, 1, 2, 3]) => {
    const batch = images();
    const seen: unknown[] = [];
    const options = { key: seedKey(0), samples: [10, 11, 12, 13], rows, later };
    for await (const { name, rows: attacked, survived, cost } of verdicts(
      byBrightness,
      ATTACKS,
      batch,
      GOAL,
      options,
    )) {
      seen.push([name, attacked, survived, cost.forwardPasses]);
    }
    batch.dispose();
    return seen;
  };

  it('give each attack the rows that survived those before', async () => {
    expect(await found('survivors')).to.deep.equal([
      ['by 0.2', [0, 1, 2, 3], [true, true, false, false], 4],
      ['by 0.3', [0, 1], [true, false], 2],
    ]);
  });

  it('give each attack all rows if asked to', async () => {
    expect((await found('all')).map((verdict) => (verdict as unknown[])[1])).to.deep.equal([
      [0, 1, 2, 3],
      [0, 1, 2, 3],
    ]);
  });

  it('end where no row is left', async () => {
    expect(await found('survivors', [2, 3])).to.deep.equal([['by 0.2', [2, 3], [false, false], 2]]);
    expect(await found('all', [])).to.deep.equal([]);
  });

  it('free their tensors, also if nobody asks for the next one', async () => {
    const batch = images();
    const before = tf.memory().numTensors;
    const options = { key: seedKey(0), samples: [0, 1, 2, 3], rows: [0, 1, 2, 3], later: 'all' } as const;
    let shape: readonly number[] = [];
    for await (const { adversarial } of verdicts(byBrightness, ATTACKS, batch, GOAL, options)) {
      shape = adversarial.shape;
      break;
    }
    expect(shape).to.deep.equal([4, 1, 1, 1]);
    expect(tf.memory().numTensors).to.equal(before);
    batch.dispose();
  });
});
