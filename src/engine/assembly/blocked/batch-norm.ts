// Per-channel kernels on activation blocks (see sparse-convolution.ts for the layout): statistics, y = scale · x + shift with
// or without ReLU, and their gradients. channel-sums.ts has the picture of the sums that tasks leave.
import { addRow, ChannelSums, startSums, SUM_BYTES, sum64 } from './channel-sums';
import { keepBits, multiplyAdd, part, positive, signBits, zero } from '../shared/common';

@unmanaged
class ChannelStatistics extends ChannelSums {
  x: usize;
  xTask: i32;
  block: i32;
  row: i32;
  channel: i32;
  blocks: i32;
  rows: i32;
  channels: i32;
  tiles: i32;
}

/** Statistics of each channel over a task's images; padding images excluded. */
export function channelStatistics(task: i32, args: ChannelStatistics): void {
  const x = part(args.x, args.xTask, task), sums = startSums(args, task, args.channels);
  for (let block = 0; block < args.blocks; block++) {
    for (let h = 0; h < args.rows; h++) {
      const offset = block * args.block + h * args.row;
      addRow(args, sums, task, block, args.blocks, x + offset, offset, args.channels, args.channel, args.tiles);
    }
  }
}

@unmanaged
class NormalizationCoefficients {
  /** 0: the running statistics serve */
  sums: usize;
  partCount: i32;
  imagesPerPart: i32;
  images: i32;
  area: i32;
  channels: i32;
  chunk: i32;
  runningMean: usize;
  runningVariance: usize;
  /** written if there are sums */
  mean: usize;
  movedMean: usize;
  movedVariance: usize;
  gamma: usize;
  beta: usize;
  scale: usize;
  shift: usize;
  inverse: usize;
}

// @ts-ignore: decorator
@inline
function moved(running: usize, ofBatch: f64): f32 {
  return <f32>(0.9 * <f64>load<f32>(running) + 0.1 * ofBatch);
}

/**
 * scale = γ / √(variance + ε), shift = β − mean · scale, inverse = 1 / √(variance + ε). By the batch's mean and biased variance
 * if there are `sums`, which also move the running statistics, the variance unbiased: 0.9 · running + 0.1 · batch.
 */
export function normalizationCoefficients(task: i32, args: NormalizationCoefficients): void {
  const end = min((task + 1) * args.chunk, args.channels);
  for (let c = task * args.chunk; c < end; c++) {
    const i = <usize>c << 2;
    let mean: f64 = 0, variance: f64 = 0;
    if (args.sums) {
      let count: f64 = 0, squares: f64 = 0;
      for (let p = 0; p < args.partCount; p++) {
        const n = <f64>(min(args.imagesPerPart, args.images - p * args.imagesPerPart) * args.area);
        if (n <= 0) break;
        const at = args.sums + (<usize>p * args.channels + c) * SUM_BYTES;
        // Of the part alone, then of it and those before (Chan et al. 1983).
        const offset = sum64(v128.load(at)) / n;
        const total = count + n, delta = <f64>load<f32>(at, 32) + offset - mean;
        mean += delta * n / total;
        squares += max<f64>(0, sum64(v128.load(at, 16)) - offset * offset * n) + delta * delta * count * n / total;
        count = total;
      }
      variance = squares / count;
      store<f32>(args.mean + i, <f32>mean);
      store<f32>(args.movedMean + i, moved(args.runningMean + i, mean));
      store<f32>(args.movedVariance + i, moved(args.runningVariance + i, squares / max<f64>(1, count - 1)));
    } else {
      mean = <f64>load<f32>(args.runningMean + i);
      variance = <f64>load<f32>(args.runningVariance + i);
    }
    const inverse = 1 / sqrt<f64>(variance + 1e-5);
    const scale = <f64>load<f32>(args.gamma + i) * inverse;
    store<f32>(args.scale + i, <f32>scale);
    store<f32>(args.shift + i, <f32>(<f64>load<f32>(args.beta + i) - mean * scale));
    store<f32>(args.inverse + i, <f32>inverse);
  }
}

