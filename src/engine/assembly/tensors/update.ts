// Weighted sums of whole trees of tensors, as an optimizer needs them.
//
//   starts   [task]                                 number of the task's first piece; one more for the end
//   pieces   [y | length | x, map of each term]     a tensor, or some of its values
//   x        |v0|v1|v2| …                           as long as y, or
//   map      |i32|i32|i32| …   → x                  an index into x for each value of y, −1 for 0
//
// Terms are added from the left, each product and each sum rounded, a block of y at a time, which stays in cache.

/** Values of y that are finished before the next ones are begun. */
const BLOCK: u32 = 2048;

@unmanaged
class WeightedSum {
  starts: usize;
  pieces: usize;
  terms: u32;
  /** f32 a term */
  weights: usize;
}

export function weightedSum(task: i32, args: WeightedSum): void {
  const bytes = <usize>(2 + 2 * args.terms) << 2, start = args.starts + (<usize>task << 2);
  const end = args.pieces + <usize>load<u32>(start, 4) * bytes;
  for (let piece = args.pieces + <usize>load<u32>(start) * bytes; piece < end; piece += bytes) {
    const y = <usize>load<u32>(piece), length = load<u32>(piece, 4);
    for (let from: u32 = 0; from < length; from += BLOCK) {
      const count = min(BLOCK, length - from), offset = <usize>from << 2;
      for (let term: u32 = 0; term < args.terms; term++) {
        const entry = piece + 8 + (<usize>term << 3);
        const x = <usize>load<u32>(entry), map = <usize>load<u32>(entry, 4);
        const weight = load<f32>(args.weights + (<usize>term << 2));
        if (map) addTaken(x, map + offset, y + offset, count, weight, term == 0);
        else if (term == 0) scale(x + offset, y + offset, count, weight);
        else add(x + offset, y + offset, count, weight);
      }
    }
  }
}

/** y = weight · x */
function scale(x: usize, y: usize, count: u32, weight: f32): void {
  const w = f32x4.splat(weight);
  const end = y + (<usize>count << 2), bulk = y + (<usize>(count & ~3) << 2);
  for (; y < bulk; x += 16, y += 16) v128.store(y, f32x4.mul(w, v128.load(x)));
  for (; y < end; x += 4, y += 4) store<f32>(y, weight * load<f32>(x));
}

/** y = y + weight · x */
function add(x: usize, y: usize, count: u32, weight: f32): void {
  const w = f32x4.splat(weight);
  const end = y + (<usize>count << 2), bulk = y + (<usize>(count & ~3) << 2);
  for (; y < bulk; x += 16, y += 16) v128.store(y, f32x4.add(v128.load(y), f32x4.mul(w, v128.load(x))));
  for (; y < end; x += 4, y += 4) store<f32>(y, load<f32>(y) + weight * load<f32>(x));
}

/** Adds the values that the map takes from x, times the weight. */
function addTaken(x: usize, map: usize, y: usize, count: u32, weight: f32, first: bool): void {
  for (const end = y + (<usize>count << 2); y < end; map += 4, y += 4) {
    const index = load<i32>(map);
    const value: f32 = index < 0 ? 0 : load<f32>(x + (<usize>index << 2));
    store<f32>(y, first ? weight * value : load<f32>(y) + weight * value);
  }
}
