// The law of gradients: every registered gradient has a row in the table, and on every backend the gradient of each case
// is what central differences of its forward pass say.
import { env } from 'node:process';
import type { Tensor, Tensor1D, Tensor2D, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { lossGradient } from '../../attacks/index.ts';
import { foldIn, type Key, normal, seedKey } from '../../src/core/key.ts';
import { sizeOf } from '../../src/core/structure.ts';
import type { BackendName } from '../../src/ops/backend-names.ts';
import { registerGradients } from '../../src/ops/gradients.ts';
import { inputGradient } from '../../src/ops/input-gradient.ts';
import { hasKernel } from '../../src/ops/kernel.ts';
import { OURS, useBackend } from '../backend.ts';
import { type Case, ROWS } from './gradient-rows.ts';

/** The distance between the points of a difference. */
const STEP = 0.01;
/** The weights of f(x − 2h), f(x − h), f(x + h) and f(x + 2h) in 12h · f′(x), with an error of h⁴/30 · f⁗′. */
const STENCIL = [
  [-2, 1],
  [-1, -8],
  [1, 8],
  [2, -1],
] as const;
/** Random directions that each input is moved in. */
const DIRECTIONS = 2;

const key = seedKey('gradients');

/** The values of one input. Those of different inputs lie at different places in their range. */
function valuesOf({ values, shapes }: Case, input: number): Float32Array {
  const size = sizeOf(shapes[input]);
  if ('lists' in values) {
    const list = values.lists[input];
    return Float32Array.from({ length: size }, (_, i) => list[i % list.length]);
  }
  const [low, high] = values;
  const noise = normal(foldIn(key, `input ${input}`), size);
  const order = Array.from(noise.keys()).sort((i, j) => noise[i] - noise[j]);
  return Float32Array.from(order, (place) => low + ((high - low) * (place + 0.4 + 0.11 * input)) / size);
}

const signs = (from: Key, size: number): Float32Array => Float32Array.from(normal(from, size), Math.sign);

const sum = (values: ArrayLike<number>): number => Array.from(values).reduce((total, value) => total + value, 0);
const inner = (a: Float32Array, b: Float32Array): number => sum(Float64Array.from(a, (value, i) => value * b[i]));

/** The outputs of a case, end to end. */
function outputs({ apply }: Case, inputs: readonly Tensor[]): Tensor {
  const y = apply(...(inputs as readonly never[]));
  const list = Array.isArray(y) ? (y as readonly Tensor[]) : [y as Tensor];
  const flat = list.map((output) => tf.reshape(output, [-1]));
  return flat.length === 1 ? flat[0] : tf.concat(flat);
}

interface Difference {
  readonly predicted: number;
  readonly measured: number;
  readonly tolerance: number;
}

/** What the gradients predict of a change of all inputs in random directions, and what the forward pass does. */
function differences(one: Case): Difference[] {
  const inputs = one.shapes.map((_, i) => valuesOf(one, i));
  const tensors = inputs.map((values, i) => tf.tensor(values, [...one.shapes[i]]));
  const y = outputs(one, tensors).dataSync();
  const weights = Float32Array.from(normal(foldIn(key, 'weights'), y.length));
  const total = (...xs: Tensor[]) => tf.sum(tf.mul(outputs(one, xs), tf.tensor1d(weights)));
  const gradients = tf
    .grads(total)(tensors)
    .map((gradient) => Float32Array.from(gradient.dataSync()));
  const size = Math.hypot(...y.map((value, i) => value * weights[i]));
  return Array.from({ length: DIRECTIONS }, (_, direction) => {
    const from = foldIn(key, `direction ${direction}`);
    const directions = inputs.map(({ length }, i) => signs(foldIn(from, `input ${i}`), length));
    const predicted = sum(gradients.map((gradient, i) => inner(gradient, directions[i])));
    const changes = STENCIL.map(([steps, factor]) => {
      const moved = inputs.map((values, i) => values.map((value, j) => value + steps * STEP * directions[i][j]));
      const at = outputs(
        one,
        moved.map((values, i) => tf.tensor(values, tensors[i].shape)),
      ).dataSync();
      return (factor * sum(weights.map((weight, i) => weight * (at[i] - y[i])))) / (12 * STEP);
    });
    const measured = sum(changes);
    const slope = Math.hypot(...gradients.map((gradient) => Math.hypot(...gradient)));
    return { predicted, measured, tolerance: 1e-3 * (slope + Math.abs(measured)) + 1e-4 * size + 1e-5 };
  });
}

/** The gradient of each input alone, which saves no more than it reads, and that of tfjs-core, which saves everything. */
function inputGradients(one: Case): readonly (readonly [Float32Array, Float32Array])[] {
  const tensors = one.shapes.map((shape, i) => tf.tensor(valuesOf(one, i), [...shape]));
  return tensors.map((tensor, input) => {
    const total = (x: Tensor) => tf.sum(tf.square(outputs(one, tensors.with(input, x))));
    return [inputGradient(total, tensor), tf.grad(total)(tensor)].map((gradient) =>
      Float32Array.from(gradient.dataSync()),
    ) as [Float32Array, Float32Array];
  });
}

/** The kernels that a case runs, and those that the backend lacks: ops with such a name are made of others. */
async function kernelsOf(one: Case): Promise<readonly string[]> {
  const inputs = one.shapes.map((shape) => tf.ones([...shape]));
  const { kernelNames } = await tf.profile(() => tf.tidy(() => outputs(one, inputs)));
  tf.dispose(inputs);
  return [...kernelNames, ...['RunNetwork'].filter((kernel) => !hasKernel(kernel))];
}

/** The backends of a run for any backend are the one that it names. */
const BACKENDS: readonly BackendName[] =
  env.EQUIPOISE_TEST_BACKEND === undefined ? ['cpu', 'engine'] : [env.EQUIPOISE_TEST_BACKEND as BackendName];

/** True if the backend computes a case forwards. Ours compute all of them; TensorFlow refuses some, such as paddings in numbers. */
function isComputed(one: Case): boolean {
  if (OURS.includes(tf.getBackend())) return true;
  try {
    tf.tidy(() => {
      outputs(
        one,
        one.shapes.map((_, i) => tf.tensor(valuesOf(one, i), [...one.shapes[i]])),
      ).dataSync();
    });
    return true;
  } catch {
    return false;
  }
}

/** The kernels with a registered gradient, as tfjs-core keeps them for all its copies. */
function registered(): readonly string[] {
  const globals = (globalThis as unknown as { _tfGlobals: Map<string, Map<string, unknown>> })._tfGlobals;
  return [...(globals.get('gradRegistry') as Map<string, unknown>).keys()];
}

describe('registered gradients', () => {
  // Other suites load tfjs-layers, which registers those of tfjs-core again.
  before(registerGradients);

  it('have a row each in the table', () => {
    expect(Object.keys(ROWS).sort()).to.deep.equal([...registered()].sort());
  });

  it('are ours in an attack after another package has registered those of tfjs-core', async () => {
    await useBackend('cpu');
    // Starting a backend may have loaded such a package already.
    registerGradients();
    const ours = tf.getGradient('MirrorPad');
    tf.unregisterGradient('MirrorPad');
    tf.registerGradient({ kernelName: 'MirrorPad', gradFunc: (dy) => ({ x: () => tf.zerosLike(dy as Tensor) }) });
    tf.registerGradient({ kernelName: 'LogSoftmax', gradFunc: (dy) => ({ logits: () => dy as Tensor }) });
    tf.tidy(() => {
      const [images, labels] = [tf.ones([1, 1, 2, 1]) as Tensor4D, tf.tensor1d([0], 'int32')];
      const mirrored = (x: Tensor4D) =>
        tf.mirrorPad(
          tf.reshape(x, [1, 2]),
          [
            [0, 0],
            [0, 1],
          ],
          'symmetric',
        ) as Tensor2D;
      const sum = (logits: Tensor2D) => tf.sum(logits, 1) as Tensor1D;
      const { gradient } = lossGradient(mirrored, sum, { kind: 'untargeted', labels }, images);
      expect(Array.from(gradient.dataSync())).to.deep.equal([1, 2]);
    });
    expect(tf.getGradient('MirrorPad')).to.equal(ours);
    expect(tf.getGradient('LogSoftmax')).to.equal(undefined);
  });

  for (const backend of BACKENDS) {
    describe(`on ${backend}`, () => {
      before(() => useBackend(backend));

      for (const [kernel, cases] of Object.entries(ROWS)) {
        it(`${kernel}: follows central differences`, async () => {
          const computed = Array.from(cases.entries()).filter(([, one]) => isComputed(one));
          expect(computed, 'cases that the backend computes').not.to.have.length(0);
          for (const [index, one] of computed) {
            expect(await kernelsOf(one), `case ${index} runs`).to.include(kernel);
            tf.tidy(() => {
              for (const { predicted, measured, tolerance } of differences(one)) {
                expect(predicted, `case ${index}`).to.be.closeTo(measured, tolerance);
              }
              for (const [input, [frugal, full]] of inputGradients(one).entries()) {
                expect(frugal, `case ${index}, input ${input} alone`).to.deep.equal(full);
              }
            });
          }
        });
      }
    });
  }
});
