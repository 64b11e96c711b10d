import type { Tensor, Tensor2D, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import type { StoredTensor } from '../../src/checkpoints/safetensors/safetensors.ts';
import { isSparse, type Params, type Tensors, trainable } from '../../src/core/params.ts';
import { maskStructure } from '../../src/core/structure.ts';
import { apply } from '../../src/models/init.ts';
import { buildModel } from '../../src/models/models.ts';
import { checkWeights, parameterCounts, parametersOf, statisticsOf } from '../../src/models/inspect.ts';
import { vggBsr } from '../../src/models/vgg.ts';
import type { Program } from '../../src/ops/network.ts';
import { useBackend } from '../backend.ts';
import { golden, toTensor } from '../golden.ts';

const { json, tensors } = golden('models');
const cifar = { inputShape: [32, 32, 3], classes: 10 } as const;

const networks: Record<string, Program> = {
  vgg16: vggBsr(
    { ...cifar, width: 1 },
    {
      blocks: [
        [4, 4],
        [4, 4],
        [8, 8, 8],
        [16, 16, 16],
        [16, 16, 16],
      ],
      hidden: [16, 16],
    },
  ),
  resnet18: buildModel('resnet18', { ...cifar, width: 1 / 16 }),
  wrn10_1: buildModel('wrn-10-1', { ...cifar, width: 1 / 2 }),
};

const data = (name: string): number[] => Array.from(tensors[name].data as ArrayLike<number>);
const load = (name: string): Tensor => toTensor(tensors[name]);
const largest = (values: ArrayLike<number>): number =>
  Array.from(values).reduce((max, value) => Math.max(max, Math.abs(value)), 0);
const distance = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  expect(a.length).to.equal(b.length);
  return largest(Array.from(a, (value, i) => value - b[i]));
};

describe('the networks of golden/models', () => {
  before(() => useBackend('cpu'));

  for (const [network, program] of Object.entries(networks)) {
    describe(network, () => {
      let params: Params;
      let state: Tensors;
      let images: Tensor4D;

      before(() => {
        params = Object.fromEntries(parametersOf(program).map(({ name }) => [name, load(`${network}.${name}`)]));
        state = Object.fromEntries(statisticsOf(program).map(({ name }) => [name, load(`${network}.${name}`)]));
        images = tf.tidy(() => tf.div(tf.cast(load('images'), 'float32'), 255));
      });
      after(() => tf.dispose([images, ...Object.values(params).map(trainable), ...Object.values(state)]));

      it('has the parameters of the reference, in its order', () => {
        const order = (json as { models: Record<string, { tensors_in_order: string[]; parameters: number }> }).models;
        const ours = parametersOf(program).map(({ name }) => `${network}.${name}`);
        expect(ours).to.deep.equal(order[network].tensors_in_order.filter((name) => !name.includes('.moving_')));
        expect(parameterCounts(program).trainable).to.equal(order[network].parameters);
        checkWeights(program, params, state);
      });

      for (const mode of ['eval', 'train'] as const) {
        const training = mode === 'train';

        it(`gives the reference's logits in ${mode} mode`, () => {
          const { logits, state: moved } = apply(program, params, state, images, { training });
          expect(distance(logits.dataSync(), data(`${network}.torch.${mode}.logits`))).to.be.below(1e-4);
          logits.dispose();
          if (training) tf.dispose(Object.values(moved));
        });

        it(`gives the reference's input gradient in ${mode} mode`, () => {
          const labels = data('labels');
          const gradient = tf.tidy(() => {
            const meanCrossEntropy = (x: Tensor) => {
              const { logits } = apply(program, params, state, x as Tensor4D, { training });
              const onehot = tf.oneHot(tf.tensor1d(labels, 'int32'), 10);
              return tf.neg(tf.mean(tf.sum(tf.mul(onehot, tf.logSoftmax(logits as Tensor2D)), 1))) as tf.Scalar;
            };
            return tf.grad(meanCrossEntropy)(images);
          });
          const values = gradient.dataSync();
          gradient.dispose();
          const size = values.length / 8;
          const expected = data(`${network}.torch.${mode}.input_grad`);
          expect(distance(values.subarray(0, size), expected)).to.be.below(1e-4 * largest(expected));
          const norms = Array.from({ length: 8 }, (_, i) => Math.hypot(...values.subarray(i * size, (i + 1) * size)));
          const expectedNorms = data(`${network}.torch.${mode}.input_grad_l2`);
          expect(distance(norms, expectedNorms)).to.be.below(1e-4 * largest(expectedNorms));
        });
      }

      it('moves its running statistics as the reference does', () => {
        const { logits, state: moved } = apply(program, params, state, images, { training: true });
        const updated = Object.keys(tensors).filter((name) => name.startsWith(`${network}.torch.updated.`));
        expect(updated).to.have.length(statisticsOf(program).length);
        for (const name of updated) {
          const ours = moved[name.slice(`${network}.torch.updated.`.length)].dataSync();
          expect(distance(ours, data(name)), name).to.be.below(1e-5 * Math.max(1, largest(data(name))));
        }
        logits.dispose();
        tf.dispose(Object.values(moved));
      });

      it('gives the same logits when its kernels are stored sparse', () => {
        const sparse: Params = Object.fromEntries(
          Object.entries(params).map(([name, param]) => {
            if (!name.endsWith('.kernel')) return [name, param];
            const stored = tensors[`${network}.${name}`] as StoredTensor & { data: Float32Array };
            const structure = maskStructure(stored.shape, new Uint8Array(stored.data.length).fill(1));
            return [name, { structure, values: tf.tensor1d(stored.data) }];
          }),
        );
        checkWeights(program, sparse, state);
        const { logits } = apply(program, sparse, state, images, { training: false });
        expect(distance(logits.dataSync(), data(`${network}.torch.eval.logits`))).to.be.below(1e-4);
        tf.dispose([logits, ...Object.values(sparse).flatMap((param) => (isSparse(param) ? [param.values] : []))]);
      });
    });
  }

  it('have the published size at full width', () => {
    interface Counts {
      trainable: number;
      kernels: number;
      running_statistics: number;
      kernel_shapes: number[][];
    }
    const published = (json as { full_size_parameter_counts: Record<string, Counts> }).full_size_parameter_counts;
    const names = { vgg16: 'vgg16-bsr', resnet18: 'resnet18', wrn28_4: 'wrn-28-4' };
    expect(Object.keys(published)).to.have.members(Object.keys(names));
    for (const [network, name] of Object.entries(names)) {
      const program = buildModel(name, { ...cifar, width: 1 });
      const { trainable, kernels, running_statistics, kernel_shapes } = published[network];
      expect(parameterCounts(program)).to.deep.equal({ trainable, kernels, statistics: running_statistics });
      const shapes = parametersOf(program).flatMap(({ role, shape }) => (role === 'kernel' ? [shape] : []));
      expect(shapes.map(String).sort()).to.deep.equal(kernel_shapes.map(String).sort());
    }
  });
});
