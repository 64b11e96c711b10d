import type { Scalar, Tensor1D, Tensor2D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { InputError } from '../../src/core/errors.ts';
import { normal, seedKey } from '../../src/core/key.ts';
import { disposeParams, disposeTensors, type Params, type SparseParam, trainables } from '../../src/core/params.ts';
import { structure } from '../../src/core/structure.ts';
import { crossEntropy } from '../../src/objectives/losses.ts';
import { atPerturbedWeights, perturbWeights } from '../../src/objectives/weight-perturbation.ts';
import { sparseMatMul } from '../../src/ops/sparse-matmul.ts';
import { useBackend } from '../backend.ts';

const values = (tensor: tf.Tensor) => [...tensor.dataSync()];
const at = structure([3, 4], Int32Array.of(0, 1, 3, 6, 8, 11));

describe('adversarial weight perturbation', () => {
  before(() => useBackend('cpu'));
  const network = (): Params => ({
    'a.kernel': { structure: at, values: tf.tensor1d(normal(seedKey('w'), 6)) },
    'a.bias': tf.tensor1d([0.1, -0.2, 0.3, 0]),
  });
  const lossOf = (params: Params, x: Tensor2D, y: Tensor1D): Scalar =>
    tf.tidy(() => {
      const { structure, values } = params['a.kernel'] as SparseParam;
      return crossEntropy(tf.add(sparseMatMul(x, structure, values), params['a.bias'] as tf.Tensor) as Tensor2D, y);
    });

  it('adds γ · ‖w‖ · g / ‖g‖ to kernels and nothing to the rest', () => {
    const params = {
      'a.kernel': tf.tensor2d([
        [3, 0],
        [0, 4],
      ]),
      'a.bias': tf.tensor1d([1]),
      'bn.gamma': tf.tensor1d([2]),
    };
    const gradients = {
      'a.kernel': tf.tensor2d([
        [0, 2],
        [0, 0],
      ]),
      'a.bias': tf.tensor1d([9]),
      'bn.gamma': tf.tensor1d([9]),
    };
    const moved = trainables(perturbWeights(params, gradients, 0.1));
    expect(values(moved['a.kernel'])).to.deep.equal([3, 0.5, 0, 4]);
    expect(values(moved['a.bias'])).to.deep.equal([1]);
    expect(values(moved['bn.gamma'])).to.deep.equal([2]);
    const none = trainables(perturbWeights(params, { ...gradients, 'a.kernel': tf.zeros([2, 2]) }, 0.1));
    expect(values(none['a.kernel'])).to.deep.equal([3, 0, 0, 4]);
    expect(() => perturbWeights(params, gradients, -1)).to.throw(InputError, 'got -1');
    for (const tree of [params, gradients, moved, none]) disposeTensors(tree);
  });

  it('raises the loss by γ · ‖w‖ · ‖g‖ to first order, more than any other direction of that length', () => {
    const params = network();
    const { structure, values: w } = params['a.kernel'] as SparseParam;
    const x = tf.tensor2d(normal(seedKey('x'), 15), [5, 3]);
    const y = tf.tensor1d([0, 1, 2, 3, 0], 'int32');
    const gradient = tf.grad((v) => lossOf({ ...params, 'a.kernel': { structure, values: v as Tensor1D } }, x, y))(w);
    const gradients = { 'a.kernel': gradient, 'a.bias': tf.zeros([4]) };
    const before = lossOf(params, x, y).dataSync()[0];
    const length = (t: tf.Tensor) => tf.tidy(() => tf.norm(t).dataSync()[0]);
    const gamma = 0.01;
    const rise = atPerturbedWeights(params, gradients, gamma, (moved) => lossOf(moved, x, y).dataSync()[0]) - before;
    const expected = gamma * length(w) * length(gradient);
    expect(rise).to.be.closeTo(expected, 0.05 * expected);
    for (let seed = 0; seed < 10; seed++) {
      const other = { ...gradients, 'a.kernel': tf.tensor1d(normal(seedKey(seed), 6)) };
      const risen = atPerturbedWeights(params, other, gamma, (moved) => lossOf(moved, x, y).dataSync()[0]) - before;
      expect(risen).to.be.below(rise);
    }
    disposeParams(params);
    disposeTensors(gradients);
    tf.dispose([x, y]);
  });

  it('moves weights alike whatever the scale of the gradient, over the range of float32, and of the weights', () => {
    const w = normal(seedKey('w'), 6);
    const g = normal(seedKey('g'), 6);
    const movement = (weightScale: number, gradientScale: number): number[] => {
      const scaled = (x: Float32Array, scale: number) =>
        tf.tensor2d(
          x.map((value) => value * scale),
          [2, 3],
        );
      const params = { 'a.kernel': scaled(w, weightScale) };
      const gradients = { 'a.kernel': scaled(g, gradientScale) };
      const moved = trainables(perturbWeights(params, gradients, 0.5));
      const before = values(params['a.kernel']);
      const movement = values(moved['a.kernel']).map((value, i) => (value - before[i]) / weightScale);
      for (const tree of [params, gradients, moved]) disposeTensors(tree);
      return movement;
    };
    const expected = movement(1, 1);
    expect(Math.hypot(...expected)).to.be.closeTo(0.5 * Math.hypot(...w), 1e-5);
    for (const [weightScale, gradientScale] of [
      [1, 1e-22],
      [1, 1e-36],
      [1, 1e20],
      [1, 1e37],
      [1e-22, 1],
      [1e20, 1e-30],
    ]) {
      movement(weightScale, gradientScale).forEach((value, i) => {
        expect(value, `${weightScale}, ${gradientScale}`).to.be.closeTo(expected[i], 1e-6);
      });
    }
  });

  it('leaves the weights as they were, bit for bit, and no tensor behind, also when the computation throws', () => {
    const params = network();
    const before = values((params['a.kernel'] as SparseParam).values);
    const gradients = trainables(params);
    const tensors = tf.memory().numTensors;
    let inside: Params = {};
    const result = atPerturbedWeights(params, gradients, 0.01, (perturbed) => {
      inside = perturbed;
      expect((perturbed['a.kernel'] as SparseParam).structure).to.equal(at);
      return 7;
    });
    expect(result).to.equal(7);
    expect((inside['a.kernel'] as SparseParam).values.isDisposed).to.equal(true);
    const fail = () =>
      atPerturbedWeights(params, gradients, 0.01, () => {
        throw new Error('no');
      });
    expect(fail).to.throw('no');
    expect(tf.memory().numTensors).to.equal(tensors);
    expect(values((params['a.kernel'] as SparseParam).values)).to.deep.equal(before);
    disposeParams(params);
  });
});
