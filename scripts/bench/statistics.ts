// Minimum, median and other statistics of times.
export const min = (values: readonly number[]): number => Math.min(...values);

export const median = (values: readonly number[]): number => {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
};

export const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

export const geometricMean = (values: readonly number[]): number => Math.exp(sum(values.map(Math.log)) / values.length);

/** ‖a − b‖ / ‖b‖, and ‖a‖ where b is 0. */
export function relativeDistance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) throw new Error(`${a.length} values cannot be compared with ${b.length}.`);
  let difference = 0;
  let norm = 0;
  for (let i = 0; i < b.length; i++) {
    difference += (a[i] - b[i]) ** 2;
    norm += b[i] ** 2;
  }
  return Math.sqrt(norm === 0 ? difference : difference / norm);
}

/** The exponent k of the power law t = c · x^k through measured times, by least squares on logarithms. */
export function growthExponent(x: readonly number[], t: readonly number[]): number {
  const [logX, logT] = [x.map(Math.log), t.map(Math.log)];
  const [meanX, meanT] = [sum(logX) / x.length, sum(logT) / x.length];
  const covariance = sum(logX.map((value, i) => (value - meanX) * (logT[i] - meanT)));
  return covariance / sum(logX.map((value) => (value - meanX) ** 2));
}
