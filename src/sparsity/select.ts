// The largest of many numbers, in linear time: a radix selection over the bits of floats. Ties go to the first.

/** A 32-bit unsigned integer for each number, in the same order: the bits of a float sort as integers do. */
function orderedBits(scores: Float32Array): Uint32Array {
  const bits = new Uint32Array(scores.buffer.slice(scores.byteOffset, scores.byteOffset + scores.byteLength));
  for (let i = 0; i < bits.length; i++) bits[i] = bits[i] & 0x80000000 ? ~bits[i] : bits[i] | 0x80000000;
  return bits;
}

/** Keys that order numbers by |x|; each is at least 1. */
export function magnitudeKeys(xs: Float32Array): Uint32Array {
  const keys = new Uint32Array(xs.length);
  const bits = new Uint32Array(xs.buffer, xs.byteOffset, xs.length);
  for (let i = 0; i < keys.length; i++) keys[i] = (bits[i] & 0x7fffffff) + 1;
  return keys;
}

/** The bucket that holds the `rank`-th largest (from 1), and the rank of that one within it. */
function bucketOf(histogram: Uint32Array, rank: number): { bucket: number; rank: number } {
  let bucket = histogram.length - 1;
  while (histogram[bucket] < rank) rank -= histogram[bucket--];
  return { bucket, rank };
}

/**
 * The indices of the `count` largest scores, ascending; of equal scores those that come first, so the result is the same
 * everywhere.
 */
export const indicesOfLargest = (scores: Float32Array, count: number): Int32Array =>
  indicesOfLargestKeys(orderedBits(scores), count);

/** The indices of the largest keys, found in linear time: one histogram of their upper 16 bits, one of the lower (radix selection). */
export function indicesOfLargestKeys(bits: Uint32Array, count: number): Int32Array {
  const chosen = new Int32Array(count);
  if (count === 0) return chosen;
  const upper = new Uint32Array(1 << 16);
  for (let i = 0; i < bits.length; i++) upper[bits[i] >>> 16]++;
  const high = bucketOf(upper, count);
  const lower = new Uint32Array(1 << 16);
  for (let i = 0; i < bits.length; i++) if (bits[i] >>> 16 === high.bucket) lower[bits[i] & 0xffff]++;
  const low = bucketOf(lower, high.rank);
  const threshold = ((high.bucket << 16) | low.bucket) >>> 0;
  let ties = low.rank;
  let next = 0;
  for (let i = 0; next < count; i++) {
    if (bits[i] > threshold || (bits[i] === threshold && ties-- > 0)) chosen[next++] = i;
  }
  return chosen;
}

/** Two ascending lists without common members, as one. */
export function mergeSorted(a: Int32Array, b: Int32Array): Int32Array {
  const merged = new Int32Array(a.length + b.length);
  let i = 0;
  let j = 0;
  for (let k = 0; k < merged.length; k++) merged[k] = j >= b.length || a[i] < b[j] ? a[i++] : b[j++];
  return merged;
}