@unmanaged
class Affine {
  x: usize;
  xTask: i32;
  y: usize;
  yTask: i32;
  block: i32;
  row: i32;
  channel: i32;
  blocks: i32;
  rows: i32;
  channels: i32;
  tiles: i32;
  pad: i32;
  scale: usize;
  shift: usize;
  /** blocks like y that are added before the ReLU; or 0 */
  add: usize;
  addTask: i32;
  relu: i32;
  bits: usize;
  bitsTask: i32;
}

/** y = scale · x + shift (+ add) of each channel, then ReLU if asked for, whose signs go to `bits` unless that is 0. */
export function affine(task: i32, args: Affine): void {
  const x = part(args.x, args.xTask, task), y = part(args.y, args.yTask, task);
  const add = part(args.add, args.addTask, task);
  let bits = part(args.bits, args.bitsTask, task);
  zero(y - args.pad, args.pad);
  for (let block = 0; block < args.blocks; block++) {
    for (let h = 0; h < args.rows; h++) {
      for (let c = 0; c < args.channels; c++) {
        const s = v128.load_splat<f32>(args.scale + (<usize>c << 2)), b = v128.load_splat<f32>(args.shift + (<usize>c << 2));
        const offset = block * args.block + h * args.row + c * args.channel;
        let p = x + offset, q = y + offset, r = add + offset;
        for (const end = q + (args.tiles << 7); q < end; p += 128, q += 128, r += 128) {
          let v0 = multiplyAdd(b, s, v128.load(p)), v1 = multiplyAdd(b, s, v128.load(p, 16));
          let v2 = multiplyAdd(b, s, v128.load(p, 32)), v3 = multiplyAdd(b, s, v128.load(p, 48));
          let v4 = multiplyAdd(b, s, v128.load(p, 64)), v5 = multiplyAdd(b, s, v128.load(p, 80));
          let v6 = multiplyAdd(b, s, v128.load(p, 96)), v7 = multiplyAdd(b, s, v128.load(p, 112));
          if (args.add) {
            v0 = f32x4.add(v0, v128.load(r)); v1 = f32x4.add(v1, v128.load(r, 16));
            v2 = f32x4.add(v2, v128.load(r, 32)); v3 = f32x4.add(v3, v128.load(r, 48));
            v4 = f32x4.add(v4, v128.load(r, 64)); v5 = f32x4.add(v5, v128.load(r, 80));
            v6 = f32x4.add(v6, v128.load(r, 96)); v7 = f32x4.add(v7, v128.load(r, 112));
          }
          if (args.relu) {
            if (args.bits) {
              store<u32>(bits, signBits(v0, v1, v2, v3, v4, v5, v6, v7));
              bits += 4;
            }
            v0 = positive(v0); v1 = positive(v1); v2 = positive(v2); v3 = positive(v3);
            v4 = positive(v4); v5 = positive(v5); v6 = positive(v6); v7 = positive(v7);
          }
          v128.store(q, v0); v128.store(q, v1, 16); v128.store(q, v2, 32); v128.store(q, v3, 48);
          v128.store(q, v4, 64); v128.store(q, v5, 80); v128.store(q, v6, 96); v128.store(q, v7, 112);
        }
        zero(q, args.pad);
      }
    }
  }
}

@unmanaged
class ChannelGradientSums {
  d: usize;
  dTask: i32;
  z: usize;
  zTask: i32;
  block: i32;
  row: i32;
  channel: i32;
  blocks: i32;
  rows: i32;
  channels: i32;
  tiles: i32;
  bits: usize;
  bitsTask: i32;
  mean: usize;
  sums: usize;
}

