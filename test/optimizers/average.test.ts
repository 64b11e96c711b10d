import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import fc from 'fast-check';
import { normal, seedKey } from '../../src/core/key.ts';
import { disposeParams, disposeTensors, isSparse, type Params, trainables } from '../../src/core/params.ts';
import { scatterValues } from '../../src/core/structure.ts';
import {
  averageDecay,
  carryAverage,
  disposeAverage,
  startAverage,
  updateAverage,
} from '../../src/optimizers/average.ts';
import { type MethodName, methods } from '../../src/sparsity/methods.ts';
import { fixedSigns } from '../../src/sparsity/signs.ts';
import { sparsify } from '../../src/sparsity/sparsify.ts';
import { useBackend } from '../backend.ts';

const values = (tensor: tf.Tensor) => [...tensor.dataSync()];

describe('the average of a network', () => {
  before(() => useBackend('cpu'));

  const network = (kernel: readonly number[], mean: number) => ({
    params: { 'a.kernel': tf.tensor1d([...kernel]), 'a.bias': tf.tensor1d([kernel[0]]) },
    state: { 'bn.mean': tf.tensor1d([mean]) },
  });

  it('is the exponential moving average of weights and statistics from the start on', () => {
    const decay = 0.75;
    const series = [2, -1, 4, 0.5];
    const count = tf.memory().numTensors;
    const first = network([1, 8], 1);
    let average = startAverage(first);
    disposeTensors({ ...first.params, ...first.state });
    let expected = 1;
    for (const value of series) {
      const next = network([value, 8], value);
      const moved = updateAverage(average, next, decay);
      disposeAverage(average);
      disposeTensors({ ...next.params, ...next.state });
      average = moved;
      expected = decay * expected + (1 - decay) * value;
    }
    expect(values(average.params['a.kernel'])).to.deep.equal([expected, 8]);
    expect(values(average.params['a.bias'])).to.deep.equal([expected]);
    expect(values(average.state['bn.mean'])).to.deep.equal([expected]);
    disposeAverage(average);
    expect(tf.memory().numTensors).to.equal(count);
  });

  it('has a decay that rises to the one given', () => {
    expect([0, 1, 2, 8].map((step) => averageDecay(0.999, step))).to.deep.equal([1 / 10, 2 / 11, 3 / 12, 9 / 18]);
    expect(averageDecay(0.999, 8989)).to.be.below(0.999);
    expect([8990, 1e6].map((step) => averageDecay(0.999, step))).to.deep.equal([0.999, 0.999]);
    expect(averageDecay(0.05, 0)).to.equal(0.05);
  });

  it('of n steps hardly holds the start: at most 1 / n², whatever the decay given', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 10, max: 2000 }),
        fc.double({ min: 0.5, max: 0.99999, noNaN: true }),
        (n, decay) => {
          let share = 1;
          for (let step = 0; step < n; step++) share *= averageDecay(decay, step);
          expect(share).to.be.at.most(1 / n ** 2);
        },
      ),
    );
  });

  it('gives a grown weight its value, and keeps the averages of those that stay', () => {
    const average = { params: { 'a.kernel': tf.tensor1d([1, 2, 3]), 'a.bias': tf.tensor1d([7]) }, state: {} };
    const params: Params = { 'a.kernel': tf.tensor1d([0.5, 20, -0.25, 40]), 'a.bias': tf.tensor1d([70]) };
    const count = tf.memory().numTensors;
    const carried = carryAverage(average, params, { 'a.kernel': Int32Array.of(-1, 0, -1, 2) });
    expect(values(carried.params['a.kernel'])).to.deep.equal([0.5, 1, -0.25, 3]);
    expect(values(carried.params['a.bias'])).to.deep.equal([7]);
    expect(tf.memory().numTensors).to.equal(count + 2);
    disposeAverage(carried);
    disposeAverage(average);
    disposeParams(params);
  });

  const SHAPE = [6, 10];
  const signs = fixedSigns(seedKey('signs'));
  for (const name of Object.keys(methods) as MethodName[]) {
    const sparsifier = methods[name].sparsifier({ interval: 1, end: 1, signs, counts: { 'a.kernel': 12 }, noise: 0.3 });
    if (sparsifier === null) continue;
    it(`follows the masks of ${name}, weight by weight`, async () => {
      const dense = { 'a.kernel': tf.tensor2d(normal(seedKey(1), 60), [6, 10]), 'a.bias': tf.ones([10]) };
      let params: Params = sparsify(dense, { 'a.kernel': 20 }, seedKey(2));
      let average = startAverage({ params, state: {} });
      const whole = (kernels: Params, tree: typeof average.params) => {
        const param = kernels['a.kernel'];
        if (!isSparse(param)) throw new Error('The kernel should be sparse.');
        return {
          positions: new Set(param.structure.positions),
          values: scatterValues(param.structure, tree['a.kernel'].dataSync()),
        };
      };
      const progress = { totalSteps: 5, learningRate: 1 };
      for (let step = 1; step <= 5; step++) {
        const [was, before] = [whole(params, average.params), params];
        const gradient = { 'a.kernel': tf.tensor2d(normal(seedKey(step), 60), [6, 10]) };
        const updated = await sparsifier.update(params, { step, ...progress }, gradient, seedKey(10 + step));
        params = updated.params;
        const carried = carryAverage(average, params, updated.carried);
        const [now, raw] = [whole(params, carried.params), whole(params, trainables(params))];
        const stayed = stays(before, params, updated.carried['a.kernel']);
        for (let position = 0; position < SHAPE[0] * SHAPE[1]; position++) {
          const expected = !now.positions.has(position)
            ? 0
            : stayed.has(position)
              ? was.values[position]
              : raw.values[position];
          expect(now.values[position], `step ${step}, weight ${position}`).to.equal(expected);
        }
        disposeAverage(average);
        average = updateAverage(carried, { params, state: {} }, 0.9);
        disposeAverage(carried);
        disposeParams(before);
        disposeTensors(gradient);
        if (name === 'bsr-net') {
          const signOf = signs('a.kernel', 60);
          const { positions, values: averages } = whole(params, average.params);
          for (const position of positions) expect(Math.sign(averages[position])).to.equal(signOf(position));
        }
      }
      disposeParams(params);
      disposeAverage(average);
      disposeTensors(dense);
    });
  }

  /** The positions of weights that a mask update did not grow. */
  function stays(before: Params, after: Params, map: Int32Array | undefined): ReadonlySet<number> {
    const [from, to] = [before['a.kernel'], after['a.kernel']];
    if (!isSparse(from) || !isSparse(to)) throw new Error('The kernel should be sparse.');
    const { positions } = to.structure;
    return new Set(map === undefined ? positions : positions.filter((_, i) => map[i] >= 0));
  }
});
