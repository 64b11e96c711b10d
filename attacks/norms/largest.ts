// Selection of the largest of many numbers in linear time on average, without sorting them all.

/** The `rank`-th largest number, from 1. Changes the order of `values`. */
export function nthLargest(values: Float32Array, rank: number): number {
  let [left, right] = [0, values.length - 1];
  const wanted = rank - 1;
  while (left < right) {
    const pivot = values[(left + right) >> 1];
    let [i, j] = [left, right];
    while (i <= j) {
      while (values[i] > pivot) i++;
      while (values[j] < pivot) j--;
      if (i <= j) {
        const held = values[i];
        values[i++] = values[j];
        values[j--] = held;
      }
    }
    if (wanted <= j) right = j;
    else if (wanted >= i) left = i;
    else return pivot;
  }
  return values[wanted];
}

/** |x| of every number, as new memory. */
export const magnitudesOf = (xs: Float32Array): Float32Array => xs.map(Math.abs);

/** Indices of numbers of at least a magnitude above 0, the largest magnitude first, of equal ones the lower index. */
function indicesFrom(magnitudes: Float32Array, least: number): number[] {
  const indices: number[] = [];
  for (let i = 0; i < magnitudes.length; i++) if (magnitudes[i] >= least && magnitudes[i] > 0) indices.push(i);
  return indices.sort((a, b) => magnitudes[b] - magnitudes[a] || a - b);
}

/** How many indices `byMagnitude` sorts first, and by how much more each time. */
const FIRST = 32;
const MORE = 4;

/** The indices of numbers that are not 0, the largest magnitude first. Only as many are sorted as are taken. */
export function* byMagnitude(xs: Float32Array): Generator<number> {
  const magnitudes = magnitudesOf(xs);
  let taken = 0;
  for (let rank = Math.min(FIRST, xs.length); ; rank = Math.min(MORE * rank, xs.length)) {
    const indices = indicesFrom(magnitudes, nthLargest(Float32Array.from(magnitudes), rank));
    for (; taken < indices.length; taken++) yield indices[taken];
    if (rank === xs.length) return;
  }
}