/** Sums of d and, unless z is 0, of d · (z − mean) over a task's images; d counts where `bits` are set. */
export function channelGradientSums(task: i32, args: ChannelGradientSums): void {
  const d = part(args.d, args.dTask, task), z = part(args.z, args.zTask, task);
  let bits = part(args.bits, args.bitsTask, task);
  const sums = args.sums + <usize>task * (args.channels * SUM_BYTES);
  zero(sums, args.channels * SUM_BYTES);
  for (let block = 0; block < args.blocks; block++) {
    for (let h = 0; h < args.rows; h++) {
      for (let c = 0; c < args.channels; c++) {
        const offset = block * args.block + h * args.row + c * args.channel;
        const mean = v128.load_splat<f32>(args.mean + (<usize>c << 2));
        let s0 = f32x4.splat(0), s1 = s0, t0 = s0, t1 = s0;
        let p = d + offset, q = z + offset;
        for (const end = p + (args.tiles << 7); p < end; p += 128, q += 128) {
          let v0 = v128.load(p), v1 = v128.load(p, 16), v2 = v128.load(p, 32), v3 = v128.load(p, 48);
          let v4 = v128.load(p, 64), v5 = v128.load(p, 80), v6 = v128.load(p, 96), v7 = v128.load(p, 112);
          if (args.bits) {
            const word = v128.load_splat<u32>(bits);
            bits += 4;
            v0 = keepBits(v0, word, 0); v1 = keepBits(v1, word, 1); v2 = keepBits(v2, word, 2); v3 = keepBits(v3, word, 3);
            v4 = keepBits(v4, word, 4); v5 = keepBits(v5, word, 5); v6 = keepBits(v6, word, 6); v7 = keepBits(v7, word, 7);
          }
          s0 = f32x4.add(s0, f32x4.add(f32x4.add(v0, v2), f32x4.add(v4, v6)));
          s1 = f32x4.add(s1, f32x4.add(f32x4.add(v1, v3), f32x4.add(v5, v7)));
          if (args.z) {
            t0 = multiplyAdd(t0, v0, f32x4.sub(v128.load(q), mean));
            t1 = multiplyAdd(t1, v1, f32x4.sub(v128.load(q, 16), mean));
            t0 = multiplyAdd(t0, v2, f32x4.sub(v128.load(q, 32), mean));
            t1 = multiplyAdd(t1, v3, f32x4.sub(v128.load(q, 48), mean));
            t0 = multiplyAdd(t0, v4, f32x4.sub(v128.load(q, 64), mean));
            t1 = multiplyAdd(t1, v5, f32x4.sub(v128.load(q, 80), mean));
            t0 = multiplyAdd(t0, v6, f32x4.sub(v128.load(q, 96), mean));
            t1 = multiplyAdd(t1, v7, f32x4.sub(v128.load(q, 112), mean));
          }
        }
        const at = sums + c * SUM_BYTES;
        v128.store(at, f32x4.add(v128.load(at), f32x4.add(s0, s1)));
        v128.store(at, f32x4.add(v128.load(at, 16), f32x4.add(t0, t1)), 16);
      }
    }
  }
}

@unmanaged
class GradientCoefficients {
  sums: usize;
  partCount: i32;
  /** values a channel over the batch; 0: the statistics are constants */
  count: i32;
  channels: i32;
  chunk: i32;
  mean: usize;
  inverse: usize;
  gamma: usize;
  /** outputs: gradients of γ and β … */
  dGamma: usize;
  dBeta: usize;
  /** … and factors of dz = a · d + b · z + c; 0 where only dBeta is asked for */
  a: usize;
  b: usize;
  c: usize;
}

/** Adds the parts in order, and from the sums the gradients of γ and β and the factors of the input gradient. */
export function gradientCoefficients(task: i32, args: GradientCoefficients): void {
  const end = min((task + 1) * args.chunk, args.channels);
  for (let c = task * args.chunk; c < end; c++) {
    const i = <usize>c << 2;
    let sum: f64 = 0, dot: f64 = 0;
    for (let part = 0; part < args.partCount; part++) {
      const at = args.sums + (<usize>part * args.channels + c) * SUM_BYTES;
      sum += sum64(v128.load(at));
      dot += sum64(v128.load(at, 16));
    }
    store<f32>(args.dBeta + i, <f32>sum);
    if (!args.a) continue;
    const inverse = <f64>load<f32>(args.inverse + i);
    dot *= inverse;
    store<f32>(args.dGamma + i, <f32>dot);
    const scale = <f64>load<f32>(args.gamma + i) * inverse;
    const slope = args.count ? -scale * inverse * dot / <f64>args.count : 0;
    const constant = args.count ? -scale * sum / <f64>args.count - slope * <f64>load<f32>(args.mean + i) : 0;
    store<f32>(args.a + i, <f32>scale);
    store<f32>(args.b + i, <f32>slope);
    store<f32>(args.c + i, <f32>constant);
  }
}

@unmanaged
class AffineGradient {
  d: usize;
  dTask: i32;
  z: usize;
  zTask: i32;
  y: usize;
  yTask: i32;
  block: i32;
  row: i32;
  channel: i32;
  blocks: i32;
  rows: i32;
  channels: i32;
  tiles: i32;
  pad: i32;
  nb: i32;
  images: i32;
  bits: usize;
  bitsTask: i32;
  a: usize;
  b: usize;
  c: usize;
}

