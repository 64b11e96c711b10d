import { expect } from 'chai';
import fc from 'fast-check';
import { InputError } from '../../src/core/errors.ts';
import { normal, seedKey } from '../../src/core/key.ts';
import {
  holm,
  mean,
  smallestDetectable,
  standardDeviation,
  studentQuantile,
  studentTails,
} from '../../src/reporting/statistics/statistics.ts';

describe('mean and sample standard deviation', () => {
  it('divide by n and by n − 1', () => {
    expect(mean([2, 4, 4, 4, 5, 5, 7, 9])).to.equal(5);
    expect(standardDeviation([2, 4, 4, 4, 5, 5, 7, 9])).to.be.closeTo(2.1380899352994, 1e-12);
  });

  it('are unknown, not 0, without enough values', () => {
    expect(mean([])).to.be.NaN;
    expect(standardDeviation([3])).to.be.NaN;
  });
});

describe('the t quantile', () => {
  // As tables of Student's t distribution have them.
  const known = [
    [0.975, 1, 12.706204736174698],
    [0.975, 2, 4.302652729749462],
    [0.975, 3, 3.182446305283708],
    [0.975, 4, 2.776445105197793],
    [0.975, 9, 2.262157162798205],
    [0.975, 10, 2.228138851986274],
    [0.975, 30, 2.042272456301236],
    [0.995, 5, 4.032142983555227],
    [0.9, 7, 1.414923927650822],
    [0.025, 4, -2.776445105197793],
    [0.5, 6, 0],
  ];
  for (const [probability, degrees, expected] of known) {
    it(`at ${probability} with ${degrees} degrees of freedom is ${expected.toFixed(4)}`, () =>
      expect(studentQuantile(probability, degrees)).to.be.closeTo(expected, 1e-9));
  }

  it('is that of power tables: 3.26 and 1.68 standard deviations for 3 and 5 pairs', () => {
    expect(smallestDetectable(1 / Math.sqrt(3), 2)).to.be.closeTo(3.26, 0.01);
    expect(smallestDetectable(1 / Math.sqrt(5), 4)).to.be.closeTo(1.68, 0.01);
  });

  it('nears that of the normal distribution', () =>
    expect(studentQuantile(0.975, 100000)).to.be.closeTo(1.959987708, 1e-8));

  it('with one degree of freedom is the tangent of Cauchy’s distribution', () =>
    fc.assert(
      fc.property(fc.double({ min: 0.001, max: 0.999, noNaN: true }), (p) => {
        const exact = Math.tan(Math.PI * (p - 0.5));
        expect(studentQuantile(p, 1)).to.be.closeTo(exact, 1e-9 * Math.max(1, Math.abs(exact)));
      }),
    ));

  it('refuses a probability outside (0, 1) and broken degrees of freedom', () => {
    expect(() => studentQuantile(1, 3)).to.throw(InputError);
    expect(() => studentQuantile(0.9, 0)).to.throw(InputError);
    expect(() => studentQuantile(0.9, 1.5)).to.throw(InputError);
  });
});

describe('the p-value of a t statistic', () => {
  it('undoes the quantile, on both sides', () => {
    fc.assert(
      fc.property(fc.double({ min: 0.001, max: 0.999, noNaN: true }), fc.integer({ min: 1, max: 40 }), (p, degrees) => {
        const t = studentQuantile(1 - p / 2, degrees);
        expect(studentTails(t, degrees)).to.be.closeTo(p, 1e-9);
        expect(studentTails(-t, degrees)).to.equal(studentTails(t, degrees));
      }),
    );
  });

  it('is 1 without a difference and refuses broken degrees of freedom', () => {
    expect(studentTails(0, 3)).to.equal(1);
    expect(() => studentTails(1, 0)).to.throw(InputError, /0 came/);
  });
});

describe('Holm’s adjustment', () => {
  it('multiplies the smallest by their number, the next by one less, and never falls', () =>
    expect(holm([0.01, 0.04, 0.03, 0.005]).map((p) => Number(p.toFixed(12)))).to.deep.equal([0.03, 0.06, 0.06, 0.02]));

  it('ends at 1 and leaves a single question alone', () => {
    expect(holm([0.6, 0.9])).to.deep.equal([1, 1]);
    expect(holm([0.03])).to.deep.equal([0.03]);
    expect(holm([])).to.deep.equal([]);
  });
});

describe('the smallest detectable difference', () => {
  it('grows with the standard error, with power and with a smaller level', () => {
    expect(smallestDetectable(2, 4)).to.be.closeTo(2 * smallestDetectable(1, 4), 1e-12);
    expect(smallestDetectable(1, 4, { power: 0.9 })).to.be.above(smallestDetectable(1, 4));
    expect(smallestDetectable(1, 4, { alpha: 0.01 })).to.be.above(smallestDetectable(1, 4));
    expect(() => smallestDetectable(1, 4, { power: 0.01 })).to.throw(InputError, /0\.01 came/);
  });

  it('is that of power tables: 3.26 and 1.68 standard deviations for 3 and 5 pairs', () => {
    expect(smallestDetectable(1 / Math.sqrt(3), 2)).to.be.closeTo(3.26, 0.01);
    expect(smallestDetectable(1 / Math.sqrt(5), 4)).to.be.closeTo(1.68, 0.01);
  });

  it('nears that of the normal distribution, 1.96 + 0.84 standard errors', () =>
    expect(smallestDetectable(1, 300)).to.be.closeTo(2.8016, 0.02));

  it('is found as often as it says', () => {
    // t tests of n normal numbers whose mean is that difference, their standard error being 1 / √n.
    for (const n of [3, 5, 6]) {
      const mu = smallestDetectable(1 / Math.sqrt(n), n - 1);
      const numbers = normal(seedKey(n), 20_000 * n);
      let found = 0;
      for (let i = 0; i < numbers.length; i += n) {
        const sample = Array.from(numbers.subarray(i, i + n), (z) => z + mu);
        const t = (mean(sample) / standardDeviation(sample)) * Math.sqrt(n);
        if (Math.abs(t) > studentQuantile(0.975, n - 1)) found++;
      }
      expect(found / 20_000, `n ${n}`).to.be.closeTo(0.8, 0.01);
    }
  });
});
