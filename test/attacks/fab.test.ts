import type { Tensor2D, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import * as fc from 'fast-check';
import { fabT, norms } from '../../attacks/index.ts';
import { useBackend } from '../backend.ts';

describe('fab-t', () => {
  before(() => useBackend('cpu'));

  it('projects onto a hyperplane within the bounds by the shortest move', () => {
    const coordinate = fc.double({ min: 0, max: 1, noNaN: true });
    const weight = fc.double({ min: -3, max: 3, noNaN: true });
    fc.assert(
      fc.property(
        fc.array(fc.tuple(coordinate, weight, coordinate), { minLength: 1, maxLength: 12 }),
        fc.constantFrom('linf' as const, 'l2' as const, 'l1' as const),
        (pixels, norm) => {
          const point = Float32Array.from(pixels, ([x]) => x);
          const gradient = Float32Array.from(pixels, ([, g]) => g);
          // The hyperplane goes through a point of the box, so that a move exists; that move is no shorter.
          const other = pixels.map(([, , x], i) => x - point[i]);
          const value = -other.reduce((sum, move, i) => sum + move * gradient[i], 0);
          const move = Array.from(norms[norm].toHyperplane(point, gradient, value, [0, 1]));
          const length = norms[norm].distance(move, new Float64Array(move.length));
          const reached = move.reduce((sum, step, i) => sum + step * gradient[i], value);
          expect(reached).to.be.closeTo(0, 1e-9);
          move.forEach((step, i) => {
            expect(point[i] + step).to.be.within(-1e-12, 1 + 1e-12);
          });
          expect(length).to.be.at.most(norms[norm].distance(other, new Array(other.length).fill(0)) + 1e-9);
        },
      ),
      { numRuns: 500, seed: 1 },
    );
  });

  it('goes as far as the bounds allow where no move reaches the hyperplane', () => {
    for (const { toHyperplane } of Object.values(norms)) {
      const move = toHyperplane(Float32Array.of(0.25, 0.5), Float32Array.of(1, -2), 10, [0, 1]);
      expect(Array.from(move)).to.deep.equal([-0.25, 0.5]);
    }
  });

  for (const norm of ['linf', 'l2', 'l1'] as const) {
    it(`finds the exact distance to a linear boundary in ${norm}`, async () => {
      const direction = tf.tensor2d([1, -2, 0.5, 1.5], [4, 1]);
      const model = (images: Tensor4D) => {
        const z = tf.sub(tf.matMul(tf.reshape(images, [-1, 4]) as Tensor2D, direction), 0.1);
        return tf.concat([tf.mul(z, -1), z], 1) as Tensor2D;
      };
      const images = tf.tensor4d([0.4, 0.6, 0.5, 0.3], [1, 2, 2, 1]);
      const labels = tf.tensor1d([0], 'int32');
      const adversarial = await fabT({ norm }).perturb(model, images, labels);
      // z = 0.4 − 1.2 + 0.25 + 0.45 − 0.1 = −0.2.
      const exact = { linf: 0.2 / 5, l2: 0.2 / Math.sqrt(1 + 4 + 0.25 + 2.25), l1: 0.2 / 2 }[norm];
      const distance = norms[norm].distance(adversarial.dataSync(), images.dataSync());
      expect(distance).to.be.within(exact * 0.9999, exact * 1.06);
      tf.dispose([direction, images, labels, adversarial]);
    });
  }

  it('says what it cannot do', () => {
    expect(() => fabT({ epsilon: 8 })).to.throw(/did you mean 8\/255/);
    expect(() => fabT({ backward: 2 })).to.throw(/backward: expected a share/);
    expect(fabT().epsilon).to.equal(null);
  });
});
