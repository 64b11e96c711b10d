// The shortest move onto a hyperplane within the bounds, for norms in which every pixel moves at once.
import type { Bounds } from '../types.ts';

/**
 * A function that finds the shortest move within the bounds which brings a linear function from `value` to 0; where no
 * move within the bounds does, the one that comes nearest.
 *
 * With s the side to go to, each pixel moves along s · sign(g_i), by min(λ · pace(|g_i|), room_i): the pace is 1 in linf and
 * |g_i| in l2. The sum Σ |g_i| · move_i is concave and piecewise linear in λ, so Newton's steps from 0 rise to the solution
 * and reach it exactly.
 */
export const movingAll =
  (pace: (magnitude: number) => number) =>
  (point: Float32Array, gradient: Float32Array, value: number, [low, high]: Bounds): Float64Array => {
    const side = value > 0 ? -1 : 1;
    const wanted = Math.abs(value);
    const move = new Float64Array(point.length);
    let lambda = 0;
    for (;;) {
      let reached = 0;
      let slope = 0;
      for (let i = 0; i < point.length; i++) {
        const weight = Math.abs(gradient[i]);
        if (weight === 0) continue;
        const room = side * gradient[i] > 0 ? high - point[i] : point[i] - low;
        const speed = pace(weight);
        if (lambda * speed < room) {
          reached += weight * lambda * speed;
          slope += weight * speed;
        } else reached += weight * room;
      }
      const missing = wanted - reached;
      if (slope === 0 || !(missing > 1e-12 * wanted)) break;
      const next = lambda + missing / slope;
      if (!(next > lambda)) break;
      lambda = next;
    }
    for (let i = 0; i < point.length; i++) {
      const weight = Math.abs(gradient[i]);
      if (weight === 0) continue;
      const up = side * gradient[i] > 0;
      const room = up ? high - point[i] : point[i] - low;
      const length = Math.min(lambda * pace(weight), room);
      move[i] = up ? length : -length;
    }
    return move;
  };
