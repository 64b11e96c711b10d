import type { Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import * as fc from 'fast-check';
import { type NormName, norms } from '../../attacks/index.ts';
import { confine } from '../../attacks/norms/ball.ts';
import { byMagnitude, nthLargest } from '../../attacks/norms/largest.ts';
import { seedKey } from '../../src/core/key.ts';
import { useBackend } from '../backend.ts';

const zeros = (size: number) => new Float32Array(size);
const one = (values: ArrayLike<number>) => tf.tensor4d(Array.from(values), [1, 1, values.length, 1]);

/** Projection onto the l1 ball in float64 by bisection of its threshold, unlike the sorting under test. */
function l1ByBisection(values: readonly number[], epsilon: number): number[] {
  const shrunk = (theta: number) => values.map((x) => Math.sign(x) * Math.max(0, Math.abs(x) - theta));
  const sum = (xs: readonly number[]) => xs.reduce((total, x) => total + Math.abs(x), 0);
  if (sum(values) <= epsilon) return [...values];
  let [low, high] = [0, Math.max(...values.map(Math.abs))];
  for (let i = 0; i < 100; i++) {
    const middle = (low + high) / 2;
    if (sum(shrunk(middle)) > epsilon) low = middle;
    else high = middle;
  }
  return shrunk(high);
}

const nearest: Record<NormName, (values: readonly number[], epsilon: number) => number[]> = {
  linf: (values, epsilon) => values.map((x) => Math.min(Math.max(x, -epsilon), epsilon)),
  l2: (values, epsilon) => values.map((x) => x * Math.min(1, epsilon / Math.hypot(...values))),
  l1: l1ByBisection,
};

const floats = fc.array(
  fc.float({ min: -2, max: 2, noNaN: true, noDefaultInfinity: true }).map((x) => (Math.abs(x) < 1e-6 ? 0 : x)),
  { minLength: 1, maxLength: 40 },
);

describe('norms', () => {
  before(() => useBackend('cpu'));

  for (const norm of Object.values(norms)) {
    it(`${norm.name} projects onto the nearest point of the ball`, () => {
      fc.assert(
        fc.property(floats, fc.double({ min: 0.01, max: 3, noNaN: true }), (values, epsilon) => {
          fc.pre(values.some((x) => x !== 0));
          const expected = nearest[norm.name](values, epsilon);
          const projected = tf.tidy(() => norm.project(one(values), epsilon).dataSync());
          projected.forEach((x, i) => {
            expect(x).to.be.closeTo(expected[i], 2e-5);
          });
        }),
        { numRuns: 60, seed: 2 },
      );
    });

    it(`${norm.name} projects points from any distance onto the surface of the ball`, () => {
      for (const power of [1, 10, 30, 60, 100, 120]) {
        const values = [3, 2, -1, 3, 0, 2.5].map((x) => x * 2 ** power);
        const projected = tf.tidy(() => norm.project(one(values), 0.1).dataSync());
        expect(norm.distance(projected, zeros(6)), `2^${power}`).to.be.closeTo(0.1, 1e-6);
        expect(
          Array.from(projected, (x) => Math.sign(x) + 0),
          `2^${power}`,
        ).to.deep.equal(norm.name === 'l1' ? [1, 0, 0, 1, 0, 0] : [1, 1, -1, 1, 0, 1]);
      }
    });

    it(`${norm.name} takes a step of length 1 uphill, and none where the gradient is 0`, () => {
      fc.assert(
        fc.property(floats, (values) => {
          fc.pre(values.some((x) => x !== 0));
          const [length, rise] = tf.tidy(() => {
            const gradient = one(values);
            const step = norm.steepest(gradient);
            return [norm.length(step).dataSync()[0], tf.sum(tf.mul(step, gradient)).dataSync()[0]];
          });
          expect(length).to.be.closeTo(1, 1e-5);
          expect(rise).to.be.above(0);
        }),
        { numRuns: 60, seed: 3 },
      );
      const none = tf.tidy(() => norm.steepest(tf.zeros([2, 2, 2, 1]) as Tensor4D).dataSync());
      expect(Array.from(none)).to.deep.equal(new Array(8).fill(0));
    });

    it(`${norm.name} takes the same step whatever number multiplies the gradient, and measures by it`, () => {
      fc.assert(
        fc.property(floats, fc.integer({ min: -100, max: 100 }), (values, power) => {
          const scale = 2 ** power;
          const [plain, scaled, length, longer] = tf.tidy(() => {
            const gradient = one(values);
            const multiplied = tf.mul(gradient, scale) as Tensor4D;
            return [
              norm.steepest(gradient),
              norm.steepest(multiplied),
              norm.length(gradient),
              norm.length(multiplied),
            ].map((tensor) => Array.from(tensor.dataSync()));
          });
          expect(scaled).to.deep.equal(plain);
          expect(longer[0]).to.equal(length[0] * scale);
        }),
        { numRuns: 60, seed: 4 },
      );
    });

    it(`${norm.name} samples uniformly in the ball`, () => {
      // The share of the ball of half the radius is its share of the volume, 2^−size.
      const draws = 4000;
      const size = 3;
      let within = 0;
      const means = [0, 0, 0];
      for (let i = 0; i < draws; i++) {
        const point = norm.sample(seedKey(i), size, 2);
        const length = norm.distance(point, zeros(size));
        expect(length).to.be.at.most(2 * (1 + 1e-6));
        if (length <= 1) within++;
        point.forEach((x, axis) => {
          means[axis] += x / draws;
        });
      }
      expect(within / draws).to.be.closeTo(1 / 8, 0.02);
      for (const mean of means) expect(mean).to.be.closeTo(0, 0.06);
    });

    it(`${norm.name} measures length as distance`, () => {
      const values = [0.5, -1.5, 0.25];
      const [length] = tf.tidy(() => norm.length(one(values)).dataSync());
      expect(length).to.be.closeTo(norm.distance(values, zeros(3)), 1e-6);
      expect(length).to.be.closeTo({ linf: 1.5, l2: Math.sqrt(2.5625), l1: 2.25 }[norm.name], 1e-6);
    });

    it(`${norm.name}: an image outside its ball is pulled in, hardly further than it must`, () => {
      const image = norm.sample(seedKey(1), 300, 1).map((x) => 0.5 + 0.3 * x);
      const outside = image.map((x, i) => x + (i % 2 === 0 ? 0.02 : -0.01));
      const epsilon = 0.999 * norm.distance(outside, image);
      confine(norm, epsilon, image, outside);
      const distance = norm.distance(outside, image);
      expect(distance).to.be.at.most(epsilon);
      expect(distance).to.be.above(epsilon * (1 - 1e-5));
    });
  }

  it('l1 projects onto the nearest point of the ball and the bounds together', () => {
    const pixel = fc.float({ min: 0, max: 1, noNaN: true });
    const pixels = fc.array(fc.tuple(pixel, fc.float({ min: -3, max: 3, noNaN: true }), pixel), {
      minLength: 1,
      maxLength: 60,
    });
    fc.assert(
      fc.property(pixels, fc.double({ min: 0, max: 6, noNaN: true }), (given, epsilon) => {
        const image = Float32Array.from(given, ([x]) => x);
        const from = Float32Array.from(given, ([x, change]) => x + change);
        const point = Float32Array.from(from);
        norms.l1.ball(epsilon, [0, 1], image).project(point);
        expect(norms.l1.distance(point, image)).to.be.at.most(epsilon);
        for (const x of point) expect(x).to.be.within(0, 1);
        // The nearest point of a convex set: no other one lies on the side of the given point.
        const other = given.map(([x, , aim]) => aim - x);
        const length = other.reduce((sum, change) => sum + Math.abs(change), 0);
        for (const scale of [0, Math.min(1, epsilon / Math.max(length, 1e-9))]) {
          const beyond = point.reduce((sum, x, i) => sum + (from[i] - x) * (image[i] + scale * other[i] - x), 0);
          expect(beyond).to.be.at.most(2e-5 * given.length);
        }
      }),
      { numRuns: 400, seed: 6 },
    );
  });

  it('l1 leaves a point within ball and bounds as it is, and changes no pixel that the point does not', () => {
    const image = Float32Array.of(0.25, 0.5, 0.75, 0.1);
    const ball = norms.l1.ball(1, [0, 1], image);
    const inside = Float32Array.of(0.5, 0.5, 1, 0);
    ball.project(inside);
    expect(inside).to.deep.equal(Float32Array.of(0.5, 0.5, 1, 0));
    const outside = Float32Array.of(2, 0.5, 3, 0.1);
    ball.project(outside);
    // Room for 0.75 and 0.25: exactly the radius.
    expect(outside).to.deep.equal(Float32Array.of(1, 0.5, 1, 0.1));
  });

  it('finds the largest of many numbers, and goes through them by their magnitudes', () => {
    fc.assert(
      fc.property(fc.array(fc.float({ noNaN: true }), { minLength: 1, maxLength: 300 }), fc.nat(), (values, seed) => {
        const given = Float32Array.from(values);
        const sorted = Float32Array.from(given).sort().reverse();
        const rank = 1 + (seed % given.length);
        expect(nthLargest(Float32Array.from(given), rank)).to.equal(sorted[rank - 1]);
        const order = Array.from(given.keys())
          .filter((i) => given[i] !== 0)
          .sort((a, b) => Math.abs(given[b]) - Math.abs(given[a]) || a - b);
        expect([...byMagnitude(given)]).to.deep.equal(order);
      }),
      { numRuns: 200, seed: 7 },
    );
  });

  it('l1 climbs as far as it steps on tensors', () => {
    const gradient = Float32Array.from({ length: 300 }, (_, i) => Math.sin(i * i));
    const point = new Float32Array(300);
    norms.l1.climb(point, gradient, 1);
    const step = tf.tidy(() => norms.l1.steepest(one(gradient)).dataSync());
    expect(Array.from(point)).to.deep.equal(Array.from(step, (x) => x + 0));
  });

  it('l1 moves the 1 % of pixels with the largest gradients, all alike', () => {
    const gradient = Array.from({ length: 300 }, (_, i) => (i % 7) * 0.01);
    gradient[10] = -3;
    gradient[20] = 2;
    gradient[30] = 5;
    const step = tf.tidy(() => norms.l1.steepest(one(gradient)).dataSync());
    const moved = Array.from(step).flatMap((x, i) => (x === 0 ? [] : [[i, x]]));
    expect(moved.map(([i]) => i)).to.deep.equal([10, 20, 30]);
    moved.forEach(([, x], i) => {
      expect(x).to.be.closeTo([-1, 1, 1][i] / 3, 1e-6);
    });
  });
});
