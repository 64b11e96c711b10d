import { readdirSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { expect } from 'chai';
import { InputError, UsageError } from '../../src/core/errors.ts';
import { parseAttacks } from '../../src/evaluation/attacks/named-attacks.ts';
import { evaluate } from '../../src/evaluation/evaluate.ts';
import type { MeasureState } from '../../src/evaluation/measure/types.ts';

import type { EvaluateOptions } from '../../src/evaluation/options.ts';
import { mergeParts } from '../../src/evaluation/parts/part.ts';
import { evaluatePart, partPath } from '../../src/evaluation/parts/shard.ts';
import { useBackend } from '../backend.ts';
import { rejection } from '../rejection.ts';
import { tinyData, withRun } from './tiny.ts';

const options: EvaluateOptions = {
  dataset: tinyData(),
  attacks: parseAttacks('fgsm,pgd-3x2-cw'),
  epsilons: [0, 0.05, 0.1],
  batchSize: 6,
};

/** Evaluates a run in parts, and returns their files. */
async function inParts(folder: string, count: number, more: EvaluateOptions = {}): Promise<string[]> {
  const files: string[] = [];
  for (let index = count; index >= 1; index--) {
    const parts = await evaluatePart(folder, { ...options, ...more, part: { index, count } });
    files.push(...parts.map(({ file }) => file));
  }
  return files;
}

const record = (folder: string): Promise<string> => readFile(join(folder, 'evaluation.json'), 'utf8');

describe('an evaluation in parts', () => {
  before(() => useBackend('cpu'));

  // Seven batches, divided unevenly, and into more parts than there are batches.
  for (const count of [2, 3, 9]) {
    it(`merges ${count} parts to the bits of one machine`, () =>
      withRun(async (folder) => {
        await evaluate(folder, options);
        const alone = await record(folder);
        await rm(join(folder, 'evaluation.json'));
        const files = await inParts(folder, count);
        expect(files).to.have.length(2 * count);
        await evaluate(folder, { ...options, merge: files });
        expect(await record(folder)).to.equal(alone);
      }));
  }

  it('adds up what each attack of a cascade left standing', () => {
    const part = (bits: readonly number[], standing: MeasureState['cells'][number]['standing'], count: number) => ({
      predictions: Int32Array.of(0, 1, 0),
      done: 1,
      seen: { outside: count, successes: 1, unstable: 0, nonFinite: 2, withinNoise: 3, notNumbers: 4 },
      cells: [{ survived: Uint8Array.from(bits), standing, cost: { forwardPasses: count, inputGradients: 3 } }],
    });
    const first = part([1, 0, 0], { apgd: Uint8Array.of(1, 0, 0), fab: Uint8Array.of(1, 0, 0) }, 5);
    const second = part([0, 0, 1], { apgd: Uint8Array.of(0, 0, 1), square: Uint8Array.of(0, 0, 1) }, 7);
    expect(mergeParts([first, second])).to.deep.equal({
      predictions: Int32Array.of(0, 1, 0),
      done: 2,
      seen: { outside: 12, successes: 2, unstable: 0, nonFinite: 4, withinNoise: 6, notNumbers: 8 },
      cells: [
        {
          survived: Uint8Array.of(1, 0, 1),
          standing: {
            apgd: Uint8Array.of(1, 0, 1),
            fab: Uint8Array.of(1, 0, 0),
            square: Uint8Array.of(0, 0, 1),
          },
          cost: { forwardPasses: 12, inputGradients: 6 },
        },
      ],
    });
    const other = { ...second, predictions: Int32Array.of(0, 1, 1) };
    expect(() => mergeParts([first, other])).to.throw(InputError, '--kernels simd');
  });

  it('attacks equal weights once', () =>
    withRun(
      async (folder) => {
        const files = await inParts(folder, 2);
        expect(files).to.deep.equal(
          [2, 1].map((index) => partPath(join(folder, 'evaluation.json'), 'best', { index, count: 2 })),
        );
        const evaluations = await evaluate(folder, { ...options, merge: files });
        expect(evaluations.map(({ target }) => target.checkpoint)).to.deep.equal(['best', 'last']);
      },
      { best: 2, last: 2 },
    ));

  it('attacks averaged weights beside those of the same step', () =>
    withRun(
      async (folder) => {
        const files = await inParts(folder, 1);
        expect(files.map((file) => basename(file))).to.deep.equal(
          ['best', 'ema'].map((name) => `evaluation.${name}.part-1-of-1.json`),
        );
      },
      { best: 2, last: 2, ema: 2 },
    ));

  it('goes on where a part was stopped, to the same file, and leaves no lock', () =>
    withRun(async (folder) => {
      const part = { index: 1, count: 2 };
      const [{ file }] = await evaluatePart(folder, { ...options, part });
      const whole = await readFile(file, 'utf8');
      await rm(file);
      const abort = new AbortController();
      let calls = 0;
      const stopping = evaluatePart(folder, {
        ...options,
        part,
        signal: abort.signal,
        onProgress: () => {
          if (++calls === 10) abort.abort();
        },
      });
      await rejection(stopping);
      const partial = await readFile(file, 'utf8');
      expect(partial).not.to.equal(whole);
      const error = await rejection(evaluate(folder, { ...options, merge: [file, file.replace('1-of', '2-of')] }));
      expect(error).to.be.instanceOf(InputError);
      await evaluatePart(folder, { ...options, part });
      expect(await readFile(file, 'utf8')).to.equal(whole);
      expect(readdirSync(folder).filter((name) => name.includes('lock'))).to.deep.equal([]);
    }));

  it('counts its own images as the whole of its progress', () =>
    withRun(async (folder) => {
      const seen: { done: number; total: number }[] = [];
      await evaluatePart(folder, {
        ...options,
        part: { index: 2, count: 3 },
        onProgress: (progress) => seen.push(progress),
      });
      expect(seen.at(-1)?.done).to.equal(seen.at(-1)?.total);
      for (const { done, total } of seen) expect(done).to.be.at.most(total);
    }));

  it('is refused with a part missing, twice there, of another division, incomplete, of other settings, or damaged', () =>
    withRun(async (folder) => {
      const files = await inParts(folder, 2);
      const [other] = await inParts(folder, 3);
      const of = (checkpoint: string) => files.filter((file) => file.includes(`.${checkpoint}.`));
      const merging = (merge: readonly string[], more: EvaluateOptions = {}) =>
        rejection(evaluate(folder, { ...options, ...more, merge }));
      expect((await merging([files[0], ...of('last')])).message).to.contain('the parts 1/2 are missing');
      expect((await merging([...files, files[0]])).message).to.contain('Give each part of one division once');
      expect((await merging([...files, other])).message).to.contain('which does not go with the others');
      expect((await merging(of('last'))).message).to.contain('is a part of the evaluation of best');
      const settings = await merging(files, { epsilons: [0.1] });
      expect(settings).to.be.instanceOf(UsageError);
      expect(settings.message).to.contain('differs in --epsilon');
      expect((await merging([join(folder, 'config.json')])).message).to.contain('is no part of an evaluation');
      await writeFile(files[0], (await readFile(files[0], 'utf8')).replace('"done":', '"done":1'));
      expect(await merging(files)).to.be.instanceOf(InputError);
      expect(readdirSync(folder)).not.to.include('evaluation.json');
    }));
});
