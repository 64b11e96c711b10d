import type { Tensor2D, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import type { Classifier } from '../../attacks/types.ts';
import { InputError, UsageError } from '../../src/core/errors.ts';
import { seedKey, uniform } from '../../src/core/key.ts';
import type { Dataset, Split } from '../../src/data/types.ts';
import { parseAttacks } from '../../src/evaluation/attacks/named-attacks.ts';
import { evaluateTarget } from '../../src/evaluation/evaluate.ts';
import { flagsOf, type Preprocessing, preprocessed } from '../../src/evaluation/targets/preprocessing.ts';
import { describeSuggestion, suggestPreprocessing } from '../../src/evaluation/targets/suggestions.ts';
import type { Target } from '../../src/evaluation/targets/target.ts';
import { useBackend } from '../backend.ts';
import { rejection } from '../rejection.ts';

const CLASSES = 3;

/** Colour images whose class is the channel that is brightest, and only there above 0.55. */
function colours(count: number): Split {
  const noise = uniform(seedKey(8), count * 48);
  const labels = Uint8Array.from({ length: count }, (_, i) => i % CLASSES);
  const images = new Uint8Array(count * 48).map(
    (_, i) => 255 * (0.3 + 0.25 * noise[i] + (i % 3 === labels[Math.floor(i / 48)] ? 0.3 : 0)),
  );
  return { count, images, labels };
}

const dataset: Dataset = {
  name: 'colours',
  classes: ['red', 'green', 'blue'],
  imageShape: [4, 4, 3],
  train: colours(30),
  test: colours(60),
  sha256: 'colours',
  official: true,
};

/** A classifier that undoes one preprocessing, and so is right only if that preprocessing is used. */
const wanting = (wanted: Preprocessing): Classifier => {
  const { bounds = [0, 1], mean = [0], std = [1], channels, layout, labelOffset = 0 } = wanted;
  return (images) =>
    tf.tidy(() => {
      if (images.shape[layout === 'nchw' ? 1 : 3] !== 3) throw new Error('other axes');
      const rows = layout === 'nchw' ? tf.transpose(images, [0, 2, 3, 1]) : images;
      const means = tf.mean(tf.add(tf.mul(rows, tf.tensor1d([...std])), tf.tensor1d([...mean])), [1, 2]) as Tensor2D;
      const pixels = tf.div(tf.sub(means, bounds[0]), bounds[1] - bounds[0]);
      const order = channels === 'bgr' ? tf.reverse(pixels, 1) : pixels;
      // Where the brightest or the darkest channel is not as bright as it should be, the first output wins.
      const away = (level: tf.Tensor, expected: number) => tf.relu(tf.sub(tf.abs(tf.sub(level, expected)), 0.1));
      const off = tf.add(away(tf.max(order, 1, true), 0.725), away(tf.min(order, 1, true), 0.425));
      const scores = tf.add(order, tf.mul(off, tf.tensor2d([[1000, 0, 0]]))) as Tensor2D;
      const shift = ((labelOffset % 3) + 3) % 3;
      return tf.concat([tf.slice(scores, [0, 3 - shift], [-1, shift]), tf.slice(scores, [0, 0], [-1, 3 - shift])], 1);
    }) as Tensor2D;
};

const targetOf = (model: Classifier, preprocessing: Preprocessing | null = null): Target => ({
  classify: preprocessed(model, preprocessing ?? {}, CLASSES),
  preprocessedBy: (other) => preprocessed(model, other, CLASSES),
  returnsProbabilities: () => false,
  record: {
    checkpoint: 'mine',
    format: 'module',
    sha256: 'mine',
    preprocessing,
    epoch: null,
    step: null,
    sparsity: null,
    nonzeros: null,
    flops: null,
    bytes: 1,
  },
  inputShape: null,
  classes: CLASSES,
  trainedOn: null,
  threat: null,
  testLimit: null,
  warnings: [],
  dispose: () => undefined,
});

const WAYS: readonly Preprocessing[] = [
  { bounds: [0, 255] },
  { bounds: [-1, 1] },
  { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] },
  { channels: 'bgr' },
  { bounds: [0, 255], channels: 'bgr' },
  { layout: 'nchw' },
  { bounds: [-1, 1], layout: 'nchw' },
  { labelOffset: 1 },
  { labelOffset: -1 },
];

