// Normalisation of each channel of a plain tensor whose last dimension is channels.
//
//   x          | c0 c1 c2 | c0 c1 c2 | c0 c1 c2 | c0 c1 c2 | …
//   mean, …    | c0 c1 c2   c0 c1 c2   c0 c1 c2   c0 c1 c2 |     repeated to a multiple of four: the period
import { loadLanes, multiplyAdd, storeLanes } from '../shared/common';

@unmanaged
class Normalize {
  x: usize;
  y: usize;
  length: u32;
  /** a multiple of the period */
  chunk: u32;
  period: u32;
  /** f32 a place of the period */
  mean: usize;
  scale: usize;
  offset: usize;
}

/** y = (x − mean) · scale + offset */
export function normalize(task: i32, args: Normalize): void {
  const period = args.period << 2;
  const mean = args.mean, scale = args.scale, offset = args.offset;
  const first = <u32>task * args.chunk, end = min(first + args.chunk, args.length);
  let place: u32 = 0;
  for (let index = first; index < end; index += 4, place += 4) {
    if (place << 2 == period) place = 0;
    const at = <usize>place << 2, p = <usize>index << 2, left = end - index;
    const centred = f32x4.sub(loadLanes(args.x + p, left), v128.load(mean + at));
    storeLanes(args.y + p, multiplyAdd(v128.load(offset + at), v128.load(scale + at), centred), left);
  }
}
