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
import { erk, uniform, type WeightCounts } from '../../src/sparsity/distributions.ts';
import { type CountsAt, cubic, globally, gradual } from '../../src/sparsity/gradual.ts';
import type { MethodName } from '../../src/sparsity/methods.ts';
import { globalMagnitudeCounts, prune } from '../../src/sparsity/prune.ts';
import { type Spread, startNetwork } from '../../src/sparsity/start-network.ts';
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

  it('leaves no kernel without weights, keeps some dense within the budget, and says where that is too small', async () => {
    const params = {
      'a.kernel': tf.tensor2d([0.1, -0.2, 0.05, 0], [2, 2]),
      'b.kernel': tf.tensor2d([3, -4, 5, 6], [2, 2]),
    };
    expect(await globalMagnitudeCounts(params, 0.5)).to.deep.equal({ 'a.kernel': 1, 'b.kernel': 3 });
    const pruned = await prune(params, { 'a.kernel': 1, 'b.kernel': 3 });
    expect(values(pruned['a.kernel'])).to.deep.equal([Math.fround(-0.2)]);
    expect(await globalMagnitudeCounts(params, 0.25, new Set(['a.kernel']))).to.deep.equal({
      'a.kernel': 4,
      'b.kernel': 2,
    });
    expect((await rejection(globalMagnitudeCounts(params, 0.5, new Set(['a.kernel'])))).message).to.match(
      /leaves 4 of 8 weights, and 5 are needed for one weight a kernel with a\.kernel dense/,
    );
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

  it('goes by the largest weights of all kernels, exactly as many at every update', async () => {
    const sparsifier = gradual({ interval: 1, begin: 0, end: 1, counts: globally(0.9, new Set()) });
    let params: Params = network();
    const { size } = countWeights(params);
    for (let step = 1; step <= 10; step++) {
      const progress = { step, totalSteps: 10 };
      const { params: next } = await sparsifier.update(params, progress, {}, seedKey(0));
      const kept = Math.round((1 - 0.9 * (1 - cubic(step / 10))) * size);
      expect(countWeights(next).nonzeros).to.equal(kept);
      const of = (tree: Params) => [...values(tree['a.kernel']), ...values(tree['b.kernel'])].map(Math.abs);
      expect(of(next).sort((a, b) => b - a)).to.deep.equal(
        of(params)
          .sort((a, b) => b - a)
          .slice(0, kept),
      );
      disposeParams(params);
      params = next;
    }
    disposeParams(params);
  });

  const spreads: readonly (readonly [string, CountsAt | WeightCounts])[] = [
    ['a distribution', uniform(KERNELS, 0.8, { firstConvolutionDense: false })],
    ['the whole network', globally(0.8, new Set())],
  ];
  for (const [over, counts] of spreads) {
    it(`takes a network that is sparse already, over ${over}, and leaves it alone until the curve is there`, async () => {
      const sparsifier = gradual({ interval: 1, begin: 0, end: 1, counts });
      const dense = network();
      let params = await prune(dense, uniform(KERNELS, 0.5, { firstConvolutionDense: false }));
      const { size, nonzeros: start } = countWeights(params);
      for (let step = 1; step <= 10; step++) {
        const { params: next } = await sparsifier.update(params, { step, totalSteps: 10 }, {}, seedKey(0));
        const onTheCurve = (1 - 0.8 * (1 - cubic(step / 10))) * size;
        expect(countWeights(next).nonzeros).to.be.closeTo(Math.min(start, onTheCurve), 3);
        disposeParams(params);
        params = next;
      }
      expect(countWeights(params).nonzeros).to.be.closeTo(0.2 * size, 1);
      for (const tree of [params, dense]) disposeParams(tree);
    });
  }

  it('refuses at the start a network that has fewer weights than it is to end with', async () => {
    const params = network();
    const kernels = KERNELS;
    const sparse = await prune(params, uniform(kernels, 0.5, { firstConvolutionDense: false }));
    const tensors = tf.memory().numTensors;
    const start = (distribution: Spread, sparsity: number, method: MethodName = 'gradual') =>
      startNetwork(sparse, {
        method,
        kernels,
        distribution,
        sparsity,
        options: { firstConvolutionDense: false },
        key: seedKey(0),
      });
    for (const method of ['gradual', 'one-shot'] as const) {
      expect((await rejection(start('uniform', 0.4, method))).message).to.match(
        /^The kernel a\.kernel has 72 of its 144 weights left, a sparsity of 0\.5; .* cannot keep 87 \(0\.3958\)/,
      );
    }
    expect((await rejection(start('global', 0.4))).message).to.match(/asks for 125 weights, and .* 104 of 208 left/);
    expect(tf.memory().numTensors).to.equal(tensors);
    disposeParams(await start('uniform', 0.5));
    for (const tree of [sparse, params]) disposeParams(tree);
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
