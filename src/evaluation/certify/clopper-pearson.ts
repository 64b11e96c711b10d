// The exact lower confidence bound of a binomial proportion.
import { InputError } from '../../core/errors.ts';

/**
 * The lower bound of Clopper and Pearson (1934): the p at which `successes` or more of `draws` have probability α,
 *
 *     P(X ≥ k; n, p) = I_p(k, n − k + 1) = α,
 *
 * so that it is above the true proportion with probability at most α. 0 for no successes.
 *
 * @param successes k, a whole number of 0 … draws
 * @param draws n, at least 1
 * @param alpha α in (0, 1)
 * @throws InputError outside of these ranges
 */
export function lowerConfidenceBound(successes: number, draws: number, alpha: number): number {
  if (!(Number.isInteger(draws) && draws >= 1 && Number.isInteger(successes) && successes >= 0 && successes <= draws)) {
    throw new InputError(`Expected 0 … n successes of n ≥ 1 draws, got ${successes} of ${draws}.`);
  }
  checkAlpha(alpha);
  if (successes === 0) return 0;
  let low = 0;
  let high = successes / draws;
  for (let middle = high / 2; middle > low && middle < high; middle = (low + high) / 2) {
    if (incompleteBeta(middle, successes, draws - successes + 1) < alpha) low = middle;
    else high = middle;
  }
  return low;
}

/** @throws InputError for an α out of (0, 1) */
export function checkAlpha(alpha: number): void {
  if (!(alpha > 0 && alpha < 1)) throw new InputError(`Expected α in (0, 1), got ${alpha}.`);
}

/** I_x(a, b), the regularised incomplete beta function, by its continued fraction (DLMF 8.17.22). */
function incompleteBeta(x: number, a: number, b: number): number {
  // The fraction converges fast below the mean; I_x(a, b) = 1 − I_{1−x}(b, a) above it.
  if (x > (a + 1) / (a + b + 2)) return 1 - incompleteBeta(1 - x, b, a);
  const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log1p(-x));
  return (front / a) * betaFraction(x, a, b);
}

/** 1/(1 + d₁/(1 + d₂/(1 + …))) by the method of Lentz (1976). */
function betaFraction(x: number, a: number, b: number): number {
  const nonzero = (value: number): number => (value === 0 ? Number.MIN_VALUE : value);
  let numerator = 1;
  let denominator = 1 / nonzero(1 - ((a + b) * x) / (a + 1));
  let fraction = denominator;
  for (let m = 1; m <= 100_000; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    for (const d of [even, odd]) {
      denominator = 1 / nonzero(1 + d * denominator);
      numerator = nonzero(1 + d / numerator);
      fraction *= denominator * numerator;
    }
    if (Math.abs(denominator * numerator - 1) < 1e-16) break;
  }
  return fraction;
}

/** ln Γ(x) for x > 0 by Stirling's series, with Γ(x + 1) = x Γ(x) below 10 (DLMF 5.11.1). */
function logGamma(x: number): number {
  let shift = 0;
  let z = x;
  for (; z < 10; z++) shift -= Math.log(z);
  const series = 1 / 12 - (1 / 360 - (1 / 1260 - (1 / 1680 - 1 / (1188 * z ** 2)) / z ** 2) / z ** 2) / z ** 2;
  return shift + (z - 0.5) * Math.log(z) - z + Math.log(2 * Math.PI) / 2 + series / z;
}
