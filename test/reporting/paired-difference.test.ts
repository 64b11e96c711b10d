import { expect } from 'chai';
import fc from 'fast-check';
import { InputError } from '../../src/core/errors.ts';
import { pairedDifference } from '../../src/reporting/statistics/paired-difference.ts';
import { formatDifference, formatPoints } from '../../src/reporting/tables/table.ts';

const pairs = (minLength: number, maxLength: number) =>
  fc.array(fc.tuple(fc.integer({ max: 100, min: 0 }), fc.integer({ max: 100, min: 0 })), { minLength, maxLength });

describe('a paired difference', () => {
  it('is the mean of the differences with its t interval', () => {
    const { n, estimate } = pairedDifference([0.52, 0.55, 0.5, 0.54], [0.5, 0.51, 0.49, 0.5]);
    expect(n).to.equal(4);
    expect(estimate?.mean).to.be.closeTo(0.0275, 1e-12);
    expect(estimate?.low).to.be.closeTo(0.0275 - 3.182446305283708 * 0.0075, 1e-9);
    expect(estimate?.high).to.be.closeTo(0.0275 + 3.182446305283708 * 0.0075, 1e-9);
    expect(estimate?.distinguishable).to.equal(true);
  });

  it('of fewer than three pairs shows the differences seed by seed, without mean, interval or verdict', () => {
    const two = pairedDifference([0.7, 0.7201], [0.5, 0.52]);
    expect(two.estimate).to.equal(null);
    expect(formatDifference(two)).to.equal(
      '+20.0 and +20.0 points, 2 seeds, seed by seed: not enough seeds for a verdict',
    );
    expect(formatPoints(two)).to.equal('+20.0 +20.0');
    expect(formatDifference(pairedDifference([0.1], [0.9]))).to.equal(
      '−80.0 points, 1 seed: not enough seeds for a verdict',
    );
    fc.assert(
      fc.property(pairs(1, 2), (some) => {
        const text = formatDifference(
          pairedDifference(
            some.map(([x]) => x / 100),
            some.map(([, y]) => y / 100),
          ),
        );
        expect(text).not.to.match(/distinguishable|\[/);
      }),
    );
  });

  it('of three pairs has a verdict', () =>
    expect(formatDifference(pairedDifference([0.7, 0.71, 0.72], [0.5, 0.52, 0.52]))).to.equal(
      '+19.7 points [+18.2, +21.1], 3 seeds: distinguishable',
    ));

  it('decides nothing where all differences are equal, for then their spread is unknown', () =>
    expect(pairedDifference([0.3, 0.5, 0.6], [0.2, 0.4, 0.5]).estimate?.distinguishable).to.equal(false));

  it('changes its sign when the sides change', () =>
    fc.assert(
      fc.property(pairs(3, 9), (some) => {
        const a = some.map(([x]) => x);
        const b = some.map(([, y]) => y);
        const there = pairedDifference(a, b).estimate;
        const back = pairedDifference(b, a).estimate;
        expect(there?.mean).to.be.closeTo(-(back?.mean ?? Number.NaN), 1e-9);
        expect(there?.low).to.be.closeTo(-(back?.high ?? Number.NaN), 1e-9);
      }),
    ));

  it('refuses sides that do not pair', () => {
    expect(() => pairedDifference([1, 2], [1])).to.throw(InputError, /got 2 and 1/);
    expect(() => pairedDifference([], [])).to.throw(InputError);
  });
});
