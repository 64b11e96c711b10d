// The gradient that saves no more than it reads: what it equals, what it keeps, and what it leaves behind. That it equals
// tf.grad for every registered gradient is a law in gradients.test.ts.
import type { Tensor, Tensor2D, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { losses } from '../../attacks/losses.ts';
import { bpda } from '../../attacks/models/bpda.ts';
import { normal, seedKey } from '../../src/core/key.ts';
import { replaced } from '../../src/core/replaced.ts';
import { registerGradients } from '../../src/ops/gradients.ts';
import { inputGradient } from '../../src/ops/input-gradient.ts';
import { useBackend } from '../backend.ts';

const numbers = (tensor: Tensor): number[] => Array.from(tensor.dataSync());

/** Values of inputGradient and of tf.grad at x; it leaves no tensor. */
function both(f: (x: Tensor) => Tensor, values: readonly number[]): readonly [number[], number[]] {
  const x = tf.tensor1d([...values]);
  const before = tf.memory().numTensors;
  const found = tf.tidy(() => [numbers(inputGradient(f, x)), numbers(tf.grad(f)(x))] as const);
  expect(tf.memory().numTensors).to.equal(before);
  x.dispose();
  return found;
}

/** The message that a function throws with; it leaves no tensor. */
function refusal(f: (x: Tensor) => Tensor): string {
  const x = tf.tensor1d([1, 2]);
  const before = tf.memory().numTensors;
  let message = '';
  try {
    tf.tidy(() => inputGradient(f, x));
  } catch (error) {
    ({ message } = error as Error);
  }
  expect(tf.memory().numTensors).to.equal(before);
  x.dispose();
  return message;
}

describe('the gradient with respect to an input', () => {
  before(async () => {
    await useBackend('cpu');
    registerGradients();
  });

  const straight = tf.customGrad(((x: Tensor) => ({
    value: tf.round(x),
    gradFunc: (dy: Tensor) => dy,
  })) as Parameters<typeof tf.customGrad>[0]);
  const shared = tf.customGrad(((a: Tensor, b: Tensor) => ({
    value: tf.add(a, b),
    gradFunc: (dy: Tensor) => [dy, dy],
  })) as Parameters<typeof tf.customGrad>[0]);
  const functions: Readonly<Record<string, (x: Tensor) => Tensor>> = {
    'of values that several ops take': (x) => tf.sum(tf.add(tf.mul(x, tf.exp(x)), tf.div(tf.square(x), tf.add(x, 9)))),
    'of a tensor that is both inputs of an op': (x) => tf.sum(tf.mul(x, x)),
    'through a custom gradient that returns dy itself': (x) => tf.sum(tf.mul(straight(tf.mul(x, 3)), x)),
    'through one that returns dy for two inputs': (x) => tf.sum(tf.square(shared(tf.sin(x), tf.cos(x)))),
    'through an op of which one output is not used': (x) => tf.sum(tf.square(tf.split(tf.mul(x, 2), 3)[1])),
    'of a function that takes a gradient itself': (x) =>
      tf.sum(tf.mul(tf.grad((w) => tf.sum(tf.mul(tf.square(w), x)))(tf.tensor1d([1, 2, 3])), x)),
    'of second order': (x) => tf.sum(tf.square(tf.grad((w) => tf.sum(tf.mul(tf.square(w), w)))(x))),
    'beside ops on constants': (x) => tf.sum(tf.mul(tf.exp(tf.tensor1d([1, 2, 3])), x)),
    'where all outputs come from the last op': (x) => tf.sum(x),
  };
  for (const [name, f] of Object.entries(functions)) {
    it(`equals that of tfjs-core ${name}`, () => {
      const [frugal, full] = both(f, [0.4, -1.2, 2.6]);
      expect(frugal).to.deep.equal(full);
      expect(frugal.some((slope) => slope !== 0)).to.equal(true);
    });
  }

  const labels = () => tf.tensor1d([1, 3], 'int32');
  const readers: Readonly<Record<string, (x: Tensor2D) => Tensor>> = {
    ...Object.fromEntries(
      Object.entries(losses).map(([name, loss]) => [
        `the loss ${name}`,
        (x: Tensor2D) => loss(tf.mul(x, 2), { kind: 'untargeted', labels: labels() }, tf.ones([2, 5])),
      ]),
    ),
    // What it reads lives no longer than the forward pass.
    bpda: (x) => bpda<Tensor, Tensor>(tf.round, (z) => z)(tf.mul(x, 2)),
  };
  for (const [name, f] of Object.entries(readers)) {
    it(`reads no tensor that was freed: ${name}`, () => {
      const engine = tf.engine();
      const { runKernel } = engine;
      const freed: string[] = [];
      const watched = ((kernel, inputs, attributes) => {
        if (Object.values(inputs).some((input) => input instanceof tf.Tensor && input.isDisposed)) freed.push(kernel);
        return runKernel.call(engine, kernel, inputs, attributes);
      }) as typeof runKernel;
      tf.tidy(() => {
        const x = tf.tensor2d([3, 1, -2, 0.5, 0, 1, 4, 2, -1, 0.3], [2, 5]);
        replaced(engine, 'runKernel', watched, () => inputGradient((z) => tf.sum(f(z as Tensor2D)), x));
      });
      expect(freed).to.deep.equal([]);
    });
  }

  it('is taken within another gradient by tfjs-core', () => {
    const outer = (x: Tensor) => tf.sum(inputGradient((w) => tf.sum(tf.mul(tf.square(w), w)), x));
    expect(numbers(tf.tidy(() => tf.grad(outer)(tf.tensor1d([1, 2]))))).to.deep.equal([6, 12]);
  });

  it('is refused by the name of what is missing, and leaves no tensor', () => {
    expect(refusal(() => tf.scalar(1))).to.match(/^Cannot compute gradient of y=f\(x\)/);
    expect(refusal((x) => x)).to.match(/^Cannot compute gradient of y=f\(x\)/);
    const without = (x: Tensor) => tf.sum(tf.image.rotateWithOffset(tf.reshape(x, [1, 1, 2, 1]) as Tensor4D, 1));
    // Not every backend has this kernel.
    if (tf.getKernel('RotateWithOffset', tf.getBackend())) {
      expect(refusal(without)).to.match(/^Cannot compute gradient: gradient function not found for \w+\.$/);
    }
    const broken = (x: Tensor) => {
      tf.exp(x);
      throw new Error('broken');
    };
    expect(refusal(broken)).to.equal('broken');
    expect(tf.engine().state.activeTape).to.equal(null);
  });

  it('keeps of linear ops no activations, on the engine less than a quarter of what tfjs-core keeps', async function () {
    await useBackend('engine');
    if (tf.getBackend() !== 'equipoise') this.skip();
    const backend = tf.backend() as unknown as { peakBytes(work: () => void): number };
    const channels = 16;
    const filters = normal(seedKey('filter'), 9 * channels).map((value) => value / 3);
    const x = tf.ones([4, 32, 32, channels]) as Tensor4D;
    const filter = tf.tensor4d(filters, [3, 3, channels, 1]);
    const scale = tf.ones([channels]) as tf.Tensor1D;
    const layers = 12;
    /** Convolutions and norms, each freed once the next one has read it, as networks that Equipoise runs do it. */
    const network = (input: Tensor): Tensor => {
      let y = input as Tensor4D;
      for (let layer = 0; layer < layers; layer++) {
        const next = tf.tidy(() =>
          tf.add(tf.batchNorm(tf.depthwiseConv2d(y, filter, 1, 'same'), scale, scale, scale, scale) as Tensor4D, 1),
        ) as Tensor4D;
        if (y !== input) y.dispose();
        y = next;
      }
      return tf.sum(y);
    };
    const taking = (gradient: () => Tensor) => backend.peakBytes(() => tf.tidy(() => void gradient().dataSync()));
    const frugal = taking(() => inputGradient(network, x));
    const full = taking(() => tf.grad(network)(x));
    expect(frugal).to.be.below(8 * 4 * x.size);
    expect(full).to.be.above(4 * frugal);
    tf.dispose([x, filter, scale]);
    await useBackend('cpu');
  });
});
