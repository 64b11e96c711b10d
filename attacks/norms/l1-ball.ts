// The part of an l1 ball around one image that lies within the bounds, and the nearest point of it.
import type { Bounds } from '../types.ts';
import { clip, confine } from './ball.ts';
import type { Ball, Norm } from './norm.ts';

/** How near the sum of the projected magnitudes comes to epsilon, from below. */
const NEAR = 1e-9;

/**
 * The ball and the bounds together (Croce and Hein 2021, arXiv:2103.01208). Projecting onto the ball first and then onto
 * the bounds would end well inside the ball, wherever the bounds cut.
 *
 * The nearest point to x₀ + y has the perturbation sign(y_i) · min(max(|y_i| − λ, 0), room_i) with the smallest λ ≥ 0 for
 * which the magnitudes sum to at most ε. Their sum falls with λ and is piecewise linear, so Newton's steps find λ without
 * sorting; the interval around λ keeps them from going astray.
 */
export const ballWithinBounds = (
  norm: Pick<Norm, 'distance'>,
  epsilon: number,
  bounds: Bounds,
  image: Float32Array,
): Ball => {
  const [low, high] = bounds;
  return {
    project: (point) => {
      const magnitudes = new Float64Array(point.length);
      const rooms = new Float64Array(point.length);
      let count = 0;
      for (let i = 0; i < point.length; i++) {
        const change = point[i] - image[i];
        if (change === 0) continue;
        magnitudes[count] = Math.abs(change);
        rooms[count++] = change > 0 ? high - image[i] : image[i] - low;
      }
      const threshold = thresholdFor(epsilon, magnitudes.subarray(0, count), rooms.subarray(0, count));
      if (threshold === 0) {
        for (let i = 0; i < point.length; i++) point[i] = clip(point[i], bounds);
      } else {
        for (let i = 0; i < point.length; i++) {
          const change = point[i] - image[i];
          const kept = Math.abs(change) - threshold;
          if (kept <= 0) point[i] = image[i];
          else point[i] = clip(image[i] + (change > 0 ? kept : -kept), bounds);
        }
      }
      confine(norm, epsilon, image, point);
    },
  };
};

/** The smallest λ ≥ 0 for which Σ min(max(m_i − λ, 0), room_i) is at most epsilon. */
function thresholdFor(epsilon: number, magnitudes: Float64Array, rooms: Float64Array): number {
  let lambda = 0;
  let [below, above] = [0, 0];
  for (let step = 0; ; step++) {
    let sum = 0;
    let falling = 0;
    for (let i = 0; i < magnitudes.length; i++) {
      const kept = magnitudes[i] - lambda;
      if (step === 0 && magnitudes[i] > above) above = magnitudes[i];
      if (kept <= 0) continue;
      if (kept < rooms[i]) {
        sum += kept;
        falling++;
      } else sum += rooms[i];
    }
    if (sum <= epsilon && (lambda === 0 || sum >= epsilon * (1 - NEAR))) return lambda;
    const width = above - below;
    if (sum > epsilon) below = lambda;
    else above = lambda;
    const newton = lambda + (sum - epsilon) / falling;
    // A step that leaves the interval, or one after a step that left it almost as wide, gives way to halving.
    const isUseful = newton > below && newton < above && (step < 2 || above - below < 0.75 * width);
    const next = isUseful ? newton : below + (above - below) / 2;
    if (next <= below || next >= above) return above;
    lambda = next;
  }
}