/** y = a · d + b · z + c of each channel, d where `bits` are set; without the last two where z is 0. Padding images get 0. */
export function affineGradient(task: i32, args: AffineGradient): void {
  const d = part(args.d, args.dTask, task), z = part(args.z, args.zTask, task), y = part(args.y, args.yTask, task);
  let bits = part(args.bits, args.bitsTask, task);
  zero(y - args.pad, args.pad);
  for (let block = 0; block < args.blocks; block++) {
    const valid = args.images - (task * args.blocks + block) * args.nb;
    for (let h = 0; h < args.rows; h++) {
      for (let c = 0; c < args.channels; c++) {
        const i = <usize>c << 2;
        const slope = v128.load_splat<f32>(args.a + i);
        const zSlope = args.z ? v128.load_splat<f32>(args.b + i) : f32x4.splat(0);
        const constant = args.z ? v128.load_splat<f32>(args.c + i) : f32x4.splat(0);
        const offset = block * args.block + h * args.row + c * args.channel;
        let q = d + offset, r = z + offset, s = y + offset;
        const start = s;
        for (const end = s + (args.tiles << 7); s < end; q += 128, r += 128, s += 128) {
          let v0 = v128.load(q), v1 = v128.load(q, 16), v2 = v128.load(q, 32), v3 = v128.load(q, 48);
          let v4 = v128.load(q, 64), v5 = v128.load(q, 80), v6 = v128.load(q, 96), v7 = v128.load(q, 112);
          if (args.bits) {
            const word = v128.load_splat<u32>(bits);
            bits += 4;
            v0 = keepBits(v0, word, 0); v1 = keepBits(v1, word, 1); v2 = keepBits(v2, word, 2); v3 = keepBits(v3, word, 3);
            v4 = keepBits(v4, word, 4); v5 = keepBits(v5, word, 5); v6 = keepBits(v6, word, 6); v7 = keepBits(v7, word, 7);
          }
          if (args.z) {
            v0 = multiplyAdd(multiplyAdd(constant, zSlope, v128.load(r)), slope, v0);
            v1 = multiplyAdd(multiplyAdd(constant, zSlope, v128.load(r, 16)), slope, v1);
            v2 = multiplyAdd(multiplyAdd(constant, zSlope, v128.load(r, 32)), slope, v2);
            v3 = multiplyAdd(multiplyAdd(constant, zSlope, v128.load(r, 48)), slope, v3);
            v4 = multiplyAdd(multiplyAdd(constant, zSlope, v128.load(r, 64)), slope, v4);
            v5 = multiplyAdd(multiplyAdd(constant, zSlope, v128.load(r, 80)), slope, v5);
            v6 = multiplyAdd(multiplyAdd(constant, zSlope, v128.load(r, 96)), slope, v6);
            v7 = multiplyAdd(multiplyAdd(constant, zSlope, v128.load(r, 112)), slope, v7);
          } else {
            v0 = f32x4.mul(slope, v0); v1 = f32x4.mul(slope, v1); v2 = f32x4.mul(slope, v2); v3 = f32x4.mul(slope, v3);
            v4 = f32x4.mul(slope, v4); v5 = f32x4.mul(slope, v5); v6 = f32x4.mul(slope, v6); v7 = f32x4.mul(slope, v7);
          }
          v128.store(s, v0); v128.store(s, v1, 16); v128.store(s, v2, 32); v128.store(s, v3, 48);
          v128.store(s, v4, 64); v128.store(s, v5, 80); v128.store(s, v6, 96); v128.store(s, v7, 112);
        }
        zero(s, args.pad);
        if (args.z && valid < args.nb) clearImages(start, args.tiles, args.nb, max(0, valid));
      }
    }
  }
}

/** Zeros the lanes of the images from `valid` on. */
function clearImages(row: usize, tiles: i32, nb: i32, valid: i32): void {
  const width = (tiles << 5) / nb;
  for (let w = 0; w < width; w++) {
    for (let i = valid; i < nb; i++) store<f32>(row + ((w * nb + i) << 2), 0);
  }
}
