// Accuracy on saved examples of another network, and examples made on a surrogate.
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import {
  decodeSafetensors,
  encodeSafetensors,
  type Safetensors,
} from '../../../src/checkpoints/safetensors/safetensors.ts';
import { InputError } from '../../../src/core/errors.ts';
import { parseAttacks } from '../../../src/evaluation/attacks/named-attacks.ts';
import { evaluate } from '../../../src/evaluation/evaluate.ts';
import { encodeExamples, fell, makeExamples } from '../../../src/evaluation/examples/examples.ts';
import { wilson } from '../../../src/evaluation/intervals.ts';
import { evaluateExamples } from '../../../src/evaluation/transfer/evaluate.ts';
import { readTransferEvaluations } from '../../../src/evaluation/transfer/record.ts';
import { useBackend } from '../../backend.ts';
import { rejection } from '../../rejection.ts';
import { tinyData, withRun } from '../tiny.ts';

/** A network that looks at the upper half of an image only, and has no gradient since it reads the pixels. */
const OTHER = `
export const load = (tf) => (images) => {
  const upper = tf.slice(tf.tensor4d(images.dataSync(), images.shape), [0, 0, 0, 0], [-1, 2, -1, -1]);
  return tf.stack(tf.split(upper, 2, 2).map((half) => tf.sum(half, [1, 2, 3])), 1);
};`;

const data = tinyData();
const attacks = parseAttacks('fgsm,pgd-5');
const EPSILON = 51 / 255;

/** Runs `use` with a run, another network's module, and a folder with examples of the run's best checkpoint. */
const withExamples = (use: (folders: { run: string; module: string; examples: string }) => Promise<void>) =>
  withRun(async (run) => {
    const [module, all, examples] = ['other.mjs', 'all', 'examples'].map((name) => join(run, name));
    await writeFile(module, OTHER);
    await evaluate(run, { dataset: data, attacks, epsilons: [EPSILON], saveExamples: all });
    await mkdir(examples);
    for (const attack of ['fgsm', 'pgd-5-ce']) {
      const name = `best-${attack}-linf-0.2.safetensors`;
      await copyFile(join(all, name), join(examples, name));
    }
    await use({ run, module, examples });
  });

