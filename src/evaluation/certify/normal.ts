// The standard normal distribution and its quantiles, to the precision of float64.
import { InputError } from '../../core/errors.ts';

/** φ(x) = exp(−x²/2) / √2π. */
const density = (x: number): number => Math.exp(-(x ** 2) / 2) / Math.sqrt(2 * Math.PI);

/**
 * Φ(x) = ½ + φ(x) · (x + x³/3 + x⁵/(3·5) + …).
 *
 * @see Marsaglia, Evaluating the normal distribution, Journal of Statistical Software 11 (2004)
 */
export function normalProbability(x: number): number {
  if (x > 9) return 1;
  if (x < -9) return 0;
  let term = x;
  let sum = x;
  for (let power = 3; sum + term !== sum; power += 2) {
    term *= x ** 2 / power;
    sum += term;
  }
  return 0.5 + density(x) * sum;
}

/**
 * Φ⁻¹(p): the x with Φ(x) = p.
 *
 * @param probability in (0, 1)
 * @throws InputError outside of this range
 */
export function normalQuantile(probability: number): number {
  if (!(probability > 0 && probability < 1)) {
    throw new InputError(`A normal quantile needs a probability in (0, 1), got ${probability}.`);
  }
  let low = -9;
  let high = 9;
  for (let middle = 0; middle > low && middle < high; middle = (low + high) / 2) {
    if (normalProbability(middle) < probability) low = middle;
    else high = middle;
  }
  return high;
}
