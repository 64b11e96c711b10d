import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { decodeSafetensors } from '../../src/checkpoints/safetensors/safetensors.ts';
import { InputError } from '../../src/core/errors.ts';
import { parseAttacks } from '../../src/evaluation/attacks/named-attacks.ts';
import { evaluate } from '../../src/evaluation/evaluate.ts';
import { encodeExamples, fell, makeExamples } from '../../src/evaluation/examples/examples.ts';
import { writeExamples } from '../../src/reporting/pictures/examples.ts';
import { useBackend } from '../backend.ts';
import { rejection } from '../rejection.ts';
import { tinyData, withRun } from './tiny.ts';

describe('adversarial examples of a run', () => {
  before(async () => {
    await useBackend('cpu');
  });
  const dataset = tinyData();
  const [attack] = parseAttacks('pgd-5');

  it('fall where the evaluation by the same attack says so, the radius being a number of grey levels', () =>
    withRun(async (folder) => {
      const epsilon = 51 / 255;
      const { examples } = await makeExamples(folder, { dataset, attack, epsilon, count: 40 });
      const [best] = await evaluate(folder, { dataset, attacks: [attack], epsilons: [epsilon], out: false });
      const right = examples.filter(({ label, before }) => label === before).length;
      expect(right).to.equal(best.clean.correct);
      expect(right - examples.filter(fell).length).to.equal(best.attacks[0].robust.correct);
      expect(examples.filter(fell).length).to.be.within(1, 39);
    }));

  it('do not depend on the batch size, nor on how many they are', () =>
    withRun(async (folder) => {
      const all = await makeExamples(folder, { dataset, attack, count: 12 });
      const batched = await makeExamples(folder, { dataset, attack, count: 12, batchSize: 5 });
      expect(batched).to.deep.equal(all);
      const few = await makeExamples(folder, { dataset, attack, count: 4 });
      expect(few.examples).to.deep.equal(all.examples.slice(0, 4));
    }));

  it('take every image where more are asked for, and leave no tensor behind', () =>
    withRun(async (folder) => {
      const before = tf.memory().numTensors;
      const { examples } = await makeExamples(folder, { dataset, attack, count: 100 });
      expect(examples).to.have.length(40);
      const stopped = makeExamples(folder, { dataset, attack, signal: AbortSignal.abort() });
      expect(await rejection(stopped)).to.be.instanceOf(DOMException);
      expect(tf.memory().numTensors).to.equal(before);
    }));

  it('name in their file what they were made of', () =>
    withRun(async (folder) => {
      const made = await makeExamples(folder, { dataset, attack, count: 2, seed: 3 });
      const { metadata, tensors } = decodeSafetensors(encodeExamples(made));
      expect(metadata).to.include({
        checkpoint: 'best',
        checkpointSha256: made.target.sha256,
        seed: '3',
        split: 'test',
      });
      expect(metadata).to.include({ dataset: 'synthetic', datasetSha256: 'tiny', norm: 'linf', epsilon: '0.1' });
      expect(JSON.parse(metadata.key)).to.have.length(4);
      expect(tensors.adversarial).to.deep.include({ dtype: 'U8', shape: [2, 4, 4, 1] });
    }));

  it('are written to one folder by two at the same time, one after the other, so that the files belong together', () =>
    withRun(async (folder) => {
      const [few, many] = [
        await makeExamples(folder, { dataset, attack, count: 5 }),
        await makeExamples(folder, { dataset, attack, count: 20 }),
      ];
      const out = join(folder, 'attack');
      const written = () => Promise.all([few, many].map((made) => writeExamples(out, made)));
      for (let time = 0; time < 3; time++) {
        await written();
        const { tensors } = decodeSafetensors(await readFile(join(out, 'examples.safetensors')));
        const pictures = (await readdir(out)).filter((name) => name.endsWith('.png'));
        expect(pictures).to.have.length(tensors.adversarial.shape[0]);
        expect(await readdir(out)).to.have.length(pictures.length + 2);
      }
    }));

  it('are not saved where nothing can be written, and that is said before any attack', () =>
    withRun(async (folder) => {
      const done: string[] = [];
      await writeFile(join(folder, 'taken'), '');
      const error = await rejection(
        evaluate(folder, {
          dataset,
          attacks: [attack],
          out: false,
          saveExamples: join(folder, 'taken'),
          onStep: ({ attack: name }) => done.push(name),
        }),
      );
      expect(error).to.be.instanceOf(InputError);
      expect(error.message).to.match(/taken is a file, not a folder/);
      expect(done).to.deep.equal([]);
    }));

  it('are refused for another data set’s shape and for a radius in grey levels', () =>
    withRun(async (folder) => {
      const other = { ...dataset, imageShape: [2, 8, 1] as const };
      for (const [options, message] of [
        [{ dataset: other }, /takes images \[4, 4, 1\]/],
        [{ dataset, epsilon: 8 }, /Did you mean 8\/255/],
        [{ dataset, count: 1.5 }, /count must be a whole number/],
      ] as const) {
        const error = await rejection(makeExamples(folder, { attack, ...options }));
        expect(error).to.be.instanceOf(InputError);
        expect(String(error)).to.match(message);
      }
    }));
});
