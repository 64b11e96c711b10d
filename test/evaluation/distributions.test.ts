import { expect } from 'chai';
import fc from 'fast-check';
import { InputError } from '../../src/core/errors.ts';
import {
  betaQuantile,
  chiSquareProbability,
  studentQuantile,
  studentTails,
} from '../../src/evaluation/distributions.ts';

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

  it('is 0 for a difference without spread', () => expect(studentTails(Infinity, 3)).to.equal(0));

  it('is 1 without a difference and refuses broken degrees of freedom', () => {
    expect(studentTails(0, 3)).to.equal(1);
    expect(() => studentTails(1, 0)).to.throw(InputError, /at least 1, got 0/);
  });
});

describe('the beta quantile', () => {
  it('leaves 2.5 % of the binomial distribution at and above the count, as the interval of Clopper and Pearson does', () =>
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 60 }), fc.nat(), (n, any) => {
        const count = 1 + (any % n);
        const low = betaQuantile(0.025, count, n - count + 1);
        let [probability, atAndAbove] = [low ** n, 0];
        for (let k = n; k >= count; k--) {
          atAndAbove += probability;
          probability *= (k / (n - k + 1)) * ((1 - low) / low);
        }
        expect(atAndAbove).to.be.closeTo(0.025, 1e-9);
      }),
    ));

  it('is the closed form where the share is all or nothing', () =>
    fc.assert(
      fc.property(fc.double({ min: 0.001, max: 0.999, noNaN: true }), fc.integer({ min: 1, max: 10_000 }), (p, n) => {
        expect(betaQuantile(p, n, 1)).to.be.closeTo(p ** (1 / n), 1e-12);
        expect(betaQuantile(p, 1, n)).to.be.closeTo(-Math.expm1(Math.log1p(-p) / n), 1e-12);
      }),
    ));

  it('refuses what is no probability and parameters that are not above 0', () => {
    expect(() => betaQuantile(0, 1, 1)).to.throw(InputError, /in \(0, 1\), got 0/);
    expect(() => betaQuantile(0.5, 0, 1)).to.throw(InputError, /above 0, got 0 and 1/);
  });
});

describe('the χ² distribution', () => {
  it('with two degrees of freedom is exponential', () => {
    for (const x of [0, 0.1, 1, 5, 30]) expect(chiSquareProbability(x, 2)).to.be.closeTo(-Math.expm1(-x / 2), 1e-14);
  });

  it('ends at 0 and 1 where floating point ends', () => {
    expect(chiSquareProbability(1e-30, 300)).to.equal(0);
    expect(chiSquareProbability(1e10, 4)).to.equal(1);
  });
});
