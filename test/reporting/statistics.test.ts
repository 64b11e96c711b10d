import { expect } from 'chai';
import { InputError } from '../../src/core/errors.ts';
import { normal, seedKey } from '../../src/core/key.ts';
import { studentQuantile } from '../../src/evaluation/distributions.ts';
import { holm, mean, smallestDetectable, standardDeviation } from '../../src/reporting/statistics/statistics.ts';

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
    expect(() => smallestDetectable(1, 4, { power: 0.01 })).to.throw(InputError, /got 0\.01/);
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
