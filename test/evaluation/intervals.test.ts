import { expect } from 'chai';
import fc from 'fast-check';
import { InputError } from '../../src/core/errors.ts';
import { formatEpsilon } from '../../src/evaluation/epsilon.ts';
import { accuracyOf, wilson } from '../../src/evaluation/intervals.ts';

describe('the Wilson interval', () => {
  // The formula in double precision, computed outside this project.
  const known = [
    [0, 10, 0, 0.277532799862889],
    [10, 10, 0.722467200137111, 1],
    [5, 10, 0.236593090512564, 0.763406909487436],
    [81, 263, 0.2552885198782742, 0.36620957698280004],
    [475, 500, 0.9272318388284524, 0.9659062547561506],
  ];
  for (const [correct, n, low, high] of known) {
    it(`of ${correct} in ${n} is [${low.toFixed(4)}, ${high.toFixed(4)}]`, () => {
      const interval = wilson(correct, n);
      expect(interval.low).to.be.closeTo(low, 1e-12);
      expect(interval.high).to.be.closeTo(high, 1e-12);
    });
  }

  it('holds the share, stays in [0, 1], and each end solves the score equation', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20000 }), fc.double({ min: 0, max: 1, noNaN: true }), (n, part) => {
        const correct = Math.round(n * part);
        const { value, low, high } = accuracyOf(correct, n);
        expect(low).to.be.within(0, value);
        expect(high).to.be.within(value, 1);
        for (const end of [low, high].filter((p) => p > 0 && p < 1)) {
          expect((value - end) ** 2).to.be.closeTo((1.959963984540054 ** 2 * end * (1 - end)) / n, 1e-9);
        }
      }),
    );
  });

  it('refuses what is no share', () => {
    for (const [correct, n] of [
      [1, 0],
      [-1, 5],
      [6, 5],
    ]) {
      expect(() => wilson(correct, n)).to.throw(InputError, /0 ≤ correct ≤ n/);
    }
  });
});

describe('ε as text', () => {
  const cases: [number, string][] = [
    [8 / 255, '8/255'],
    [0.5 / 255, '0.5/255'],
    [Math.fround(8 / 255), '8/255'],
    [0.1, '0.1'],
    [0.2, '0.2'],
    [0.025, '0.025'],
    [0, '0'],
    [1, '1'],
    [12, '12'],
    [0.031, '0.031'],
    [(2.5 * (8 / 255)) / 50, '0.4/255'],
    [0.123456, '0.1235'],
  ];
  for (const [value, text] of cases) it(`of ${value} is ${text}`, () => expect(formatEpsilon(value)).to.equal(text));
});
