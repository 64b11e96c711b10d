import { expect } from 'chai';
import { geometricMean, growthExponent, median, min, relativeDistance } from '../../../scripts/bench/statistics.ts';

describe("the bench's statistics", () => {
  it('takes the middle value, or the mean of the two in the middle', () => {
    expect(median([5, 1, 3])).to.equal(3);
    expect(median([4, 1, 3, 2])).to.equal(2.5);
    expect(min([4, 1, 3])).to.equal(1);
  });

  it('takes geometric means of ratios', () => {
    expect(geometricMean([2, 8])).to.be.closeTo(4, 1e-12);
  });

  it('measures distance relative to the second vector', () => {
    expect(relativeDistance([1, 2], [1, 2])).to.equal(0);
    expect(relativeDistance([3, 5], [3, 4])).to.be.closeTo(0.2, 1e-12);
    expect(relativeDistance([3, 4], [0, 0])).to.equal(5);
    expect(relativeDistance([Number.NaN], [1])).to.be.NaN;
    expect(() => relativeDistance([1], [1, 2])).to.throw('1 values cannot be compared with 2');
  });

  it('finds the exponent of a power law', () => {
    const sizes = [16, 32, 64, 128];
    expect(
      growthExponent(
        sizes,
        sizes.map((n) => 7 * n ** 1.5),
      ),
    ).to.be.closeTo(1.5, 1e-12);
  });
});
