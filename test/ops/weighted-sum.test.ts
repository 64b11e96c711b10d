import type { Tensor } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import fc from 'fast-check';
import { InputError } from '../../src/core/errors.ts';
import { type IndexMaps, type Term, weightedSum } from '../../src/ops/weighted-sum.ts';
import { useBackend } from '../backend.ts';

const { fround } = Math;

interface PlainTerm {
  readonly weight: number;
  readonly values: Readonly<Record<string, Float32Array>>;
  readonly maps: IndexMaps;
}

/** Σ a · x as it is defined, each product and each sum rounded to float32. */
const expected = (terms: readonly PlainTerm[], name: string, size: number): number[] =>
  Array.from({ length: size }, (_, i) => {
    const products = terms.map(({ weight, values, maps }) => {
      const index = maps[name] ? maps[name][i] : i;
      return fround(fround(weight) * (index < 0 ? 0 : values[name][index]));
    });
    return products.reduce((sum, product) => fround(sum + product));
  });

const number = fc.oneof(
  { weight: 9, arbitrary: fc.float({ min: -8, max: 8, noNaN: true }) },
  { weight: 1, arbitrary: fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, -0) },
);
/** Now and then several pieces of a kernel long. */
const sizes = fc.oneof(
  { weight: 9, arbitrary: fc.nat(40) },
  { weight: 1, arbitrary: fc.integer({ min: 16_000, max: 40_000 }) },
);
const weights = fc.oneof(fc.constant(1), fc.float({ min: -2, max: 2, noNaN: true }));

const cycle = (seed: readonly number[], length: number): Float32Array =>
  Float32Array.from({ length }, (_, i) => seed[i % seed.length] * (1 + (i % 5)));

/** Trees of a few tensors, some of them mapped. */
const cases = fc.array(sizes, { minLength: 1, maxLength: 4 }).chain((lengths) =>
  fc
    .array(
      fc.record({
        weight: weights,
        seed: fc.array(number, { minLength: 1, maxLength: 20 }),
        mapped: fc.array(fc.boolean(), { minLength: lengths.length, maxLength: lengths.length }),
        sources: fc.array(fc.integer({ min: 1, max: 30 }), { minLength: lengths.length, maxLength: lengths.length }),
      }),
      { minLength: 1, maxLength: 5 },
    )
    .map((drawn) => ({
      lengths,
      terms: drawn.map(({ weight, seed, mapped, sources }): PlainTerm => {
        const names = lengths.map((_, i) => `t${i}`);
        return {
          weight,
          values: Object.fromEntries(names.map((name, i) => [name, cycle(seed, mapped[i] ? sources[i] : lengths[i])])),
          maps: Object.fromEntries(
            names.flatMap((name, i) =>
              mapped[i]
                ? [[name, Int32Array.from({ length: lengths[i] }, (_, at) => ((at * 7) % (sources[i] + 1)) - 1)]]
                : [],
            ),
          ),
        };
      }),
    })),
);

const asTerm = ({ weight, values, maps }: PlainTerm): Term => [
  weight,
  Object.fromEntries(Object.entries(values).map(([name, x]) => [name, tf.tensor1d(x)])),
  maps,
];

for (const backend of ['cpu', 'engine'] as const) {
  describe(`weightedSum on ${backend}`, () => {
    before(() => useBackend(backend));

    it('adds products from the left, NaN and infinities included, and takes 0 where a map has no index', () => {
      fc.assert(
        fc.property(cases, ({ lengths, terms }) => {
          tf.tidy(() => {
            const [first, ...rest] = terms.map(asTerm);
            const sums = weightedSum(first, ...rest);
            for (const [i, length] of lengths.entries()) {
              expect([...sums[`t${i}`].dataSync()]).to.deep.equal(expected(terms, `t${i}`, length));
            }
          });
        }),
        { numRuns: 60 },
      );
    });

    it('keeps shapes, takes more names than the first term has, and the same tensor twice', () => {
      tf.tidy(() => {
        const x = tf.tensor2d([1, 2, 3, 4], [2, 2]);
        const sums = weightedSum([2, { a: x }], [-0.5, { a: x, b: tf.scalar(7) }]);
        expect(Object.keys(sums)).to.deep.equal(['a']);
        expect(sums.a.shape).to.deep.equal([2, 2]);
        expect([...sums.a.dataSync()]).to.deep.equal([1.5, 3, 4.5, 6]);
        expect(weightedSum([1, {}])).to.deep.equal({});
      });
    });

    it('returns tensors of its own, also of one term with the weight 1, and leaks none', () => {
      const x = tf.tensor1d([1, 2]);
      const before = tf.memory().numTensors;
      const sums: Record<string, Tensor> = weightedSum([1, { a: x }]);
      expect(tf.memory().numTensors).to.equal(before + 1);
      x.dispose();
      expect([...sums.a.dataSync()]).to.deep.equal([1, 2]);
      sums.a.dispose();
      expect(tf.memory().numTensors).to.equal(before - 1);
    });

    it('refuses trees that do not fit', () => {
      tf.tidy(() => {
        const a = tf.tensor1d([1, 2]);
        expect(() => weightedSum([1, { a }], [1, {}])).to.throw(
          InputError,
          'must have 2 float32 entries of a, got none',
        );
        expect(() => weightedSum([1, { a }], [1, { a: tf.scalar(1) }])).to.throw(InputError, 'got 1 of float32');
        expect(() => weightedSum([1, { a }], [1, { a: tf.tensor1d([1, 2], 'int32') }])).to.throw(InputError, 'int32');
        expect(() => weightedSum([1, { a }], [1, { a }, { a: Int32Array.of(0) }])).to.throw(InputError, '1 of float32');
      });
    });
  });
}
