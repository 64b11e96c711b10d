import { readFile, writeFile } from 'node:fs/promises';
import { expect } from 'chai';
import { UsageError } from '../../src/core/errors.ts';
import { parseAttacks } from '../../src/evaluation/attacks/named-attacks.ts';
import { evaluate } from '../../src/evaluation/evaluate.ts';
import type { EvaluateOptions } from '../../src/evaluation/options.ts';
import { unpackBits } from '../../src/evaluation/results/bits.ts';
import { readEvaluations } from '../../src/evaluation/results/results-file.ts';
import { type Evaluation, UNION } from '../../src/evaluation/types.ts';
import { useBackend } from '../backend.ts';
import { rejection } from '../rejection.ts';
import { tinyData, withRun } from './tiny.ts';

const dataset = tinyData();
const radii = { linf: 0.05, l2: 0.3, l1: 0.6 } as const;
const attacks = parseAttacks('fgsm,pgd-3');
const unionIn = ({ attacks: results }: Evaluation, norm: string) =>
  results.find((result) => result.attack === UNION && result.norm === norm);
const bitsOf = ({ survived, robust }: { survived: string; robust: { n: number } }) => [
  ...unpackBits(survived, robust.n),
];

describe('an evaluation in several norms', () => {
  before(() => useBackend('cpu'));

  it('counts an image only if it survives every attack in every norm, and finds in each norm what that norm alone finds', () =>
    withRun(async (folder) => {
      const run = async (options: EvaluateOptions) =>
        (await evaluate(folder, { dataset, attacks, out: false, ...options }))[0];
      const all = await run({ norms: radii });
      const [across, ...more] = all.acrossNorms ?? [];
      expect(more).to.deep.equal([]);
      expect(across.threats).to.deep.equal([
        { norm: 'linf', epsilon: 0.05 },
        { norm: 'l2', epsilon: 0.3 },
        { norm: 'l1', epsilon: 0.6 },
      ]);
      const unions = (['linf', 'l2', 'l1'] as const).map((norm) => {
        const union = unionIn(all, norm);
        if (union === undefined) throw new Error(`There is no union in ${norm}.`);
        return union;
      });
      for (const { norm, epsilon, ...union } of unions) {
        const alone = await run({ norm, epsilons: [epsilon] });
        expect(alone.acrossNorms).to.equal(undefined);
        expect(unionIn(alone, norm)).to.deep.equal({ norm, epsilon, ...union });
      }
      const bits = unions.map(bitsOf);
      expect(bitsOf(across)).to.deep.equal(bits[0].map((bit, i) => bit & bits[1][i] & bits[2][i]));
      expect(across.robust.correct).to.be.within(1, Math.min(...unions.map(({ robust }) => robust.correct)));
      expect(across.robust.n).to.equal(40);
    }));

  it('is kept in the file of results, and follows attacks that are run later', () =>
    withRun(async (folder) => {
      const options = { dataset, norms: { linf: 0.05, l2: 0.3 } };
      await evaluate(folder, { ...options, attacks: parseAttacks('fgsm') });
      const [before] = await readEvaluations(`${folder}/evaluation.json`);
      expect(before.acrossNorms?.map(({ threats }) => threats.length)).to.deep.equal([2]);
      await evaluate(folder, { dataset, attacks: parseAttacks('pgd-10x2'), norm: 'l2', epsilons: [0.3] });
      const [after] = await readEvaluations(`${folder}/evaluation.json`);
      const [across] = after.acrossNorms ?? [];
      const bits = [unionIn(after, 'linf'), unionIn(after, 'l2')].map((union) => union && bitsOf(union));
      expect(bitsOf(across)).to.deep.equal(bits[0]?.map((bit, i) => bit & (bits[1]?.[i] ?? 0)));
      // Figures that are there are not measured again, and those of several norms are asked for by name.
      const [again] = await evaluate(folder, { ...options, attacks: parseAttacks('fgsm'), resume: true });
      expect(again.acrossNorms).to.deep.equal(after.acrossNorms);
    }));

  for (const [what, damage] of [
    ['other images', { survived: '/////w8=' }],
    [
      'a radius that no attack had',
      {
        threats: [
          { norm: 'linf', epsilon: 0.05 },
          { norm: 'l1', epsilon: 1 },
        ],
      },
    ],
  ] as const) {
    it(`is refused in a file that has ${what} there`, () =>
      withRun(async (folder) => {
        await evaluate(folder, { dataset, attacks: parseAttacks('fgsm'), norms: { linf: 0.05, l2: 0.3 } });
        const path = `${folder}/evaluation.json`;
        const record = JSON.parse(await readFile(path, 'utf8'));
        const [across] = record.evaluations[0].acrossNorms;
        record.evaluations[0].acrossNorms = [{ ...across, ...damage }];
        await writeFile(path, JSON.stringify(record));
        expect((await rejection(readEvaluations(path))).message).to.match(/acrossNorms.*survived/);
      }));
  }

  it('is the default for a model that was trained against several norms', () =>
    withRun(
      async (folder) => {
        const [best] = await evaluate(folder, { dataset, attacks: parseAttacks('fgsm'), out: false });
        expect(best.acrossNorms?.[0].threats).to.deep.equal([
          { norm: 'linf', epsilon: 0.05 },
          { norm: 'l1', epsilon: 0.6 },
        ]);
        const [one] = await evaluate(folder, { dataset, attacks: parseAttacks('fgsm'), norm: 'l1', out: false });
        expect(one.attacks.map(({ norm, epsilon }) => [norm, epsilon])).to.deep.equal([
          ['l1', 0.6],
          ['l1', 0.6],
        ]);
      },
      { config: { epsilon: undefined, norms: { l1: 0.6, linf: 0.05 } } },
    ));

  const wrong: readonly (readonly [string, EvaluateOptions, RegExp])[] = [
    ['a norm beside them', { norms: radii, norm: 'l2' }, /--norm and --epsilon must be left out/],
    ['radii beside them', { norms: radii, epsilons: [0.1] }, /--norm and --epsilon must be left out/],
    ['an unknown norm', { norms: { l7: 1 } as never }, /norms among linf, l2, l1, .* got l7/],
    ['no norm', { norms: {} }, /expected a radius for each norm/],
    ['a radius in grey levels', { norms: { linf: 8, l2: 0.5 } }, /Did you mean 8\/255/],
    [
      'an attack without one of the norms',
      { norms: radii, attacks: parseAttacks('fgsm,deepfool-5') },
      /deepfool-5 attacks in linf and l2 only, got the norm l1\. In l1 there are .*autoattack/,
    ],
  ];
  for (const [what, options, message] of wrong) {
    it(`refuses ${what}`, () =>
      withRun(async (folder) => {
        const error = await rejection(evaluate(folder, { dataset, attacks, out: false, ...options }));
        expect(error).to.be.instanceOf(UsageError);
        expect(error.message).to.match(message);
      }));
  }
});
