import { expect } from 'chai';
import fc from 'fast-check';
import {
  foldIn,
  integers,
  type Key,
  normal,
  permutation,
  sample,
  seedKey,
  split,
  uniform,
} from '../../src/core/key.ts';

const anyKey = fc.nat().map((seed) => seedKey(seed));
const name = fc.oneof(fc.maxSafeInteger(), fc.string());

const mean = (values: Float32Array): number => values.reduce((sum, x) => sum + x, 0) / values.length;
const variance = (values: Float32Array): number => {
  const centre = mean(values);
  return values.reduce((sum, x) => sum + (x - centre) ** 2, 0) / values.length;
};

describe('keys', () => {
  it('are equal for equal names and different for different ones', () => {
    fc.assert(
      fc.property(anyKey, name, name, (key, a, b) => {
        expect(foldIn(key, a)).to.deep.equal(foldIn(key, a));
        if (!Object.is(a, b)) expect(foldIn(key, a)).to.not.deep.equal(foldIn(key, b));
      }),
    );
  });

  it('tell the number 1 from the text "1", and 0 from 2 ** 32', () => {
    const key = seedKey(0);
    expect(foldIn(key, 1)).to.not.deep.equal(foldIn(key, '1'));
    expect(foldIn(key, 0)).to.not.deep.equal(foldIn(key, 2 ** 32));
  });

  it('do not commute: a below b is not b below a', () => {
    const key = seedKey(3);
    expect(foldIn(foldIn(key, 'a'), 'b')).to.not.deep.equal(foldIn(foldIn(key, 'b'), 'a'));
  });

  it('hold four unsigned 32-bit words', () => {
    fc.assert(
      fc.property(anyKey, name, (key, a) => {
        for (const word of foldIn(key, a)) expect(word).to.equal(word >>> 0);
      }),
    );
  });

  it('never change: the streams of stored runs depend on them', () => {
    const key: Key = foldIn(foldIn(seedKey(7), 'init'), 42);
    expect(key).to.deep.equal(KEPT_KEY);
    expect([...integers(key, 5, 1000)]).to.deep.equal(KEPT_INTEGERS);
  });

  it('flip about half of the bits when the name changes by one', () => {
    let flipped = 0;
    for (let i = 0; i < 500; i++) {
      const [a, b] = [foldIn(seedKey(1), i), foldIn(seedKey(1), i + 1)];
      for (let word = 0; word < 4; word++) flipped += (a[word] ^ b[word]).toString(2).replaceAll(/[^1]/g, '').length;
    }
    expect(flipped / (500 * 128)).to.be.within(0.3, 0.7);
  });

  it('split into different keys', () => {
    const keys = split(seedKey(5), 100).map(String);
    expect(new Set(keys).size).to.equal(100);
  });
});

describe('random numbers', () => {
  it('repeat under the same key', () => {
    fc.assert(
      fc.property(anyKey, fc.nat(50), (key, count) => {
        expect(uniform(key, count)).to.deep.equal(uniform(key, count));
        expect(normal(key, count)).to.deep.equal(normal(key, count));
      }),
    );
  });

  it('uniform: stays in range with the right mean and variance', () => {
    const values = uniform(seedKey(1), 20000, -2, 4);
    for (const value of values) expect(value).to.be.within(-2, 4);
    expect(mean(values)).to.be.closeTo(1, 0.05);
    expect(variance(values)).to.be.closeTo(3, 0.1);
  });

  it('normal: has mean 0, variance 1 and 4.55 % outside two standard deviations', () => {
    const values = normal(seedKey(2), 40000);
    expect(mean(values)).to.be.closeTo(0, 0.02);
    expect(variance(values)).to.be.closeTo(1, 0.03);
    expect(values.filter((x) => Math.abs(x) > 2).length / values.length).to.be.closeTo(0.0455, 0.005);
  });

  it('streams of neighbouring names are uncorrelated', () => {
    const [a, b] = [normal(foldIn(seedKey(0), 0), 10000), normal(foldIn(seedKey(0), 1), 10000)];
    expect(Math.abs(a.reduce((sum, x, i) => sum + x * b[i], 0) / 10000)).to.be.below(0.04);
  });

  it('integers: every value below the bound comes equally often', () => {
    const counts = new Array(7).fill(0);
    for (const value of integers(seedKey(3), 70000, 7)) counts[value]++;
    for (const count of counts) expect(count).to.be.closeTo(10000, 400);
  });

  it('permutation: holds every number once', () => {
    fc.assert(
      fc.property(anyKey, fc.nat(200), (key, count) => {
        expect([...permutation(key, count)].sort((a, b) => a - b)).to.deep.equal(
          Array.from({ length: count }, (_, i) => i),
        );
      }),
    );
  });

  it('sample: gives different numbers in ascending order, each equally often', () => {
    fc.assert(
      fc.property(anyKey, fc.nat(60), fc.nat(60), (key, a, b) => {
        const [count, population] = [Math.min(a, b), Math.max(a, b)];
        const chosen = [...sample(key, count, population)];
        expect(chosen).to.have.length(count);
        expect(chosen).to.deep.equal([...new Set(chosen)].sort((x, y) => x - y));
        for (const value of chosen) expect(value).to.be.within(0, population - 1);
      }),
    );
    const few = [...sample(seedKey(4), 4, 1_000_000)];
    expect(few).to.deep.equal(KEPT_SAMPLE);
    const counts = new Array(10).fill(0);
    for (let i = 0; i < 10000; i++) for (const value of sample(foldIn(seedKey(4), i), 3, 10)) counts[value]++;
    for (const count of counts) expect(count).to.be.closeTo(3000, 200);
  });
});

const KEPT_KEY: Key = [3556026170, 3548406346, 3377425126, 611864723];
const KEPT_INTEGERS = [69, 92, 717, 555, 997];
const KEPT_SAMPLE = [113384, 194917, 697160, 907676];
