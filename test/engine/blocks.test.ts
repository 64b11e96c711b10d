import '@tensorflow/tfjs-backend-cpu';
import type { Tensor, Tensor1D, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import fc from 'fast-check';
import { profiled } from '../../scripts/bench/profile.ts';
import { foldIn, sample } from '../../src/core/key.ts';
import { type Structure, sizeOf, structure } from '../../src/core/structure.ts';
import type { EngineBackend } from '../../src/engine/backend.ts';
import { engineInfo, registerEngine } from '../../src/engine/index.ts';
import { type Form, span } from '../../src/engine/layout/blocks.ts';
import { sparseConv2d } from '../../src/ops/sparse-conv2d.ts';
import { leaving } from './filled-heap.ts';
import { expectSame, forgetStructures, key, numbers, on, withGradients } from './same.ts';

const backend = (): EngineBackend => tf.backend() as EngineBackend;

const structures = new Map<string, Structure>();

/** A kernel [size, size, inputs, outputs] of which a third is not zero. */
function kernelOf(size: number, inputs: number, outputs: number): Structure {
  const shape = [size, size, inputs, outputs];
  const name = shape.join();
  const count = Math.ceil(sizeOf(shape) / 3);
  const made = structures.get(name) ?? structure(shape, sample(foldIn(key, name), count, sizeOf(shape)));
  structures.set(name, made);
  return made;
}

function convolve(x: Tensor4D, size: number, stride: number, outputs = x.shape[3]): Tensor4D {
  const kernel = kernelOf(size, x.shape[3], outputs);
  const values = tf.tensor1d(numbers('values', [kernel.positions.length])) as Tensor1D;
  return sparseConv2d(x, kernel, values, { stride, padding: (size - 1) / 2 });
}

const vector = (name: string, x: Tensor): Tensor1D => tf.tensor1d(numbers(name, [x.shape[3] ?? 1]));
const like = (x: Tensor4D): Tensor4D => tf.tensor4d(numbers('like', x.shape), x.shape);

/** Ops of images, of which some leave their result in blocks. */
const OPS: Readonly<Record<string, (x: Tensor4D) => Tensor4D>> = {
  'conv 1×1': (x) => convolve(x, 1, 1),
  'conv 3×3': (x) => convolve(x, 3, 1, 5),
  'conv 5×5': (x) => convolve(x, 5, 1, 3),
  'conv of stride 2': (x) => convolve(x, 3, 2),
  'conv 1×1 of stride 2': (x) => convolve(x, 1, 2, 6),
  'conv of stride 3': (x) => convolve(x, 5, 3),
  'conv 1×1 of stride 3': (x) => convolve(x, 1, 3),
  'residual of stride 2': (x) => tf.add(convolve(x, 1, 2), convolve(x, 3, 2)),
  residual: (x) => tf.add(convolve(x, 3, 1), convolve(x, 1, 1)),
  'residual with its input': (x) => tf.add(x, convolve(x, 3, 1)),
  relu: (x) => tf.relu(x),
  relu6: (x) => tf.relu6(x),
  leakyRelu: (x) => tf.leakyRelu(x, 0.1),
  elu: (x) => tf.elu(x),
  selu: (x) => tf.selu(x),
  tanh: (x) => tf.tanh(x),
  sigmoid: (x) => tf.sigmoid(x),
  square: (x) => tf.mul(tf.square(x), 0.1),
  'abs and sign': (x) => tf.add(tf.abs(x), tf.sign(x)),
  swish: (x) => tf.mul(x, tf.sigmoid(x)),
  'clip around 0': (x) => tf.clipByValue(x, -1, 1),
  'clip beyond 0': (x) => tf.clipByValue(x, 0.25, 1),
  'times a number': (x) => tf.mul(x, 0.5),
  'by a number': (x) => tf.div(x, 3),
  'plus a number': (x) => tf.add(x, 0.5),
  'from a number': (x) => tf.sub(1, x),
  'plus a vector': (x) => tf.add(x, vector('bias', x)),
  'less a vector': (x) => tf.sub(x, vector('bias', x)),
  'from a vector': (x) => tf.sub(vector('bias', x), x),
  'times a vector': (x) => tf.mul(vector('scale', x), x),
  'by a vector': (x) => tf.div(x, tf.add(tf.abs(vector('scale', x)), 1)),
  'plus a tensor': (x) => tf.add(x, like(x)),
  'times a tensor': (x) => tf.mul(like(x), x),
  'the larger': (x) => tf.maximum(x, like(x)),
  'squared difference': (x) => tf.mul(tf.squaredDifference(x, like(x)), 0.1),
  'sum of three': (x) => tf.addN([x, tf.neg(x), tf.relu(x)]) as Tensor4D,
  batchNorm: (x) =>
    tf.batchNorm(x, vector('mean', x), tf.abs(vector('variance', x)), vector('offset', x), vector('scale', x), 0.1),
  'batch norm in training': (x) => {
    const { mean, variance } = tf.moments(x, [0, 1, 2]);
    return tf.batchNorm(x, mean as Tensor1D, variance as Tensor1D, vector('offset', x), vector('scale', x), 0.1);
  },
  maxPool: (x) => tf.maxPool(x, 3, 1, 'same'),
  transpose: (x) => tf.transpose(x, [0, 2, 1, 3]),
  'reshape and back': (x) => tf.reshape<tf.Rank.R4>(tf.relu(tf.reshape(x, [x.shape[0], -1])), x.shape),
  'reference kernel': (x) => tf.sin(x),
};

type Op = (x: Tensor4D) => Tensor4D;

const images = fc.record({
  batch: fc.constantFrom(1, 3, 4, 6, 9),
  height: fc.integer({ min: 1, max: 6 }),
  width: fc.constantFrom(1, 2, 3, 4, 5, 7, 8),
  channels: fc.integer({ min: 1, max: 6 }),
});

const chains = fc.record({
  ...{ image: images, names: fc.array(fc.constantFrom(...Object.keys(OPS)), { minLength: 2, maxLength: 6 }) },
  read: fc.array(fc.boolean(), { minLength: 6, maxLength: 6 }),
});

type Shape = [number, number, number, number];
const shapeOf = ({
  batch,
  height,
  width,
  channels,
}: {
  batch: number;
  height: number;
  width: number;
  channels: number;
}) => [batch, height, width, channels] as Shape;
const input = (shape: Shape): Tensor4D => tf.tensor4d(numbers('x', shape), shape);

/** A chain of ops after a convolution, which leaves its output in blocks; `look` sees each result. */
const chain =
  (names: readonly string[], look: (y: Tensor4D, i: number) => void = () => {}): Op =>
  (x) =>
    names.reduce(
      (y, name, i) => {
        const next = OPS[name](y);
        look(next, i);
        return next;
      },
      convolve(x, 3, 1, 4),
    );

/** The numbers of a tensor's blocks, with all that lies around its values. */
function raw(tensor: Tensor, form: Form): Float32Array {
  const engine = backend();
  return engine.heap.float32(engine.blocks(tensor, form) - form.layout.padBytes, span(form)).slice();
}

describe('tensors in blocks', () => {
  before(() => registerEngine({ threads: 2 }));
  beforeEach(() => tf.setBackend('equipoise'));
  after(async () => {
    await registerEngine({ threads: 1 });
    await tf.setBackend('cpu');
  });

  it('give the values and gradients of the reference backend through any chain of ops', async () => {
    await fc.assert(
      fc.asyncProperty(chains, async ({ image, names }) => {
        const run = () => withGradients((x) => chain(names)(x as Tensor4D), [input(shapeOf(image))]);
        await expectSame(run, 1e-3);
      }),
      { numRuns: 60 },
    );
  }).timeout(60_000);

  it('have zeros around their values, whatever made them', () => {
    fc.assert(
      fc.property(chains, ({ image, names }) => {
        tf.tidy(() => {
          chain(names, (y) => {
            const form = backend().formOf(y);
            if (!form || !tf.tidy(() => tf.all(tf.isFinite(y)).dataSync()[0])) return;
            const lies = raw(y, form);
            const packed = raw(tf.tensor(y.dataSync(), y.shape), form);
            expect(lies.every((value, i) => value === packed[i])).to.equal(true);
          })(input(shapeOf(image)));
        });
      }),
      { numRuns: 100 },
    );
  }).timeout(60_000);

  it('give the same bits on 1, 2 and 3 threads, and whether or not someone reads in the middle', async () => {
    const samples = fc.sample(chains, { numRuns: 20, seed: 5 });
    const run = (reads: boolean) =>
      on('equipoise', () =>
        samples.flatMap(({ image, names, read }) =>
          withGradients(
            (x) => chain(names, (y, i) => reads && read[i] && y.dataSync())(x as Tensor4D),
            [input(shapeOf(image))],
          ),
        ),
      );
    await registerEngine({ threads: 1 });
    const one = await run(false);
    expect(await run(true)).to.deep.equal(one);
    for (const threads of [2, 3]) {
      await registerEngine({ threads });
      expect(await run(false)).to.deep.equal(one);
    }
    await registerEngine({ threads: 2 });
  }).timeout(60_000);

  it('stay there from one convolution to the next, and what is copied is copied once', async () => {
    const shape: Shape = [4, 8, 8, 4];
    const x = input(shape);
    const kernels = await profiled(() => {
      tf.tidy(() => {
        const net = (a: Tensor) =>
          tf.relu(convolve(tf.relu(tf.add(convolve(a as Tensor4D, 3, 1), vector('bias', a))), 3, 1));
        const weighted = tf.valueAndGrad((a: Tensor) => tf.sum(tf.mul(net(a), 2), [0, 1, 2]));
        const { value, grad } = weighted(x, tf.ones([4]));
        expect(backend().formOf(grad)).not.to.equal(undefined);
        return [value, grad];
      });
    });
    const copies = kernels.filter(({ call }) => call.kernel === 'repack');
    // x, and the gradient that comes in plain.
    expect(copies.length).to.equal(2);
    x.dispose();
  });

  it('are added in f64 where all but the channels is summed', async () => {
    const shape: Shape = [33, 32, 30, 2];
    const values = numbers('sums', shape).map((value) => value + 100);
    const exact = [0, 1].map((channel) => values.reduce((sum, value, i) => (i % 2 === channel ? sum + value : sum), 0));
    await tf.setBackend('equipoise');
    const both = structure([1, 1, 2, 2], Int32Array.of(0, 3));
    const [sum, mean] = tf.tidy(() => {
      const x = tf.tensor4d(values, shape);
      const y = sparseConv2d(x, both, tf.ones([2]), { stride: 1, padding: 0 });
      expect(backend().formOf(y)).not.to.equal(undefined);
      return [tf.sum(y, [0, 1, 2]), tf.mean(y, [0, 1, 2])].map((result) => [...result.dataSync()]);
    });
    expect(sum).to.deep.equal(exact.map(Math.fround));
    expect(mean).to.deep.equal(exact.map((total) => Math.fround(total / (sizeOf(shape) / 2))));
  });

  it('serve a convolution and all its gradients with one copy of each input', async () => {
    const kernel = kernelOf(3, 4, 4);
    const values = tf.tensor1d(numbers('values', [kernel.positions.length]));
    for (const stride of [1, 2]) {
      const x = input([4, 8, 8, 4]);
      const dy = input([4, 8 / stride, 8 / stride, 4]);
      const f = (a: Tensor, w: Tensor) => sparseConv2d(a as Tensor4D, kernel, w as Tensor1D, { stride, padding: 1 });
      const kernels = await profiled(() => tf.dispose(tf.grads(f)([x, values], dy)));
      const from = kernels.flatMap(({ call }) => (call.kernel === 'repack' && call.fields.xNb === 1 ? [call] : []));
      expect(from.length).to.equal(2);
      tf.dispose([x, dy]);
    }
    values.dispose();
  });

  it('are copied only where a strided 1×1 convolution reads them', async () => {
    const x = input([4, 8, 6, 4]);
    const kernels = await profiled(() => convolve(x, 1, 2).dispose());
    const copies = kernels.flatMap(({ call }) => (call.kernel === 'repack' ? [call.fields] : []));
    expect(copies.map(({ rows, width, planes }) => [rows, width, planes])).to.deep.equal([[4, 3, 1]]);
    x.dispose();
  });

  it('move to another backend and back', async () => {
    const y = tf.tidy(() => convolve(input([3, 5, 7, 2]), 3, 2));
    const expected = await y.data();
    await tf.setBackend('cpu');
    const z = tf.neg(y);
    expect([...z.dataSync()]).to.deep.equal([...expected.map((value) => -value)]);
    expect([...y.dataSync()]).to.deep.equal([...expected]);
    await tf.setBackend('equipoise');
    const again = tf.neg(z);
    expect([...again.dataSync()]).to.deep.equal([...expected]);
    tf.dispose([y, z, again]);
  });

  it('return every byte, in whatever order tensors go', () => {
    forgetStructures();
    tf.dispose(tf.tidy(() => chain(['relu', 'conv of stride 2', 'residual'])(input([5, 6, 6, 3]))));
    const bytes = () => engineInfo()?.bytes;
    const order = fc.shuffledSubarray([0, 1, 2, 3, 4], { minLength: 5 });
    const before = [bytes(), tf.memory().numTensors];
    // Structures' rows stay with the structures.
    fc.assert(
      fc.property(order, fc.integer({ min: 0, max: 31 }), (indices, read) => {
        const x = input([5, 6, 6, 3]);
        const y = tf.tidy(() => convolve(x, 3, 1, 4));
        const tensors: Tensor[] = [x, y, tf.relu(y), tf.reshape(y, [-1]), tf.tidy(() => convolve(y, 3, 2))];
        tensors.forEach((tensor, i) => {
          if (read & (1 << i)) tensor.dataSync();
        });
        for (const i of indices) tensors[i].dispose();
      }),
    );
    expect([bytes(), tf.memory().numTensors]).to.deep.equal(before);
  });

  it('give up their copies when memory is short, and nothing is left where it does not suffice', () => {
    forgetStructures();
    const [bytes, tensors] = [engineInfo()?.bytes, tf.memory().numTensors];
    const shape: Shape = [4, 32, 32, 16];
    const size = 4 * sizeOf(shape);
    const x = input(shape);
    const run = () => tf.tidy(() => convolve(x, 1, 1));
    const y = run();
    const expected = y.dataSync();
    y.dispose();

    // Room for the result and a copy of x in blocks: the plain values can only come in place of that copy.
    const release = leaving(backend().heap, 2.2 * size);
    const again = run();
    expect([...again.dataSync()]).to.deep.equal([...expected]);
    again.dispose();
    release();

    const unread = run();
    const full = leaving(backend().heap, 0);
    expect(run).to.throw(/MB left/);
    expect(() => unread.dataSync()).to.throw(/MB left/);
    full();
    expect([...unread.dataSync()]).to.deep.equal([...expected]);
    tf.dispose([x, unread]);
    forgetStructures();
    expect([engineInfo()?.bytes, tf.memory().numTensors]).to.deep.equal([bytes, tensors]);
  });
});
