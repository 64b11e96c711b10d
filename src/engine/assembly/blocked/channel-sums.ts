// Sums of each channel over a task's images, added up row by row by the kernel that writes the rows, while they are in cache.
//
//   sums      [task][channel][sums 4 × f32 | products 4 × f32 | shift f32 | 0 | 0 | 0]
//
// Without `z` they are statistics of the rows: Σ(x − shift) and Σ(x − shift)², the shift being the mean of the task's first
// tile, so that little cancels (Chan et al. 1983). With `z` the rows are gradients: Σd and Σd · (z − mean). A row is summed
// in f32 lanes, then added to the task's lanes; lanes and tasks are added in f64, in order, by who reads them.
import { multiplyAdd, part, zero } from '../shared/common';

export const SUM_BYTES: i32 = 48;

/** The first fields of a kernel that writes rows of blocks, and adds up their channels if `sums` is not 0. */
@unmanaged
export class ChannelSums {
  /** 0: nothing is added up */
  sums: usize;
  /** blocks like those that are written; or 0 */
  z: usize;
  zTask: i32;
  /** f32 a channel */
  mean: usize;
  /** images a block */
  nb: i32;
  /** images of the batch */
  images: i32;
}

// @ts-ignore: decorator
@inline
export function sum64(v: v128): f64 {
  return <f64>f32x4.extract_lane(v, 0) + <f64>f32x4.extract_lane(v, 1) +
    (<f64>f32x4.extract_lane(v, 2) + <f64>f32x4.extract_lane(v, 3));
}

/** The task's sums, all 0. */
export function startSums(args: ChannelSums, task: i32, channels: i32): usize {
  const sums = args.sums + <usize>task * <usize>(channels * SUM_BYTES);
  if (args.sums) zero(sums, channels * SUM_BYTES);
  return sums;
}

/**
 * Adds a row of all channels, `tiles` tiles each: row `y` of the block that begins at `offset` bytes from the task's part,
 * `block` counting the task's blocks of which it has `blocks`.
 */
export function addRow(
  args: ChannelSums, sums: usize, task: i32, block: i32, blocks: i32, y: usize, offset: usize, channels: i32, channel: i32,
  tiles: i32,
): void {
  if (args.z) {
    const z = part(args.z, args.zTask, task) + offset;
    for (let c = 0; c < channels; c++, sums += SUM_BYTES) {
      gradientRow(y + c * channel, z + c * channel, tiles, v128.load_splat<f32>(args.mean + (<usize>c << 2)), sums);
    }
    return;
  }
  const valid = min(args.nb, args.images - (task * blocks + block) * args.nb);
  if (valid <= 0) return;
  for (let c = 0; c < channels; c++, sums += SUM_BYTES) {
    const row = y + c * channel;
    if (offset == 0) store<f32>(sums, valid == args.nb ? tileMean(row) : load<f32>(row), 32);
    if (valid == args.nb) wholeRow(row, tiles, sums);
    else validRow(row, tiles, args.nb, valid, sums);
  }
}

function tileMean(p: usize): f32 {
  let sum = f32x4.splat(0);
  for (const end = p + 128; p < end; p += 16) sum = f32x4.add(sum, v128.load(p));
  return <f32>(sum64(sum) / 32);
}

function gradientRow(d: usize, z: usize, tiles: i32, mean: v128, sums: usize): void {
  let s0 = f32x4.splat(0), s1 = s0, t0 = s0, t1 = s0;
  for (const end = d + (tiles << 7); d < end; d += 64, z += 64) {
    const d0 = v128.load(d), d1 = v128.load(d, 16), d2 = v128.load(d, 32), d3 = v128.load(d, 48);
    s0 = f32x4.add(s0, f32x4.add(d0, d2));
    s1 = f32x4.add(s1, f32x4.add(d1, d3));
    t0 = multiplyAdd(t0, d0, f32x4.sub(v128.load(z), mean));
    t1 = multiplyAdd(t1, d1, f32x4.sub(v128.load(z, 16), mean));
    t0 = multiplyAdd(t0, d2, f32x4.sub(v128.load(z, 32), mean));
    t1 = multiplyAdd(t1, d3, f32x4.sub(v128.load(z, 48), mean));
  }
  v128.store(sums, f32x4.add(v128.load(sums), f32x4.add(s0, s1)));
  v128.store(sums, f32x4.add(v128.load(sums, 16), f32x4.add(t0, t1)), 16);
}

