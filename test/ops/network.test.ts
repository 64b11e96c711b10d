import type { Tensor, Tensor1D, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { InputError } from '../../src/core/errors.ts';
import { foldIn, normal, sample, seedKey, uniform } from '../../src/core/key.ts';
import { disposeTensors, type Params, type Tensors, trainables, withTrainables } from '../../src/core/params.ts';
import { scatterValues, sizeOf, structure } from '../../src/core/structure.ts';
import { batchNorms, eachShape, type Program, runNetwork } from '../../src/ops/network.ts';
import { useBackend } from '../backend.ts';

/** Every kind of layer: a strided residual block whose shortcut is a convolution, one whose shortcut is the identity. */
const program: Program = {
  inputShape: [8, 8, 2],
  classes: 3,
  layers: [
    { kind: 'normalize', mean: [0.4, 0.5], std: [0.2, 0.3] },
    { kind: 'conv', name: 'conv1', inputs: 2, filters: 4, size: 3, stride: 1, padding: 1, bias: true },
    { kind: 'batchNorm', name: 'bn1', channels: 4 },
    { kind: 'relu' },
    {
      kind: 'residual',
      body: [
        { kind: 'conv', name: 'body', inputs: 4, filters: 4, size: 3, stride: 2, padding: 1, bias: false },
        { kind: 'batchNorm', name: 'bn2', channels: 4 },
      ],
      shortcut: [
        { kind: 'conv', name: 'shortcut', inputs: 4, filters: 4, size: 1, stride: 2, padding: 0, bias: false },
      ],
    },
    { kind: 'residual', body: [{ kind: 'relu' }], shortcut: [] },
    { kind: 'maxPool', size: 2 },
    { kind: 'flatten' },
    { kind: 'dense', name: 'hidden', inputs: 16, units: 5, bias: false },
    { kind: 'batchNorm', name: 'bn3', channels: 5 },
    { kind: 'dense', name: 'dense', inputs: 5, units: 3, bias: true },
  ],
};

const key = seedKey(11);
const gaussian = (name: string, shape: number[]): Tensor =>
  tf.tensor(
    normal(foldIn(key, name), sizeOf(shape)).map((x) => x * 0.5),
    shape,
  );

function weights(): { params: Params; state: Tensors } {
  const kernel = structure([3, 3, 4, 4], sample(key, 60, 144));
  const hidden = structure([16, 5], sample(key, 40, 80));
  const channels = { bn1: 4, bn2: 4, bn3: 5 };
  const params: Record<string, Params[string]> = {
    'conv1.kernel': gaussian('conv1.kernel', [3, 3, 2, 4]),
    'conv1.bias': gaussian('conv1.bias', [4]),
    'body.kernel': { structure: kernel, values: gaussian('body', [60]) as Tensor1D },
    'shortcut.kernel': gaussian('shortcut', [1, 1, 4, 4]),
    'hidden.kernel': { structure: hidden, values: gaussian('hidden', [40]) as Tensor1D },
    'dense.kernel': gaussian('dense', [5, 3]),
    'dense.bias': gaussian('dense.bias', [3]),
  };
  const state: Record<string, Tensor> = {};
  for (const [name, count] of Object.entries(channels)) {
    params[`${name}.gamma`] = tf.add(1, gaussian(`${name}.gamma`, [count]));
    params[`${name}.beta`] = gaussian(`${name}.beta`, [count]);
    state[`${name}.moving_mean`] = gaussian(`${name}.mean`, [count]);
    state[`${name}.moving_variance`] = tf.tensor(uniform(foldIn(key, name), count, 0.5, 2));
  }
  return { params, state };
}

const images = (): Tensor4D => tf.tensor4d(uniform(key, 5 * 128), [5, 8, 8, 2]);

describe('a network', () => {
  before(() => useBackend('cpu'));

  it('knows the shape of an image after every layer', () => {
    const shapes = [...eachShape(program.layers, program.inputShape)].map(({ output }) => output.join('×'));
    expect(shapes).to.deep.equal('8×8×2 8×8×4 8×8×4 8×8×4 4×4×4 4×4×4 4×4×4 4×4×4 2×2×4 16 5 5 3'.split(' '));
    expect(batchNorms(program)).to.deep.equal(['bn1', 'bn2', 'bn3']);
  });

  it('refuses images of another shape', () => {
    tf.tidy(() => {
      const { params, state } = weights();
      expect(() => runNetwork(program, params, state, tf.zeros([1, 8, 8, 3]), { training: false })).to.throw(
        InputError,
        'takes images of shape [batch, 8, 8, 2], got [1,8,8,3]',
      );
    });
  });

  for (const training of [false, true]) {
    it(`has the gradients of finite differences in ${training ? 'training' : 'evaluation'} mode`, () => {
      tf.tidy(() => {
        const { params, state } = weights();
        const x = images();
        const names = Object.keys(params);
        const loss = (pixels: Tensor, values: Tensors): Tensor =>
          tf.sum(
            tf.mul(
              runNetwork(program, withTrainables(params, values), state, pixels as Tensor4D, { training }).logits,
              gaussian('weights of the loss', [5, 3]),
            ),
          );
        const at = (values: Tensors) => loss(x, values).dataSync()[0];
        const tensors = trainables(params);
        const gradients = tf.grads((...values: Tensor[]) =>
          loss(values[0], Object.fromEntries(names.map((name, i) => [name, values[i + 1]]))),
        )([x, ...names.map((name) => tensors[name])]);

        const step = 3e-4; // small: a larger one crosses the kinks of ReLU and max pooling
        for (const [i, name] of names.entries()) {
          const direction = gaussian(`direction of ${name}`, tensors[name].shape);
          const moved = (size: number) => ({ ...tensors, [name]: tf.add(tensors[name], tf.mul(direction, size)) });
          const slope = (at(moved(step)) - at(moved(-step))) / (2 * step);
          const expected = tf.sum(tf.mul(direction, gradients[i + 1])).dataSync()[0];
          expect(slope, name).to.be.closeTo(expected, 0.03 * (1 + Math.abs(expected)));
        }
        const direction = gaussian('direction of the images', x.shape);
        const along = (size: number) => loss(tf.add(x, tf.mul(direction, size)), tensors).dataSync()[0];
        const expected = tf.sum(tf.mul(direction, gradients[0])).dataSync()[0];
        expect((along(step) - along(-step)) / (2 * step)).to.be.closeTo(expected, 0.03 * (1 + Math.abs(expected)));
      });
    });
  }

  it('gives the dense gradient of a sparse kernel through a probe', () => {
    tf.tidy(() => {
      const { params, state } = weights();
      const body = params['body.kernel'] as { structure: ReturnType<typeof structure>; values: Tensor1D };
      const logitsSum = (all: Params, probes: Tensors) =>
        tf.sum(tf.square(runNetwork(program, all, state, images(), { training: true, probes }).logits));
      const probe = tf.grad((zero) => logitsSum(params, { 'body.kernel': zero }))(tf.zeros([3, 3, 4, 4]));
      const dense = tf.tensor(scatterValues(body.structure, body.values.dataSync()), [3, 3, 4, 4]);
      const expected = tf.grad((kernel) => logitsSum({ ...params, 'body.kernel': kernel }, {}))(dense);
      const difference = tf.norm(tf.sub(probe, expected)).dataSync()[0];
      expect(difference).to.be.below(1e-4 * tf.norm(expected).dataSync()[0]);
    });
  });

  it('moves the running statistics by a tenth of the batch, the variance unbiased, in training mode only', () => {
    tf.tidy(() => {
      const { params, state } = weights();
      expect(runNetwork(program, params, state, images(), { training: false }).state).to.equal(state);
      const moved = runNetwork(program, params, state, images(), { training: true }).state;
      expect(Object.keys(moved).sort()).to.deep.equal(Object.keys(state).sort());
      const convolved = runNetwork(
        { ...program, layers: [...program.layers.slice(0, 2), { kind: 'flatten' }] },
        params,
        state,
        images(),
        { training: false },
      ).logits;
      const channel = [...convolved.dataSync()].filter((_, i) => i % 4 === 1);
      const mean = channel.reduce((sum, value) => sum + value, 0) / channel.length;
      const unbiased = channel.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (channel.length - 1);
      const [oldMean, oldVariance] = ['mean', 'variance'].map((what) => state[`bn1.moving_${what}`].dataSync()[1]);
      expect(moved['bn1.moving_mean'].dataSync()[1]).to.be.closeTo(0.9 * oldMean + 0.1 * mean, 1e-5);
      expect(moved['bn1.moving_variance'].dataSync()[1]).to.be.closeTo(0.9 * oldVariance + 0.1 * unbiased, 1e-5);
    });
  });

  it('leaves behind only its results', () => {
    const { params, state } = weights();
    const x = images();
    const before = tf.memory().numTensors;
    const result = runNetwork(program, params, state, x, { training: true });
    expect(tf.memory().numTensors).to.equal(before + 1 + 6);
    tf.dispose([result.logits]);
    disposeTensors(result.state);
    runNetwork(program, params, state, x, { training: false }).logits.dispose();
    const gradient = tf.grad((pixels) =>
      tf.sum(runNetwork(program, params, state, pixels as Tensor4D, { training: false }).logits),
    )(x);
    gradient.dispose();
    expect(tf.memory().numTensors).to.equal(before);
  });
});
