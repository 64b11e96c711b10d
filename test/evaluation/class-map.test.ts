import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { InputError, UsageError } from '../../src/core/errors.ts';
import { parseAttacks } from '../../src/evaluation/attacks/named-attacks.ts';
import { evaluate } from '../../src/evaluation/evaluate.ts';
import { outputsOf, readClassMap } from '../../src/evaluation/targets/class-map.ts';
import { preprocessed } from '../../src/evaluation/targets/preprocessing.ts';
import { useBackend } from '../backend.ts';
import { rejection } from '../rejection.ts';
import { tinyData } from './tiny.ts';

const CLASSES = ['drawing', 'neutral', '7'];

describe('a map of classes to outputs', () => {
  let directory: string;
  before(async () => {
    await useBackend('cpu');
    directory = await mkdtemp(join(tmpdir(), 'equipoise-classes-'));
  });
  after(() => rm(directory, { recursive: true }));

  it('is read from a list or a JSON file, by order, by name and by number', async () => {
    const file = join(directory, 'map.json');
    for (const [given, content] of [
      ['4, 0,2', null],
      [file, [4, 0, 2]],
      [file, { neutral: 0, '7': 2, drawing: 4 }],
      [file, { '0': 4, '1': 0, '7': 2 }],
    ] as const) {
      if (content !== null) await writeFile(file, JSON.stringify(content));
      expect(outputsOf(await readClassMap(given), CLASSES)).to.deep.equal([4, 0, 2]);
    }
  });

  it('is refused where it is none, or does not fit the classes', async () => {
    const file = join(directory, 'map.json');
    for (const content of ['{', '3', '{"a": -1}', '[0.5]', '{"a": "b"}', 'null']) {
      await writeFile(file, content);
      expect(await rejection(readClassMap(file))).to.be.instanceOf(UsageError);
    }
    expect((await rejection(readClassMap(join(directory, 'nowhere')))).message).to.include('cannot be read');
    for (const [map, says] of [
      [[0, 1], 'lists 2 outputs; expected one for each of 3 classes'],
      [[0, 1, 1], 'the classes neutral and 7 the same output 1'],
      [{ drawing: 0, neutral: 1 }, 'the class 7 no output'],
      [{ drawing: 0, neutrl: 1, '7': 2 }, 'neutrl, which is no class of the data set. Did you mean neutral?'],
      [{ drawing: 0, '3': 1, '7': 2 }, 'names 3, which is no class'],
      [{ drawing: 0, '0': 1, '7': 2, neutral: 3 }, 'names drawing twice, by name and by number'],
    ] as const) {
      expect(() => outputsOf(map, CLASSES)).to.throw(UsageError, says);
    }
  });

  it('orders outputs and their gradients, and leaves the others out', () => {
    tf.tidy(() => {
      const run = preprocessed((images) => tf.reshape(images, [2, 5]), { outputs: [4, 0, 2] }, 3);
      const images = tf.tensor4d([...Array(10).keys()], [2, 1, 5, 1]);
      expect([...run(images).dataSync()]).to.deep.equal([4, 0, 2, 9, 5, 7]);
      const gradient = tf.grad((x) => tf.sum(tf.mul(run(x as tf.Tensor4D), tf.tensor1d([1, 10, 100]))))(images);
      expect([...gradient.dataSync()]).to.deep.equal([10, 0, 100, 0, 1, 10, 0, 100, 0, 1]);
      const beyond = preprocessed((x) => tf.reshape(x, [2, 5]), { outputs: [5, 0, 2] }, 3);
      expect(() => beyond(images)).to.throw(UsageError, 'output 5; the model has 5 outputs, 0 … 4');
    });
  });

  describe('in an evaluation', () => {
    /** A module that tells the bright half of an image: `order` says what each of its outputs stands for. */
    const moduleOf = async (order: readonly ('left' | 'right' | 'nothing')[]) => {
      const weights = Array.from({ length: 16 }, (_, i) =>
        order.map((what) => (what === 'nothing' ? 0 : what === (i % 4 < 2 ? 'left' : 'right') ? 1 : -1)),
      );
      const path = join(directory, `${order.join('-')}.mjs`);
      await writeFile(
        path,
        `import * as tf from '${import.meta.resolve('@tensorflow/tfjs-core')}';
         export const classifier = (images) =>
           tf.matMul(tf.sub(tf.reshape(images, [-1, 16]), 0.5), tf.tensor2d(${JSON.stringify(weights)}));`,
      );
      return { module: path };
    };
    const options = {
      dataset: tinyData(),
      attacks: parseAttacks('fgsm'),
      norm: 'linf',
      epsilons: [0.1],
      out: false,
    } as const;

    it('gives a model of more outputs the accuracy of one with those of the classes, and is recorded', async () => {
      const [plain] = await evaluate(await moduleOf(['left', 'right']), options);
      const [mapped] = await evaluate(await moduleOf(['right', 'nothing', 'left']), {
        ...options,
        classes: { left: 2, right: 0 },
      });
      expect(mapped.clean).to.deep.equal(plain.clean);
      expect(mapped.attacks.map(({ robust }) => robust)).to.deep.equal(plain.attacks.map(({ robust }) => robust));
      expect(plain.attacks[0].robust.value).to.be.within(0.1, 0.9);
      expect(mapped.target.preprocessing).to.deep.equal({ outputs: [2, 0] });
    });

    it('is refused without a data set, beside a shift, or where the model has too few outputs', async () => {
      const source = await moduleOf(['left', 'right']);
      for (const [changed, says] of [
        [{ dataset: undefined }, 'Name it with --dataset'],
        [{ preprocessing: { labelOffset: 1 } }, '--classes and --label-offset both choose outputs'],
        [{ classes: [0, 2] }, '--classes names output 2; the last one is 1'],
      ] as const) {
        const error = await rejection(evaluate(source, { ...options, classes: [1, 0], ...changed }));
        expect(error).to.be.instanceOf(InputError);
        expect(error.message).to.include(says);
      }
    });
  });
});
