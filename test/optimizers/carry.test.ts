import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { foldIn, normal, seedKey } from '../../src/core/key.ts';
import {
  disposeParams,
  disposeTensors,
  mapTree,
  type Params,
  type SparseParam,
  trainables,
} from '../../src/core/params.ts';
import { scatterValues, structure } from '../../src/core/structure.ts';
import { agent } from '../../src/optimizers/agent.ts';
import { carry, carryMaps, carryState } from '../../src/optimizers/carry.ts';
import { applyUpdates, disposeState } from '../../src/optimizers/sgd.ts';
import { disposeSnapshot, takeSnapshot } from '../../src/optimizers/snapshot.ts';
import type { OptimizerState } from '../../src/optimizers/types.ts';
import { methods } from '../../src/sparsity/methods.ts';
import { fixedSigns } from '../../src/sparsity/signs.ts';
import { sparsify } from '../../src/sparsity/sparsify.ts';
import { useBackend } from '../backend.ts';

const values = (tensor: tf.Tensor) => [...tensor.dataSync()];
const SHAPE = [6, 10];

function sparseParams(): Params {
  const dense = { 'a.kernel': tf.tensor2d(normal(seedKey(1), 60), [6, 10]), 'a.bias': tf.ones([10]) };
  const params = sparsify(dense, { 'a.kernel': 20 }, seedKey(2));
  disposeTensors(dense);
  return params;
}

