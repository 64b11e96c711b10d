import { expect } from 'chai';
import fc from 'fast-check';
import { indicesOfLargest, indicesOfLargestKeys, magnitudeKeys, mergeSorted } from '../../src/sparsity/select.ts';

describe('indicesOfLargest', () => {
  it('finds what sorting finds, the first of equal scores', () => {
    const score = fc.oneof(fc.float({ noNaN: true }), fc.constantFrom(0, 1, -1, 1e-45, Number.NEGATIVE_INFINITY));
    fc.assert(
      fc.property(fc.array(score, { maxLength: 60 }), fc.nat(60), (list, wanted) => {
        const scores = Float32Array.from(list, (x) => x + 0); // −0 counts as 0
        const count = Math.min(wanted, scores.length);
        const order = [...scores.keys()].sort((a, b) =>
          scores[b] > scores[a] ? 1 : scores[b] < scores[a] ? -1 : a - b,
        );
        expect([...indicesOfLargest(scores, count)]).to.deep.equal(order.slice(0, count).sort((a, b) => a - b));
      }),
    );
  });

  it('finds the same by the keys of magnitudes, also in a part of a longer array', () => {
    const score = fc.oneof(fc.float({ noNaN: true }), fc.constantFrom(0, -0, 1, -1, 1e-45, Number.NEGATIVE_INFINITY));
    fc.assert(
      fc.property(fc.array(score, { minLength: 1, maxLength: 60 }), fc.nat(60), (list, wanted) => {
        const all = Float32Array.from(list);
        const scores = all.subarray(1);
        const count = Math.min(wanted, scores.length);
        expect(indicesOfLargestKeys(magnitudeKeys(scores), count)).to.deep.equal(
          indicesOfLargest(scores.map(Math.abs), count),
        );
      }),
    );
  });

  it('gives exactly as many when scores are not numbers', () => {
    const scores = Float32Array.of(1, Number.NaN, 2, Number.NaN, 3);
    expect(indicesOfLargest(scores, 3)).to.have.length(3);
  });
});

describe('mergeSorted', () => {
  it('is the sorted union', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(99)), fc.nat(20), (members, cut) => {
        const ascending = (list: number[]) => Int32Array.from(list).sort();
        expect(mergeSorted(ascending(members.slice(0, cut)), ascending(members.slice(cut)))).to.deep.equal(
          ascending(members),
        );
      }),
    );
  });
});
