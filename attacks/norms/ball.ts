// Balls around single images, in plain memory.
import type { Bounds } from '../types.ts';
import type { Norm } from './norm.ts';

/** What to multiply by so that numbers of a length get another, in float64; 0 for numbers that are all 0. */
export const scaleTo = (wanted: number, length: number): number => (length > 0 ? wanted / length : 0);

export const clip = (value: number, [low, high]: Bounds): number => (value < low ? low : value > high ? high : value);

/** ‖a − b‖∞ in float64. */
export function largestDistance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let largest = 0;
  for (let i = 0; i < a.length; i++) largest = Math.max(largest, Math.abs(a[i] - b[i]));
  return largest;
}

/** ‖a − b‖₁ in float64. */
export function sumOfDistances(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += Math.abs(a[i] - b[i]);
  return sum;
}

/** ‖x‖ in float64. */
export const lengthOf = (norm: Pick<Norm, 'distance'>, x: Float32Array): number =>
  norm.distance(x, new Float32Array(x.length));

/**
 * Pulls an adversarial image towards its image until their distance, in float64, is at most epsilon: sums in float32 and
 * the rounding of pixels can leave it a little outside. Changes `adversarial`.
 */
export function confine(
  norm: Pick<Norm, 'distance'>,
  epsilon: number,
  image: Float32Array,
  adversarial: Float32Array,
): void {
  let distance = norm.distance(adversarial, image);
  for (let slack = 2 ** -23; distance > epsilon; slack *= 2) {
    const scale = Math.max(0, (epsilon / distance) * (1 - slack));
    for (let i = 0; i < image.length; i++) adversarial[i] = image[i] + scale * (adversarial[i] - image[i]);
    distance = norm.distance(adversarial, image);
  }
}
