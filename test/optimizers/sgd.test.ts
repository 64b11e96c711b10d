import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { InputError } from '../../src/core/errors.ts';
import type { Tensors } from '../../src/core/params.ts';
import { chain } from '../../src/optimizers/chain.ts';
import { type SgdOptions, sgd, trace } from '../../src/optimizers/sgd.ts';
import type { OptimizerState } from '../../src/optimizers/types.ts';
import { useBackend } from '../backend.ts';

const tree = (kernel: number, bias: number): Tensors => ({ 'a.kernel': tf.scalar(kernel), 'a.bias': tf.scalar(bias) });
const number = (tensors: Tensors, name: string) => tensors[name].dataSync()[0];

/** The weights after each of a few steps with constant gradients 1 (kernel) and 2 (bias), from 10 and 20. */
function descend(options: SgdOptions, steps = 3, learningRate = 0.1): [number, number][] {
  return tf.tidy(() => {
    const optimizer = sgd(options);
    let params = tree(10, 20);
    let state: OptimizerState = optimizer.init(params);
    return Array.from({ length: steps }, () => {
      const step = optimizer.update(tree(1, 2), state, params, { learningRate });
      state = step.state;
      params = tree(
        number(params, 'a.kernel') + number(step.updates, 'a.kernel'),
        number(params, 'a.bias') + number(step.updates, 'a.bias'),
      );
      return [number(params, 'a.kernel'), number(params, 'a.bias')] as [number, number];
    });
  });
}

const expectPath = (actual: [number, number][], expected: [number, number][]) => {
  for (const [i, [kernel, bias]] of expected.entries()) {
    expect(actual[i][0], `kernel after step ${i}`).to.be.closeTo(kernel, 1e-5);
    expect(actual[i][1], `bias after step ${i}`).to.be.closeTo(bias, 1e-5);
  }
};

describe('sgd', () => {
  before(() => useBackend('cpu'));

  it('descends along the gradient', () => {
    expectPath(descend({ momentum: 0, weightDecay: 0 }), [
      [9.9, 19.8],
      [9.8, 19.6],
      [9.7, 19.4],
    ]);
  });

  it('accumulates momentum', () => {
    // v = 1, 1.5, 1.75 for the kernel
    expectPath(descend({ momentum: 0.5, weightDecay: 0 }), [
      [9.9, 19.8],
      [9.75, 19.5],
      [9.575, 19.15],
    ]);
  });

  it('looks ahead with Nesterov momentum', () => {
    // g + μ v = 1.5, 1.75, 1.875
    expectPath(descend({ momentum: 0.5, nesterov: true, weightDecay: 0 }), [
      [9.85, 19.7],
      [9.675, 19.35],
      [9.4875, 18.975],
    ]);
  });

  it('couples weight decay into the momentum', () => {
    // g = 1 + 0.1 · 10 = 2; then v = 0.5 · 2 + 1 + 0.1 · 9.8 = 2.98
    expectPath(descend({ momentum: 0.5, weightDecay: 0.1 }, 2), [
      [9.8, 19.6],
      [9.502, 19.004],
    ]);
  });

  it('keeps decoupled weight decay out of the momentum', () => {
    // 10 − 0.1 (1 + 1); then 9.8 − 0.1 (1.5 + 0.98)
    expectPath(descend({ momentum: 0.5, weightDecay: 0.1, decay: 'decoupled' }, 2), [
      [9.8, 19.6],
      [9.552, 19.104],
    ]);
  });

  it('decays kernels only on request', () => {
    expectPath(descend({ momentum: 0, weightDecay: 0.1, scope: 'kernels' }, 1), [[9.8, 19.8]]);
  });

  it('refuses a chain whose links would overwrite each other', () => {
    const params = tree(1, 1);
    expect(() => chain(trace({ decay: 0.5 }), trace({ decay: 0.9 })).init(params)).to.throw(
      InputError,
      'got the slots trace,trace',
    );
  });

  it('refuses impossible options', () => {
    expect(() => sgd({ momentum: 1, weightDecay: 0 })).to.throw(InputError, 'momentum must be in [0, 1), got 1');
    expect(() => sgd({ momentum: 0.9, weightDecay: -1 })).to.throw(InputError, 'got -1');
  });
});
