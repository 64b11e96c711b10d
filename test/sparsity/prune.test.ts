import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { InputError } from '../../src/core/errors.ts';
import { normal, seedKey } from '../../src/core/key.ts';
import {
  countWeights,
  disposeParams,
  disposeTensors,
  isSparse,
  type Params,
  type SparseParam,
} from '../../src/core/params.ts';
import { scatterValues } from '../../src/core/structure.ts';
import { carry } from '../../src/optimizers/carry.ts';
import { erk } from '../../src/sparsity/distributions.ts';
import { cubic, gradual } from '../../src/sparsity/gradual.ts';
import { globalMagnitudeCounts, prune } from '../../src/sparsity/prune.ts';
import { useBackend } from '../backend.ts';
import { rejection } from '../rejection.ts';

const network = () => ({
  'a.kernel': tf.tensor4d(normal(seedKey('a'), 144), [3, 3, 4, 4]),
  'b.kernel': tf.tensor2d(normal(seedKey('b'), 64), [16, 4]),
  'b.bias': tf.ones([4]),
});
const KERNELS = [
  { name: 'a.kernel', shape: [3, 3, 4, 4] },
  { name: 'b.kernel', shape: [16, 4] },
];
const values = (param: Params[string]) => [...(isSparse(param) ? param.values : param).dataSync()];

describe('prune', () => {
  before(() => useBackend('cpu'));

  it('keeps the largest weights where they are, of dense and of sparse kernels', async () => {
    const params = { 'a.kernel': tf.tensor2d([0.1, -3, 2, 0, -0.5, 2], [2, 3]), 'a.bias': tf.ones([3]) };
    const tensors = tf.memory().numTensors;
    const once = await prune(params, { 'a.kernel': 4 });
    const twice = await prune(once, { 'a.kernel': 2 });
    const [first, second] = [once['a.kernel'], twice['a.kernel']] as SparseParam[];
    expect([...first.structure.positions]).to.deep.equal([1, 2, 4, 5]);
    expect(scatterValues(second.structure, second.values.dataSync())).to.deep.equal(Float32Array.of(0, -3, 2, 0, 0, 0));
    expect(values(twice['a.bias'])).to.deep.equal([1, 1, 1]);
    expect(tf.memory().numTensors).to.equal(tensors + 4);
    for (const tree of [once, twice, params]) disposeParams(tree);
  });

  it('leaves kernels dense that keep everything, or are not named', async () => {
    const params = network();
    const pruned = await prune(params, { 'a.kernel': 144 });
    expect(isSparse(pruned['a.kernel'])).to.equal(false);
    expect(values(pruned['b.kernel'])).to.deep.equal(values(params['b.kernel']));
    disposeParams(pruned);
    expect((await rejection(prune(params, { 'a.kernel': 145 }))).message).to.include('it cannot keep 145');
    expect((await rejection(prune(params, { 'b.bias': 1 }))).message).to.include('b.bias is no kernel');
    disposeParams(params);
  });

  it('counts the largest weights of the whole network', async () => {
    const params = network();
    const counts = await globalMagnitudeCounts(params, 0.75);
    expect(counts['a.kernel'] + counts['b.kernel']).to.equal(52);
    const pruned = await prune(params, counts);
    const kept = [...values(pruned['a.kernel']), ...values(pruned['b.kernel'])].map(Math.abs);
    const all = [...values(params['a.kernel']), ...values(params['b.kernel'])].map(Math.abs).sort((a, b) => b - a);
    expect(kept.sort((a, b) => b - a)).to.deep.equal(all.slice(0, 52));
    expect(await rejection(globalMagnitudeCounts(pruned, 0.5))).to.be.instanceOf(InputError);
    disposeParams(pruned);
    disposeParams(params);
  });
});

describe('gradual pruning', () => {
  before(() => useBackend('cpu'));

  it('prunes fast at first: the cubic of Zhu and Gupta', () => {
    expect([0, 0.5, 1].map(cubic)).to.deep.equal([1, 0.125, 0]);
    // s_t = s_f + (s_i − s_f)(1 − t/nΔt)³ at s_i = 0, s_f = 0.9, halfway
    expect(0.9 * (1 - cubic(0.5))).to.be.closeTo(0.7875, 1e-12);
  });

  it('goes from dense to exactly the counts of a distribution, never back, and keeps the largest weights', async () => {
    const sparsifier = gradual({ interval: 4, begin: 0, end: 0.75, counts: erk(KERNELS, 0.9) });
    let params: Params = network();
    let momentum = { 'a.kernel': tf.clone(params['a.kernel'] as tf.Tensor) } as Readonly<Record<string, tf.Tensor>>;
    const start = countWeights(params).size;
    const tensors = tf.memory().numTensors;
    const counts: number[] = [];
    const totalSteps = 30;
    for (let step = 1; step <= totalSteps; step++) {
      if (!sparsifier.updatesAt({ step, totalSteps })) continue;
      const { params: next, carried } = await sparsifier.update(params, { step, totalSteps }, {}, seedKey(0));
      counts.push(countWeights(next).nonzeros);
      for (const name of ['a.kernel', 'b.kernel']) {
        const [before, after] = [values(params[name]), values(next[name])];
        const floor = Math.min(...after.map(Math.abs));
        expect(before.filter((weight) => Math.abs(weight) > floor).length).to.be.below(after.length);
      }
      // What is carried moves with its weight, from a dense kernel too: here momentum equals the weights.
      const moved = carry(momentum, { 'a.kernel': carried['a.kernel'] });
      expect(values(moved['a.kernel'])).to.deep.equal(values(next['a.kernel']));
      disposeTensors(momentum);
      momentum = moved;
      disposeParams(params);
      params = next;
    }
    expect(counts.slice(0, -1)).to.deep.equal(counts.slice(0, -1).toSorted((a, b) => b - a));
    expect(counts).to.have.length(6); // after steps 4, 8, 12, 16, 20, and the end, 22
    expect(counts[0]).to.be.below(start);
    expect(counts[5]).to.equal(Math.round(0.1 * start));
    expect(countWeights(params).nonzeros).to.equal(counts[5]);
    expect(tf.memory().numTensors).to.equal(tensors);
    disposeParams(params);
    disposeTensors(momentum);
  });

  it('ends within the shortest training', () => {
    const sparsifier = gradual({ interval: 100, begin: 0, end: 0.75, counts: {} });
    const due = (totalSteps: number) =>
      Array.from({ length: totalSteps }, (_, i) => i + 1).filter((step) => sparsifier.updatesAt({ step, totalSteps }));
    expect(due(1)).to.deep.equal([1]);
    expect(due(10)).to.deep.equal([7]);
    expect(due(400)).to.deep.equal([100, 200, 300]);
  });
});
