import { InputError } from '../../core/errors.ts';

/** The arithmetic mean; NaN of no values. */
export const mean = (values: readonly number[]): number => sum(values) / values.length;

/** The sample standard deviation √(Σ (x − x̄)² / (n − 1)); NaN below two values. */
export const standardDeviation = (values: readonly number[]): number => {
  if (values.length < 2) return Number.NaN;
  const center = mean(values);
  return Math.sqrt(sum(values.map((value) => (value - center) ** 2)) / (values.length - 1));
};

// mathjs has these too, and takes a second to load.
const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

/**
 * P(|T| ≤ t) of Student's t distribution with a whole number of degrees of freedom ν, by its finite series in
 * cos θ, θ = arctan(t / √ν).
 *
 * @see Abramowitz and Stegun, Handbook of Mathematical Functions (1964), 26.7.3 and 26.7.4
 */
function centralProbability(theta: number, degrees: number): number {
  const odd = degrees % 2 === 1;
  const cos2 = Math.cos(theta) ** 2;
  let term = odd ? Math.cos(theta) : 1;
  let sum = 0;
  for (let power = odd ? 1 : 0; power <= degrees - 2; power += 2) {
    sum += term;
    term *= (cos2 * (power + 1)) / (power + 2);
  }
  return odd ? (2 / Math.PI) * (theta + Math.sin(theta) * sum) : Math.sin(theta) * sum;
}

/**
 * The quantile of Student's t distribution: the t with P(T ≤ t) = `probability`.
 *
 * @param probability in (0, 1)
 * @param degrees of freedom, a whole number ≥ 1
 * @throws InputError outside these ranges
 */
export function studentQuantile(probability: number, degrees: number): number {
  if (!(probability > 0 && probability < 1) || !Number.isInteger(degrees) || degrees < 1) {
    throw new InputError(
      `A t quantile needs a probability in (0, 1) and a whole number of degrees of freedom; ${probability} and ${degrees} came.`,
    );
  }
  const central = Math.abs(2 * probability - 1);
  let low = 0;
  let high = Math.PI / 2;
  for (let middle = (low + high) / 2; middle > low && middle < high; middle = (low + high) / 2) {
    if (centralProbability(middle, degrees) < central) low = middle;
    else high = middle;
  }
  return Math.sign(probability - 0.5) * Math.sqrt(degrees) * Math.tan(low);
}

/**
 * P(|T| ≥ |t|) of Student's t distribution: the two-sided p-value of a t statistic.
 *
 * @param degrees of freedom, a whole number ≥ 1
 * @throws InputError for other degrees of freedom
 */
export function studentTails(t: number, degrees: number): number {
  if (!Number.isInteger(degrees) || degrees < 1) {
    throw new InputError(`Degrees of freedom are a whole number of at least 1; ${degrees} came.`);
  }
  return Math.max(0, 1 - centralProbability(Math.atan(Math.abs(t) / Math.sqrt(degrees)), degrees));
}

/**
 * p-values adjusted for being one of several questions: the i-th smallest of m becomes max over j ≤ i of
 * min(1, (m − j + 1) · p₍ⱼ₎). At or below α it is significant, the chance of any false one among the m being at most α.
 *
 * @param pValues a question that has no answer counts with p = 1
 * @see Holm, A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6 (1979)
 */
export function holm(pValues: readonly number[]): number[] {
  const order = pValues.map((_, i) => i).sort((a, b) => pValues[a] - pValues[b]);
  const adjusted = pValues.map(() => 1);
  let largest = 0;
  for (const [rank, i] of order.entries()) {
    largest = Math.max(largest, Math.min(1, (pValues.length - rank) * pValues[i]));
    adjusted[i] = largest;
  }
  return adjusted;
}

/** P(a, x), the regularised lower incomplete gamma function of a half-integer a > 0, by its series. */
function incompleteGamma(a: number, x: number): number {
  // log Γ(a + 1) from Γ(1/2) = √π or Γ(1) = 1
  let logGamma = Number.isInteger(a) ? 0 : Math.log(Math.PI) / 2;
  for (let k = Number.isInteger(a) ? 1 : 0.5; k <= a; k++) logGamma += Math.log(k);
  let term = Math.exp(a * Math.log(x) - x - logGamma);
  if (term === 0) return x > a ? 1 : 0;
  let total = 0;
  for (let n = 1; term > 1e-16 * total; n++) {
    total += term;
    term *= x / (a + n);
  }
  return Math.min(1, total);
}

/**
 * The chance that a two-sided t test finds a true difference of `effect` standard errors: P(|T| > t) for the noncentral
 * t distribution, T = (Z + effect) / √(V / ν), as the mean over Z of P(V < ν (Z + effect)² / t²), V being χ² of ν degrees.
 */
function powerOf(effect: number, critical: number, degrees: number): number {
  const [limit, intervals] = [8, 400];
  const step = (2 * limit) / intervals;
  let total = 0;
  for (let i = 0; i <= intervals; i++) {
    const z = -limit + i * step;
    const weight = i === 0 || i === intervals ? 1 : i % 2 === 1 ? 4 : 2; // Simpson's
    const chiSquare = (degrees * (z + effect) ** 2) / critical ** 2;
    total += weight * Math.exp(-(z ** 2) / 2) * incompleteGamma(degrees / 2, chiSquare / 2);
  }
  return (total * step) / 3 / Math.sqrt(2 * Math.PI);
}

/**
 * The smallest true difference that a two-sided t test would show with a given chance.
 *
 * @param standardError of the mean difference
 * @param degrees of freedom, a whole number ≥ 1
 * @param options.alpha level of the test, in (0, 1)
 * @param options.power the chance, above the level and below 1
 * @throws InputError outside these ranges
 */
export function smallestDetectable(
  standardError: number,
  degrees: number,
  { alpha = 0.05, power = 0.8 }: { readonly alpha?: number; readonly power?: number } = {},
): number {
  if (!(power > alpha && power < 1)) {
    throw new InputError(`The power of a test lies between its level ${alpha} and 1; ${power} came.`);
  }
  const critical = studentQuantile(1 - alpha / 2, degrees);
  let low = 0;
  let high = critical;
  while (powerOf(high, critical, degrees) < power) high *= 2;
  for (let i = 0; i < 50; i++) {
    const middle = (low + high) / 2;
    if (powerOf(middle, critical, degrees) < power) low = middle;
    else high = middle;
  }
  return high * standardError;
}