describe('preprocessing', () => {
  before(() => useBackend('cpu'));

  for (const way of WAYS) {
    it(`${flagsOf(way)} is suggested for a model that was trained so, and not applied`, async () => {
      const target = targetOf(wanting(way));
      const before = tf.memory().numTensors;
      const suggestion = await suggestPreprocessing(target, dataset);
      expect(tf.memory().numTensors).to.equal(before);
      expect(suggestion?.accuracy).to.include({ value: 1, n: 60 });
      expect(suggestion?.given.value).to.be.below(0.5);
      expect(describeSuggestion(suggestion)).to.contain(flagsOf(way)).and.contain('Nothing was changed');
      const right = targetOf(wanting(way), way);
      expect(await suggestPreprocessing(right, dataset)).to.equal(null);
    });
  }

  it('by the data set’s own mean and deviation is found to four digits', async () => {
    const sums = [0, 1, 2].map((channel) => {
      const values = dataset.train.images.filter((_, i) => i % 3 === channel);
      const mean = values.reduce((sum, value) => sum + value / 255, 0) / values.length;
      return [mean, Math.sqrt(values.reduce((sum, value) => sum + (value / 255 - mean) ** 2, 0) / values.length)];
    });
    const way = { mean: sums.map(([mean]) => mean), std: sums.map(([, deviation]) => deviation) };
    const suggestion = await suggestPreprocessing(targetOf(wanting(way)), dataset);
    expect(flagsOf(suggestion?.preprocessing ?? {})).to.equal(flagsOf(way));
  });

  it('says where nothing usual helps', async () => {
    const constant: Classifier = (images) => tf.tile(tf.tensor2d([[1, 0, 0]]), [images.shape[0], 1]);
    const suggestion = await suggestPreprocessing(targetOf(constant), dataset);
    expect(suggestion).to.equal(null);
    expect(describeSuggestion(suggestion)).to.contain('None of the usual ways');
  });

  it('picks the outputs of the labels where a model has more', () => {
    const model: Classifier = (images) => tf.tile(tf.tensor2d([[9, 1, 2, 3, 8]]), [images.shape[0], 1]);
    const images = tf.zeros([2, 4, 4, 3]) as Tensor4D;
    expect([...preprocessed(model, { labelOffset: 1 }, 3)(images).dataSync()]).to.deep.equal([1, 2, 3, 1, 2, 3]);
    expect(() => preprocessed(model, { labelOffset: 3 }, 3)(images)).to.throw(UsageError, 'from 0 to 2');
  });
});

describe('an expected clean accuracy', () => {
  before(() => useBackend('cpu'));

  const options = { attacks: parseAttacks('fgsm'), epsilons: [0.1] };

  it('stops where it is off, before any attack, with a suggestion', async () => {
    let gradients = 0;
    const model = wanting({ bounds: [0, 255] });
    const counted: Classifier = (images) => {
      if (tf.engine().state.gradientDepth > 0) gradients++;
      return model(images);
    };
    const error = await rejection(evaluateTarget(targetOf(counted), dataset, { ...options, expectClean: 0.95 }));
    expect(error).to.be.instanceOf(InputError);
    expect(error.message)
      .to.match(/Clean accuracy is 33\.3 % \(\d.* to .*, n 60\); 95 % was expected\. No attack was run\./)
      .and.contain('--bounds=0,255');
    expect(gradients).to.equal(0);
  });

  it('passes within the interval', async () => {
    const { clean } = await evaluateTarget(targetOf(wanting({})), dataset, { ...options, expectClean: 0.97 });
    expect(clean.value).to.equal(1);
  });

  it('is asked for in fractions', async () => {
    const { evaluate } = await import('../../src/evaluation/evaluate.ts');
    const error = await rejection(evaluate('none', { expectClean: 85.2 }));
    expect(error).to.be.instanceOf(UsageError);
    expect(error.message).to.contain('Did you mean 0.852?');
  });

  it('is missed where it is below 80 %: another preprocessing is suggested, and the evaluation goes on', async () => {
    const warnings: string[] = [];
    const warn = (message: string) => void warnings.push(message);
    const model = wanting({ bounds: [-1, 1] });
    const { clean, attacks } = await evaluateTarget(targetOf(model), dataset, { ...options, warn });
    expect(clean.value).to.be.below(0.8);
    expect(attacks).to.have.length(2);
    expect(warnings.join()).to.contain('--bounds=-1,1');
    warnings.length = 0;
    await evaluateTarget(targetOf(wanting({})), dataset, { ...options, warn });
    expect(warnings).to.deep.equal([]);
  });
});
