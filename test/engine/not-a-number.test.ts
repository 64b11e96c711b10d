import '@tensorflow/tfjs-backend-cpu';
import type { Tensor, Tensor1D, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { pgd } from '../../attacks/index.ts';
import { seedKey, uniform } from '../../src/core/key.ts';
import { isSparse, type Params, type Tensors } from '../../src/core/params.ts';
import { denseStructure, sizeOf } from '../../src/core/structure.ts';
import { registerEngine } from '../../src/engine/index.ts';
import type { Layer, Program } from '../../src/ops/network.ts';
import { runNetwork } from '../../src/ops/network.ts';
import { sparseConv2d } from '../../src/ops/sparse-conv2d.ts';
import { programs, weightsOf } from './networks.ts';
import { expectSame, on } from './same.ts';

const BACKENDS = ['cpu', 'equipoise'] as const;
const BATCH = 5;
/** Every logit of the small networks depends on every layer. */
const DENSITY = 0.8;
const { NaN: nan, POSITIVE_INFINITY: infinity } = Number;

const conv = (name: string, inputs: number): Layer => ({
  ...({ kind: 'conv', name, inputs, filters: 32, size: 3 } as const),
  ...{ stride: 1, padding: 1, bias: false },
});

/** Kernels that have every weight, of a shape that takes Winograd's algorithm. */
const wide: Program = {
  inputShape: [4, 4, 3],
  classes: 2,
  layers: [
    ...[conv('first', 3), { kind: 'relu' } as const, conv('second', 32), { kind: 'relu' } as const],
    ...[
      { kind: 'globalAveragePool' } as const,
      { kind: 'dense', name: 'head', inputs: 32, units: 2, bias: true } as const,
    ],
  ],
};
const networks: Readonly<Record<string, { readonly program: Program; readonly density: number }>> = {
  ...Object.fromEntries(Object.entries(programs).map(([name, program]) => [name, { program, density: DENSITY }])),
  wide: { program: wide, density: 1 },
};

const pixels = ({ inputShape }: Program): Tensor4D => {
  const shape = [BATCH, ...inputShape] as [number, number, number, number];
  return tf.tensor4d(uniform(seedKey('pixels'), sizeOf(shape)), shape);
};

const broken = (tensor: Tensor): Tensor => tf.fill(tensor.shape, nan);

/** The network with one of its parameters or statistics broken. */
function breaking(name: string, params: Params, state: Tensors): { params: Params; state: Tensors } {
  if (name in state) return { params, state: { ...state, [name]: broken(state[name]) } };
  const param = params[name];
  const value = isSparse(param) ? { ...param, values: broken(param.values) as Tensor1D } : broken(param);
  return { params: { ...params, [name]: value }, state };
}

describe('engine on NaN and infinities', () => {
  before(() => registerEngine({ threads: 2 }));
  after(async () => {
    await registerEngine({ threads: 1 });
    await tf.setBackend('cpu');
  });

  for (const [title, { program, density }] of Object.entries(networks)) {
    it(`gives no finite logit where the reference gives none: ${title}`, async () => {
      for (const training of [false, true]) {
        const logits = async (backend: (typeof BACKENDS)[number]) => {
          await tf.setBackend(backend);
          return tf.tidy(() => {
            const { params, state } = weightsOf(program, seedKey('weights'), density);
            const names = [...Object.keys(params), ...(training ? [] : Object.keys(state))];
            return names.map((name) => {
              const net = breaking(name, params, state);
              const result = runNetwork(program, net.params, net.state, pixels(program), { training });
              if (training) tf.dispose(result.state);
              return { name, values: [...result.logits.dataSync()] };
            });
          });
        };
        const [expected, actual] = [await logits('cpu'), await logits('equipoise')];
        const finite = (values: number[]) => values.map(Number.isFinite);
        expected.forEach(({ name, values }, i) => {
          // The reference's poolings pass by NaN.
          const hidden = finite(values).map((is, k) => is && Number.isFinite(actual[i].values[k]));
          expect(finite(actual[i].values), `${name}, training ${training}`).to.deep.equal(hidden);
        });
        expect(expected.filter(({ values }) => !values.some(Number.isFinite)).length).to.be.greaterThan(0);
      }
    });

    it(`shows an image that is not a number, and keeps the others: ${title}`, async () => {
      await tf.setBackend('equipoise');
      tf.tidy(() => {
        const { params, state } = weightsOf(program, seedKey('weights'), density);
        const healthy = pixels(program);
        const sick = tf.where(tf.equal(tf.reshape(tf.range(0, BATCH), [BATCH, 1, 1, 1]), 3), broken(healthy), healthy);
        const [before, after] = [healthy, sick].map((images) =>
          runNetwork(program, params, state, images as Tensor4D, { training: false }).logits.arraySync(),
        );
        expect(after[3].every(Number.isNaN)).to.equal(true);
        expect(after.filter((_, i) => i !== 3)).to.deep.equal(before.filter((_, i) => i !== 3));
      });
    });
  }

  const values = [nan, 1, -1, -0, 0, infinity, -infinity, 2, nan];

  it('passes them through fused activations as the reference does', async () => {
    const x = () => tf.tensor4d(values, [1, 3, 3, 1]);
    for (const activation of ['linear', 'relu', 'relu6', 'elu', 'sigmoid', 'leakyrelu'] as const) {
      const options = { strides: 1, pad: 0, activation, leakyreluAlpha: 0.2 } as const;
      await expectSame(() => [
        tf.fused.conv2d({ ...options, x: x(), filter: tf.ones([1, 1, 1, 1]) }),
        tf.fused.depthwiseConv2d({ ...options, x: x(), filter: tf.ones([1, 1, 1, 1]) }),
        tf.fused.matMul({ ...options, a: tf.tensor2d(values, [9, 1]), b: tf.ones([1, 1]) }),
      ]);
    }
  });

  it('passes them through sparse convolutions and the ReLU of blocks as the reference does', async () => {
    const one = denseStructure([1, 1, 1, 1]);
    await expectSame(() => {
      const y = sparseConv2d(tf.tensor4d(values, [1, 3, 3, 1]), one, tf.ones([1]), { stride: 1, padding: 0 });
      return [y, tf.relu(y), tf.maximum(y, 0), tf.relu6(y)];
    });
  });

  it('averages them as the reference does, and finds no maximum beside NaN', async () => {
    const x = () => tf.tensor4d([...values, ...values.slice(1, 8)], [1, 4, 4, 1]);
    await expectSame(() => [tf.avgPool(x(), 2, 2, 'valid'), tf.avgPool(x(), 3, 1, 'same')]);
    const [maxima] = await on('equipoise', () => [tf.maxPool(x(), 2, 2, 'valid')]);
    // nan  1  -1  -0
    //   0  ∞  -∞   2
    // nan  1  -1  -0
    //   0  ∞  -∞   2
    expect([...maxima]).to.deep.equal([nan, 2, nan, 2]);
  });

  it('makes attacks refuse a network that is not healthy', async () => {
    const { program } = networks.vgg;
    for (const backend of BACKENDS) {
      await tf.setBackend(backend);
      const weights = weightsOf(program, seedKey('weights'), DENSITY);
      const { params, state } = breaking('first.kernel', weights.params, weights.state);
      const classifier = (images: Tensor4D) => runNetwork(program, params, state, images, { training: false }).logits;
      const images = pixels(program);
      const labels = tf.zeros([BATCH], 'int32') as Tensor1D;
      const error = await pgd({ epsilon: 0.1, steps: 1 })
        .perturb(classifier, images, labels)
        .catch((thrown) => thrown);
      expect(error.message, backend).to.match(/NaN or infinite logits/);
    }
  });
});