function wholeRow(x: usize, tiles: i32, sums: usize): void {
  const shift = v128.load_splat<f32>(sums, 32);
  let s0 = f32x4.splat(0), s1 = s0, t0 = s0, t1 = s0;
  for (const end = x + (tiles << 7); x < end; x += 64) {
    const d0 = f32x4.sub(v128.load(x), shift), d1 = f32x4.sub(v128.load(x, 16), shift);
    const d2 = f32x4.sub(v128.load(x, 32), shift), d3 = f32x4.sub(v128.load(x, 48), shift);
    s0 = f32x4.add(s0, f32x4.add(d0, d2));
    s1 = f32x4.add(s1, f32x4.add(d1, d3));
    t0 = multiplyAdd(t0, d0, d0);
    t1 = multiplyAdd(t1, d1, d1);
    t0 = multiplyAdd(t0, d2, d2);
    t1 = multiplyAdd(t1, d3, d3);
  }
  v128.store(sums, f32x4.add(v128.load(sums), f32x4.add(s0, s1)));
  v128.store(sums, f32x4.add(v128.load(sums, 16), f32x4.add(t0, t1)), 16);
}

/** Of a block that the batch fills in part: the images before `valid`. */
function validRow(x: usize, tiles: i32, nb: i32, valid: i32, sums: usize): void {
  const shift = v128.load_splat<f32>(sums, 32), bound = i32x4.splat(valid);
  let s = f32x4.splat(0), t = s, image = 0;
  for (const end = x + (tiles << 7); x < end; x += 16) {
    const counts = i32x4.lt_s(i32x4.add(i32x4(0, 1, 2, 3), i32x4.splat(image)), bound);
    const d = v128.and(f32x4.sub(v128.load(x), shift), counts);
    s = f32x4.add(s, d);
    t = multiplyAdd(t, d, d);
    image += 4;
    if (image == nb) image = 0;
  }
  v128.store(sums, f32x4.add(v128.load(sums), s));
  v128.store(sums, f32x4.add(v128.load(sums, 16), t), 16);
}

@unmanaged
class SumChannels {
  x: usize;
  /** bytes of a block, of which a task takes one */
  block: i32;
  row: i32;
  channel: i32;
  rows: i32;
  channels: i32;
  tiles: i32;
  /** f64 [task][channel] */
  sums: usize;
}

/** The sum of each channel over a block of images, in f64; for who asks for the sum itself. */
export function sumChannels(task: i32, args: SumChannels): void {
  const x = args.x + <usize>task * args.block, sums = args.sums + <usize>(task * args.channels << 3);
  for (let c = 0; c < args.channels; c++) {
    let s0 = f64x2.splat(0), s1 = s0, s2 = s0, s3 = s0;
    for (let h = 0; h < args.rows; h++) {
      let p = x + h * args.row + c * args.channel;
      for (const end = p + (args.tiles << 7); p < end; p += 32) {
        s0 = f64x2.add(s0, twoOf(p));
        s1 = f64x2.add(s1, twoOf(p + 8));
        s2 = f64x2.add(s2, twoOf(p + 16));
        s3 = f64x2.add(s3, twoOf(p + 24));
      }
    }
    const s = f64x2.add(f64x2.add(s0, s1), f64x2.add(s2, s3));
    store<f64>(sums + (<usize>c << 3), f64x2.extract_lane(s, 0) + f64x2.extract_lane(s, 1));
  }
}

// @ts-ignore: decorator
@inline
function twoOf(p: usize): v128 {
  return f64x2.promote_low_f32x4(v128.load_zero<f64>(p));
}