describe('carry', () => {
  before(() => useBackend('cpu'));

  it('keeps the entries of weights that stay, gives grown ones 0 and copies the rest', () => {
    const tree = { 'a.kernel': tf.tensor1d([1, 2, 3]), 'a.bias': tf.tensor1d([7, 8]) };
    const count = tf.memory().numTensors;
    const carried = carry(tree, { 'a.kernel': Int32Array.of(-1, 0, -1, 2) });
    expect(values(carried['a.kernel'])).to.deep.equal([0, 1, 0, 3]);
    expect(values(carried['a.bias'])).to.deep.equal([7, 8]);
    expect(tf.memory().numTensors).to.equal(count + 2);
    disposeTensors(tree);
    expect(values(carried['a.bias'])).to.deep.equal([7, 8]);
    disposeTensors(carried);
  });

  it('maps kernels whose structure changed, and only these', () => {
    const old = structure([2, 3], Int32Array.of(0, 2, 5));
    const now = structure([2, 3], Int32Array.of(1, 2, 4, 5));
    const param = (at: typeof old): SparseParam => ({ structure: at, values: tf.zeros([at.positions.length]) });
    const from = { 'a.kernel': param(old), 'b.kernel': param(old), 'b.bias': tf.ones([1]) };
    const to = { 'a.kernel': param(now), 'b.kernel': param(old), 'b.bias': tf.ones([1]) };
    const maps = carryMaps(from, to);
    expect(maps).to.deep.equal({ 'a.kernel': Int32Array.of(-1, 1, -1, 2) });
    expect(carryMaps(from, to)['a.kernel']).to.equal(maps['a.kernel']);
    expect(carryMaps(to, from)).to.deep.equal({ 'a.kernel': Int32Array.of(-1, 1, 3) });
  });

  it('maps a dense kernel onto the weights that pruning left of it', () => {
    const dense = { 'a.kernel': tf.tensor2d([1, 2, 3, 4, 5, 6], [2, 3]) };
    const now = structure([2, 3], Int32Array.of(1, 2, 5));
    const maps = carryMaps(dense, { 'a.kernel': { structure: now, values: tf.zeros([3]) } });
    expect(values(carry(dense, maps)['a.kernel'])).to.deep.equal([2, 3, 6]);
    expect(carryMaps(dense, dense)).to.deep.equal({});
  });

  for (const name of ['set', 'rigl', 'set-itop', 'rigl-itop', 'bsr-net'] as const) {
    it(`${name}: inactive weights and their momentum are exactly 0 through training with AGENT`, async () => {
      const sparsifier = methods[name].sparsifier({
        interval: 3,
        end: 1,
        dropFractionSchedule: 'constant',
        signs: fixedSigns(seedKey('signs')),
      });
      if (!sparsifier) throw new Error(`${name} has mask updates`);
      const optimizer = agent({ momentum: 0.9, weightDecay: 1e-3 });
      let params = sparseParams();
      const snapshot = takeSnapshot(params, {});
      let state: OptimizerState = optimizer.init(trainables(params));
      const randomTree = (like: Params, key: string) =>
        mapTree((t: tf.Tensor) => tf.tensor(normal(seedKey(key), t.size), t.shape), trainables(like));
      // u and g̃ live on the snapshot's structures for the whole epoch.
      const snapshotMean = randomTree(snapshot.params, 'u');
      const count = tf.memory().numTensors;
      let grown = 0;

      for (let step = 1; step <= 12; step++) {
        const maps = carryMaps(snapshot.params, params);
        const snapshotGradient = randomTree(snapshot.params, `snapshot ${step}`);
        const gradient = randomTree(params, `gradient ${step}`);
        const correction = {
          snapshotGradient: carry(snapshotGradient, maps),
          snapshotMean: carry(snapshotMean, maps),
          coefficient: 0.5,
        };
        const update = optimizer.update(gradient, state, trainables(params), { learningRate: 0.1, correction });
        const moved = applyUpdates(params, update.updates);

        // A weight that the snapshot does not have is moved by its plain gradient.
        const { structure: at } = moved['a.kernel'] as SparseParam;
        const onSnapshot = new Set((snapshot.params['a.kernel'] as SparseParam).structure.positions);
        const corrected = correction.snapshotMean['a.kernel'].dataSync();
        const subtracted = correction.snapshotGradient['a.kernel'].dataSync();
        at.positions.forEach((position, i) => {
          if (onSnapshot.has(position)) return;
          expect(corrected[i]).to.equal(0);
          expect(subtracted[i]).to.equal(0);
        });

        for (const tree of [
          gradient,
          snapshotGradient,
          correction.snapshotGradient,
          correction.snapshotMean,
          update.updates,
        ]) {
          disposeTensors(tree);
        }
        disposeParams(params);
        disposeState(state);
        params = moved;
        state = update.state;

        const progress = { step, totalSteps: 13 };
        if (!sparsifier.updatesAt(progress)) continue;
        const dense = { 'a.kernel': tf.tensor2d(normal(seedKey(`dense ${step}`), 60), [6, 10]) };
        const before = params['a.kernel'] as SparseParam;
        const momentumBefore = scatterValues(before.structure, state.trace['a.kernel'].dataSync());
        const rewired = await sparsifier.update(params, progress, dense, foldIn(seedKey(9), step));
        const carriedState = carryState(state, rewired.carried);
        const after = rewired.params['a.kernel'] as SparseParam;
        const momentum = carriedState.trace['a.kernel'].dataSync();
        const map = rewired.carried['a.kernel'] ?? after.structure.positions.map((_, i) => i);
        grown += map.filter((index) => index < 0).length;
        after.structure.positions.forEach((position, i) => {
          const stays = map[i] >= 0;
          expect(momentum[i]).to.equal(stays ? momentumBefore[position] : 0);
        });
        expect(scatterValues(after.structure, after.values.dataSync())).to.have.length(SHAPE[0] * SHAPE[1]);
        expect(after.structure.positions).to.have.length(20);
        disposeTensors(dense);
        disposeParams(params);
        disposeState(state);
        params = rewired.params;
        state = carriedState;
      }
      expect(grown).to.be.greaterThan(0);
      expect(tf.memory().numTensors).to.equal(count);
      disposeTensors(snapshotMean);
      disposeSnapshot(snapshot);
      disposeParams(params);
      disposeState(state);
    });
  }
});
