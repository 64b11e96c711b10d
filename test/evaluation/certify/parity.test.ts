// Certificates against those of the authors of randomised smoothing, from the same counts.
import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { lowerConfidenceBound } from '../../../src/evaluation/certify/clopper-pearson.ts';
import { certificateOf } from '../../../src/evaluation/certify/smooth.ts';

interface Golden {
  readonly cases: readonly {
    readonly sigma: number;
    readonly n: number;
    readonly alpha: number;
    readonly selection: readonly number[];
    readonly estimation: readonly number[];
    readonly prediction: number;
    readonly radius: number;
  }[];
  readonly bounds: readonly {
    readonly successes: number;
    readonly draws: number;
    readonly alpha: number;
    readonly bound: number;
  }[];
}

const { cases, bounds }: Golden = JSON.parse(
  readFileSync(new URL('../../../../test/golden/certify.json', import.meta.url), 'utf8'),
);

describe('certificates, beside those of locuslab/smoothing', () => {
  it('have the same class and radius, or abstain alike', () => {
    for (const { selection, estimation, sigma, n, alpha, prediction, radius } of cases) {
      const counts = {
        selection: new Map(selection.entries()),
        estimation: new Map(estimation.entries()),
      };
      const found = certificateOf(counts, { sigma, n, alpha });
      const what = JSON.stringify({ selection, estimation, sigma, n, alpha });
      expect(found.prediction, what).to.equal(prediction);
      expect(found.radius, what).to.be.closeTo(radius, 1e-9 * sigma);
    }
    expect(new Set(cases.map(({ prediction }) => prediction)).size).to.be.above(5);
    expect(cases.filter(({ radius }) => radius > 0).length).to.be.above(cases.length / 3);
  });

  it('rest on the same lower confidence bound, from 1 to a million draws', () => {
    for (const { successes, draws, alpha, bound } of bounds) {
      const found = lowerConfidenceBound(successes, draws, alpha);
      expect(Math.abs(found - bound), JSON.stringify({ successes, draws, alpha })).to.be.below(1e-9 * bound + 1e-15);
    }
  });
});