describe('saved examples of another network', () => {
  before(() => useBackend('cpu'));

  it('count as they did in the evaluation that saved them, on the network that they were made on, which is said', () =>
    withExamples(async ({ run, examples }) => {
      const warnings: string[] = [];
      const tensors = tf.memory().numTensors;
      const found = await evaluateExamples(join(run, 'checkpoints/best.safetensors'), {
        dataset: data,
        examples,
        warn: (warning) => warnings.push(warning),
      });
      expect(tf.memory().numTensors).to.equal(tensors);
      const [best] = await evaluate(run, { dataset: data, attacks, epsilons: [EPSILON], out: false });
      const counts = (results: readonly { attack: string; robust: { correct: number } }[]) =>
        results.map(({ attack, robust }) => [attack, robust.correct]);
      expect(counts(found[0].results)).to.deep.equal(counts(best.attacks));
      expect(warnings).to.have.length(2);
      expect(warnings[0]).to.match(/made on this very network/);
    }));

  it('are no figure without a warning for a network that returns NaN', () =>
    withExamples(async ({ run, examples }) => {
      const module = join(run, 'nan.mjs');
      await writeFile(module, 'export const load = (tf) => (images) => tf.fill([images.shape[0], 2], NaN);');
      const warnings: string[] = [];
      const warn = (warning: string) => warnings.push(warning);
      const [{ results }] = await evaluateExamples({ module }, { dataset: data, examples, out: false, warn });
      expect(results.map(({ robust: { correct } }) => correct)).to.deep.equal([0, 0, 0]);
      expect(warnings.join('\n'))
        .to.match(/The outputs for 80 of 80 images and examples of fgsm are NaN; these count as wrong\. See docs/)
        .and.contain('pgd-5-ce are NaN');
    }));

  it('give an upper bound for another network, per attack and by image for all, with intervals and a record', () =>
    withExamples(async ({ run, module, examples }) => {
      const out = join(run, 'transfer.json');
      const options = { dataset: data, examples, out };
      const [found] = await evaluateExamples({ module }, options);
      const [fgsm, pgd, union] = found.results;
      expect(found.claim).to.match(/transfer figure: an upper bound/);
      expect([fgsm, pgd, union].map(({ attack, madeOn }) => [attack, madeOn?.checkpoint])).to.deep.equal([
        ['fgsm', 'best'],
        ['pgd-5-ce', 'best'],
        ['union', undefined],
      ]);
      for (const { clean, robust } of found.results) {
        expect(clean.n).to.equal(40);
        expect(robust.correct).to.be.at.most(clean.correct);
        expect(robust).to.include(wilson(robust.correct, 40));
      }
      // Some transfer, but a network's own attack finds more: Square, as it has no gradient.
      expect(union.robust.correct).to.be.within(1, union.clean.correct - 1);
      expect(union.robust.correct).to.be.at.most(Math.min(fgsm.robust.correct, pgd.robust.correct));
      const [own] = await evaluate(
        { module },
        { dataset: data, attacks: parseAttacks('square-200'), norm: 'linf', epsilons: [EPSILON], out: false },
      );
      expect(own.attacks[0].robust.correct).to.be.at.most(union.robust.correct);
      await evaluateExamples({ module }, { ...options, batchSize: 7 });
      expect(await readTransferEvaluations(out)).to.deep.equal([found]);
    }));

  const damaged: readonly [string, (saved: Safetensors) => Safetensors, RegExp][] = [
    [
      'an example outside the ball',
      changed('adversarial', (pixel, i) => (i === 37 ? 0.99 : pixel)),
      /within linf 0\.2 of their image, got an example 2 \(test image \d+\) outside/,
    ],
    [
      'a pixel that is not a number',
      changed('adversarial', (pixel, i) => (i === 20 ? Number.NaN : pixel)),
      /example 1 .* outside/,
    ],
    [
      'another label',
      changed('labels', (label, i) => (i === 3 ? 1n - label : label)),
      /example 3 is not of test image \d+ of synthetic, or has another label/,
    ],
    ['another image', changed('images', (byte, i) => (i === 0 ? byte + 1 : byte)), /example 0 is not of test image 0/],
    [
      'a number of no test image',
      changed('indices', (index, i) => (i === 0 ? 40n : index)),
      /different test images below 40, got 40 at place 0/,
    ],
    [
      'an image twice',
      changed('indices', (index, i) => (i === 1 ? 0n : index)),
      /different test images below 40, got 0 at place 1/,
    ],
    [
      'no radius',
      ({ metadata: { epsilon: _, ...metadata }, tensors }) => ({ metadata, tensors }),
      /expected metadata with attack, norm, epsilon/,
    ],
    [
      'another norm',
      ({ metadata, tensors }) => ({ metadata: { ...metadata, norm: 'l3' }, tensors }),
      /expected metadata with/,
    ],
    [
      'no examples at all',
      ({ metadata, tensors: { adversarial: _, ...tensors } }) => ({ metadata, tensors }),
      /expected adversarial as F32 or U8 \[40, 4, 4, 1\] for images of synthetic, got none/,
    ],
  ];
  it('are refused by file and image if they are damaged, or of other images', () =>
    withExamples(async ({ module, examples }) => {
      const path = join(examples, 'best-fgsm-linf-0.2.safetensors');
      const saved = decodeSafetensors(await readFile(path));
      for (const [what, damage, message] of damaged) {
        const { tensors, metadata } = damage(saved);
        await writeFile(path, encodeSafetensors(tensors, metadata));
        const error = await rejection(evaluateExamples({ module }, { dataset: data, examples }));
        expect(error, what).to.be.instanceOf(InputError);
        expect(error.message, what).to.match(message).and.to.contain(path);
      }
      await writeFile(path, (await readFile(path)).subarray(0, 500));
      expect(await rejection(evaluateExamples({ module }, { dataset: data, examples }))).to.be.instanceOf(InputError);
      await mkdir(join(examples, 'none'));
      const none = await rejection(evaluateExamples({ module }, { dataset: data, examples: join(examples, 'none') }));
      expect(none.message).to.match(/^Expected files of adversarial examples \(\.safetensors\) in .*none, got none\./);
    }));

  it('may be those of a surrogate, which every step of the attack is made on, and the target only judges', () =>
    withExamples(async ({ run, module }) => {
      const [attack] = parseAttacks('pgd-5');
      const options = { dataset: data, attack, norm: 'linf', epsilon: EPSILON, count: 40 } as const;
      const alone = await rejection(makeExamples({ module }, options));
      expect(alone.message).to.match(/no gradient with respect to the images/);
      const made = await makeExamples({ module }, { ...options, surrogate: run });
      expect([made.target.format, made.surrogate?.checkpoint]).to.deep.equal(['module', 'best']);
      const fallen = made.examples.filter(fell).length;
      // As many grey levels as the radius has, also where the surrogate was fooled by fewer.
      for (const { distance } of made.examples) expect(distance).to.be.closeTo(EPSILON, 1e-6);
      expect(fallen).to.be.within(1, 39);
      expect(await makeExamples({ module }, { ...options, surrogate: run, batchSize: 9 })).to.deep.equal(made);
      const { metadata } = decodeSafetensors(encodeExamples(made));
      expect(metadata).to.include({
        surrogate: 'best',
        surrogateSha256: made.surrogate?.sha256,
        checkpoint: 'other.mjs',
      });
      // The examples of bytes are evaluated like others.
      const folder = join(run, 'attack');
      await mkdir(folder);
      await writeFile(join(folder, 'examples.safetensors'), encodeExamples(made));
      const [{ results }] = await evaluateExamples({ module }, { dataset: data, examples: folder });
      expect(results[0].madeOn?.checkpoint).to.equal('best');
      expect(results[0].clean.correct - results[0].robust.correct).to.equal(fallen);
    }));
});

/** Saved examples with the numbers of one tensor changed. */
function changed(name: string, change: (value: never, i: number) => number | bigint) {
  return ({ metadata, tensors }: Safetensors): Safetensors => {
    const { data: numbers, ...tensor } = tensors[name];
    const data = numbers.slice();
    for (const [i, value] of data.entries()) data[i] = change(value as never, i);
    return { metadata, tensors: { ...tensors, [name]: { ...tensor, data } as Safetensors['tensors'][string] } };
  };
}
