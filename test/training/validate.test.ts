import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { batchImages, batchLabels } from '../../src/data/batch.ts';
import { attackedModel } from '../../src/training/adversary/training-batches.ts';
import { batchesOfEpoch } from '../../src/training/batches/batches.ts';
import { stopwatch } from '../../src/training/run/stopwatch.ts';
import { measureAccuracy, measuredImages } from '../../src/training/run/validate.ts';
import { disposeTrainState, startState } from '../../src/training/state.ts';
import { trainStep } from '../../src/training/step.ts';
import { openTask } from '../../src/training/task.ts';
import { useBackend } from '../backend.ts';
import { tinyConfig } from './tiny.ts';

describe('the accuracies after an epoch', () => {
  before(() => useBackend('cpu'));

  it('are those of all images and of all their adversarial examples, misclassified images being their own', async () => {
    const task = await openTask(tinyConfig({ objective: 'natural', trainLimit: 128, method: 'static' }));
    const state = await startState(task);
    for (const batch of batchesOfEpoch(task, 0)) await trainStep(task, state, batch, null, stopwatch());
    const { train, imageShape } = task.dataset;
    const indices = task.indices.train.slice(0, 100);
    const before = tf.memory().numTensors;
    const measured = await measureAccuracy(task, state, indices);
    expect(tf.memory().numTensors).to.equal(before);

    const model = attackedModel(task.program, { params: state.params, state: state.statistics }, 'evaluate');
    const images = batchImages(train, indices, imageShape);
    const labels = batchLabels(train, indices);
    const samples = Array.from(indices);
    const adversarial = await task.attacks.validation.perturb(model, images, labels, {
      key: task.keys.validation,
      samples,
    });
    const [clean, attacked] = [images, adversarial].map((pixels) => {
      const logits = model(pixels);
      const right = tf.equal(tf.argMax(logits, -1), labels).arraySync() as number[];
      const logProbabilities = tf.logSoftmax(logits).arraySync() as number[][];
      return { right, losses: logProbabilities.map((row, i) => -row[train.labels[indices[i]]]) };
    });
    const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
    expect(measured.cleanAccuracy).to.equal(mean(clean.right)).and.to.be.within(0.2, 0.95);
    expect(measured.robustAccuracy)
      .to.equal(mean(clean.right.map((right, i) => right * attacked.right[i])))
      .and.to.be.below(measured.cleanAccuracy);
    expect(measured.loss).to.be.closeTo(mean(clean.losses), 1e-6);
    expect(measured.robustLoss).to.be.closeTo(mean(attacked.losses), 1e-6);
    tf.dispose([images, labels, adversarial]);
    disposeTrainState(state);
  });

  for (const { training, guard, images, why } of [
    { training: 40, guard: false, images: 40, why: 'there are no more' },
    { training: 1600, guard: false, images: 80, why: 'as many are held out' },
    { training: 100, guard: false, images: 64, why: 'no fewer say anything' },
    { training: 20_000, guard: false, images: 256, why: 'more take long' },
    { training: 1600, guard: true, images: 256, why: 'the guard needs them' },
  ]) {
    it(`concern ${images} of ${training} training images ${guard ? 'with' : 'without'} the guard, since ${why}`, () => {
      const { length } = measuredImages({
        config: { guard },
        dataset: { train: { labels: new Uint8Array(21_000).map((_, i) => i % 10) } },
        indices: {
          train: Int32Array.from({ length: training }, (_, i) => i),
          validation: new Int32Array(Math.min(1000, Math.round(0.05 * training))),
        },
      });
      expect(length).to.equal(images);
    });
  }
});
