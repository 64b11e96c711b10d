import * as tf from '@tensorflow/tfjs-core';
import { layers, sequential } from '@tensorflow/tfjs-layers';
import { expect } from 'chai';
import { InputError } from '../../src/core/errors.ts';
import { disposeTensors } from '../../src/core/params.ts';
import { estimateCoefficient } from '../../src/optimizers/coefficients.ts';
import { agentPrepass } from '../../src/optimizers/pass.ts';
import { variableLoss } from '../../src/optimizers/variables.ts';
import { useBackend } from '../backend.ts';
import { rejection } from '../rejection.ts';

describe("AGENT for a loop of one's own", () => {
  before(() => useBackend('cpu'));

  /** L_b(w) = ½ ‖w − a_b‖² */
  const targets = [1, 3, 8].map((a) => [a, -a]);
  const lossAt = (w: tf.Tensor, a: readonly number[]) =>
    tf.tidy(() => tf.mul(0.5, tf.sum(tf.square(tf.sub(w, tf.tensor1d([...a]))))) as tf.Scalar);

  it('finds u and ĉ over any batches, and leaves nothing behind', async () => {
    const [now, before] = [tf.tensor1d([1, 2]), tf.tensor1d([0, 0])];
    const count = tf.memory().numTensors;
    const seen: number[] = [];
    const { meanGradient, estimate } = await agentPrepass(targets, {
      gradients: (a) => ({ loss: lossAt(now, a), gradients: { w: tf.sub(now, a) } }),
      lossBefore: (a) => lossAt(before, a),
      onGradients: ({ w }) => void seen.push(w.dataSync()[0]),
    });
    expect([...meanGradient.w.dataSync()]).to.deep.equal([1 - 4, 2 + 4]);
    const losses = (w: readonly number[]) => targets.map((a) => (w[0] - a[0]) ** 2 / 2 + (w[1] - a[1]) ** 2 / 2);
    expect(estimate).to.deep.equal(estimateCoefficient(losses([1, 2]), losses([0, 0])));
    expect(seen).to.deep.equal([0, -2, -7]);
    disposeTensors(meanGradient);
    expect(tf.memory().numTensors).to.equal(count);
  });

  it('frees its sums where a batch fails, estimates nothing without losses before, and takes no batches too', async () => {
    const now = tf.tensor1d([1, 2]);
    const count = tf.memory().numTensors;
    const gradients = (a: readonly number[]) => {
      if (a[0] === 8) throw new Error('no such batch');
      return { loss: lossAt(now, a), gradients: { w: tf.sub(now, [...a]) } };
    };
    expect((await rejection(agentPrepass(targets, { gradients }))).message).to.equal('no such batch');
    expect(tf.memory().numTensors).to.equal(count);
    const { estimate, meanGradient } = await agentPrepass(targets.slice(0, 1), { gradients });
    expect(estimate).to.equal(null);
    disposeTensors(meanGradient);
    expect(await agentPrepass([], { gradients })).to.deep.equal({ meanGradient: {}, estimate: null });
  });

  describe('over variables', () => {
    const model = () =>
      sequential({
        layers: [
          layers.dense({ units: 3, inputShape: [2], kernelInitializer: 'ones' }),
          layers.batchNormalization(),
          layers.dense({ units: 1, kernelInitializer: 'ones' }),
        ],
      });
    const x = () => tf.tensor2d([1, 2, 3, 5, -1, 0], [3, 2]);

    it('evaluates a LayersModel at other weights, and changes no variable by that, running statistics included', () => {
      const net = model();
      const input = x();
      const { values, gradients, loss } = variableLoss(
        net,
        (batch: tf.Tensor) => tf.mean(tf.square(net.apply(batch, { training: true }) as tf.Tensor)) as tf.Scalar,
      );
      const all = () => net.weights.map((weight) => [...weight.read().dataSync()]);
      const start = all();
      const snapshot = values();
      expect(Object.keys(snapshot)).to.deep.equal(net.trainableWeights.map(({ name }) => name));
      const here = gradients(input, snapshot);
      expect(all()).to.deep.equal(start);
      const step = gradients(input);
      expect(all()).not.to.deep.equal(start);
      for (const name of Object.keys(step.gradients)) {
        expect([...step.gradients[name].dataSync()]).to.deep.equal([...here.gradients[name].dataSync()]);
      }
      expect(step.loss.dataSync()).to.deep.equal(here.loss.dataSync());
      const moved = Object.fromEntries(Object.entries(snapshot).map(([name, value]) => [name, tf.mul(value, 2)]));
      const before = all();
      const other = loss(input, moved);
      expect(all()).to.deep.equal(before);
      expect(other.dataSync()[0]).not.to.equal(step.loss.dataSync()[0]);
    });

    it('trains no layer of a LayersModel that is frozen, whether it was made so or frozen later', () => {
      const net = sequential({
        layers: [
          layers.dense({ units: 3, inputShape: [2], trainable: false }),
          layers.dense({ units: 3 }),
          layers.dense({ units: 1 }),
        ],
      });
      net.layers[1].trainable = false;
      const { gradients } = variableLoss(
        net,
        (batch: tf.Tensor) => tf.mean(net.apply(batch) as tf.Tensor) as tf.Scalar,
      );
      const trained = net.layers[2].weights.map(({ name }) => name);
      expect(Object.keys(gradients(x()).gradients)).to.have.members(trained);
    });

    it('takes variables themselves, gives 0 for those that the loss does not read, and refuses none', () => {
      const w = tf.variable(tf.tensor1d([1, 2]), true, 'pass-test-w');
      const unused = tf.variable(tf.scalar(1), true, 'pass-test-unused');
      const fixed = tf.variable(tf.scalar(3), false, 'pass-test-fixed');
      const count = tf.memory().numTensors;
      const net = variableLoss([w, unused, fixed], (factor: number) =>
        tf.tidy(() => tf.mul(fixed, tf.mul(factor, tf.sum(tf.square(w)))) as tf.Scalar),
      );
      const { loss, gradients } = net.gradients(2);
      expect(loss.dataSync()[0]).to.equal(30);
      expect([...gradients['pass-test-w'].dataSync()]).to.deep.equal([12, 24]);
      expect([...gradients['pass-test-unused'].dataSync()]).to.deep.equal([0]);
      const at = net.loss(1, { 'pass-test-w': tf.tensor1d([0, 1]), 'pass-test-unused': tf.scalar(0) });
      expect(at.dataSync()[0]).to.equal(3);
      expect(() => net.loss(1, {})).to.throw(InputError, /values of all variables, got none of pass-test-w/);
      expect([...w.dataSync()]).to.deep.equal([1, 2]);
      tf.dispose([loss, gradients, at]);
      expect(tf.memory().numTensors).to.equal(count + 2);
      expect(() => variableLoss([fixed], () => tf.scalar(0))).to.throw(InputError, /trainable variables, got none/);
      tf.dispose([w, unused, fixed]);
    });
  });
});
