// Pooling between activation blocks (see sparse-convolution.ts) whose images a block may differ: four images are moved at a
// time, from where they lie in the input's pixels to where they lie in the output's.
//
//   choices   [output vector][4 × u8]     which pixel of the window was the (first) maximum; 255: none, the gradient ends
import { SUM_BYTES } from './channel-sums';
import { larger, multiplyAdd, part, positive, zero } from '../shared/common';

@unmanaged
class MaxPool {
  x: usize;
  xTask: i32;
  xBlock: i32;
  xRow: i32;
  xChannel: i32;
  xNb: i32;
  y: usize;
  yTask: i32;
  yBlock: i32;
  yRow: i32;
  yChannel: i32;
  yNb: i32;
  images: i32;
  channels: i32;
  /** rows and columns of the input */
  height: i32;
  width: i32;
  size: i32;
  /** zero bytes on the right of the written side's channels */
  pad: i32;
  choices: usize;
  choicesTask: i32;
  /** 1: the input is a ReLU's output or, with a scale, would be: where the maximum is not positive no pixel is chosen */
  relu: i32;
  /** f32 a channel: the maxima of scale · x + shift, after a ReLU if `relu`; 0: of x */
  scale: usize;
  shift: usize;
}

// @ts-ignore: decorator
@inline
function loadScaled(p: usize, scaled: bool, scale: v128, shift: v128): v128 {
  return scaled ? multiplyAdd(shift, scale, v128.load(p)) : v128.load(p);
}

/** `index`, or `k` where v is greater than the best before it, for k that grow. */
// @ts-ignore: decorator
@inline
function chosen(v: v128, best: v128, index: v128, k: i32): v128 {
  return i32x4.max_s(index, v128.and(f32x4.gt(v, best), i32x4.splat(k)));
}

export function maxPool(task: i32, args: MaxPool): void {
  const x0 = part(args.x, args.xTask, task), y0 = part(args.y, args.yTask, task);
  const choices = part(args.choices, args.choicesTask, task);
  const size = args.size, height = args.height / size, width = args.width / size, channels = args.channels;
  const xPixel = args.xNb << 2, yPixel = args.yNb << 2, xRow = args.xRow, yNb = args.yNb, relu = args.relu;
  const scaled = args.scale != 0;
  zero(y0 - args.pad, args.pad);
  for (let h = 0; h < height; h++) {
    for (let c = 0; c < channels; c++) {
      const scale = v128.load_splat<f32>(args.scale + (<usize>c << 2)), shift = v128.load_splat<f32>(args.shift + (<usize>c << 2));
      for (let n = 0; n < args.images; n += 4) {
        const yBlock = n / args.yNb;
        const x = x0 + (n / args.xNb) * args.xBlock + ((n % args.xNb) << 2) + h * size * args.xRow + c * args.xChannel;
        let y = y0 + yBlock * args.yBlock + ((n % args.yNb) << 2) + h * args.yRow + c * args.yChannel;
        let choice = choices + ((yBlock * height + h) * channels + c) * width * args.yNb + (n % args.yNb);
        for (let w = 0; w < width; w++) {
          let p = x + w * size * xPixel;
          let best = loadScaled(p, scaled, scale, shift), index = i32x4.splat(0);
          if (size == 2) {
            const v1 = loadScaled(p + xPixel, scaled, scale, shift), v2 = loadScaled(p + xRow, scaled, scale, shift);
            const v3 = loadScaled(p + xRow + xPixel, scaled, scale, shift);
            index = chosen(v1, best, index, 1);
            best = larger(best, v1);
            index = chosen(v2, best, index, 2);
            best = larger(best, v2);
            index = chosen(v3, best, index, 3);
            best = larger(best, v3);
          } else {
            for (let i = 0, k = 0; i < size; i++, p += xRow) {
              for (let j = 0; j < size; j++, k++) {
                const v = loadScaled(p + j * xPixel, scaled, scale, shift);
                index = chosen(v, best, index, k);
                best = larger(best, v);
              }
            }
          }
          v128.store(y, scaled && relu ? positive(best) : best);
          if (args.choices) {
            if (relu) index = v128.or(index, v128.andnot(i32x4.splat(255), f32x4.gt(best, f32x4.splat(0))));
            const words = i16x8.narrow_i32x4_u(index, index);
            store<i32>(choice, i32x4.extract_lane(i8x16.narrow_i16x8_u(words, words), 0));
            choice += yNb;
          }
          y += yPixel;
        }
        if (args.pad && n % args.yNb == 0) zero(y, args.pad);
      }
    }
  }
}

@unmanaged
class MaxPoolGradient {
  x: usize;
  xTask: i32;
  xBlock: i32;
  xRow: i32;
  xChannel: i32;
  xNb: i32;
  y: usize;
  yTask: i32;
  yBlock: i32;
  yRow: i32;
  yChannel: i32;
  yNb: i32;
  images: i32;
  channels: i32;
  height: i32;
  width: i32;
  size: i32;
  pad: i32;
  choices: usize;
  choicesTask: i32;
  /** inputs of the batch norm before the pool, in blocks like x; or 0 */
  z: usize;
  zTask: i32;
  /** f32 a channel: with z, x = a · dx + b · z + c */
  a: usize;
  b: usize;
  c: usize;
  /** images of the batch; those that fill it up get 0 */
  batch: i32;
}

/** The choices of four windows as integers. */
// @ts-ignore: decorator
@inline
function loadChoices(p: usize): v128 {
  return i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(v128.load_zero<i32>(p)));
}

/** `d` where pixel k was chosen. */
// @ts-ignore: decorator
@inline
function ofChosen(d: v128, chosen: v128, k: i32): v128 {
  return v128.and(d, i32x4.eq(chosen, i32x4.splat(k)));
}

/** dx (in the place of x) from dy (in the place of y), or the gradient of the batch norm's input from it. */
export function maxPoolGradient(task: i32, args: MaxPoolGradient): void {
  const x0 = part(args.x, args.xTask, task), y0 = part(args.y, args.yTask, task);
  // From a place in x to that in z.
  const z = part(args.z, args.zTask, task) - x0, normalized = args.z != 0;
  const choices = part(args.choices, args.choicesTask, task);
  const size = args.size, height = args.height / size, width = args.width / size, channels = args.channels;
  const xPixel = args.xNb << 2, yPixel = args.yNb << 2, xRow = args.xRow, yNb = args.yNb;
  let slope = f32x4.splat(0), zSlope = slope, constant = slope;
  zero(x0 - args.pad, args.pad);
  // The last turn, if there is one, is of rows that no window meets.
  for (let h = 0; h * size < args.height; h++) {
    const rows = min(size, args.height - h * size);
    for (let c = 0; c < channels; c++) {
      if (normalized) {
        slope = v128.load_splat<f32>(args.a + (<usize>c << 2));
        zSlope = v128.load_splat<f32>(args.b + (<usize>c << 2));
        constant = v128.load_splat<f32>(args.c + (<usize>c << 2));
      }
      for (let n = 0; n < args.images; n += 4) {
        const valid = i32x4.lt_s(i32x4(0, 1, 2, 3), i32x4.splat(args.batch - task * args.images - n));
        const yBlock = n / args.yNb;
        const x = x0 + (n / args.xNb) * args.xBlock + ((n % args.xNb) << 2) + h * size * xRow + c * args.xChannel;
        let y = y0 + yBlock * args.yBlock + ((n % yNb) << 2) + h * args.yRow + c * args.yChannel;
        let choice = choices + ((yBlock * height + h) * channels + c) * width * yNb + (n % yNb);
        let p = x;
        if (h < height) {
          for (let w = 0; w < width; w++) {
            const chosen = loadChoices(choice), d = v128.load(y);
            if (size == 2) {
              const q = p + xRow;
              let d0 = ofChosen(d, chosen, 0), d1 = ofChosen(d, chosen, 1);
              let d2 = ofChosen(d, chosen, 2), d3 = ofChosen(d, chosen, 3);
              if (normalized) {
                d0 = normalGradient(d0, p + z, slope, zSlope, constant, valid);
                d1 = normalGradient(d1, p + xPixel + z, slope, zSlope, constant, valid);
                d2 = normalGradient(d2, q + z, slope, zSlope, constant, valid);
                d3 = normalGradient(d3, q + xPixel + z, slope, zSlope, constant, valid);
              }
              v128.store(p, d0); v128.store(p + xPixel, d1); v128.store(q, d2); v128.store(q + xPixel, d3);
            } else {
              for (let i = 0; i < size; i++) {
                for (let j = 0; j < size; j++) {
                  const q = p + i * xRow + j * xPixel;
                  let dx = ofChosen(d, chosen, i * size + j);
                  if (normalized) dx = normalGradient(dx, q + z, slope, zSlope, constant, valid);
                  v128.store(q, dx);
                }
              }
            }
            p += size * xPixel; y += yPixel; choice += yNb;
          }
        }
        for (let i = 0; i < rows; i++) {
          let q = p + i * xRow;
          const end = x + i * xRow + args.width * xPixel;
          for (; q < end; q += xPixel) {
            let dx = f32x4.splat(0);
            if (normalized) dx = normalGradient(dx, q + z, slope, zSlope, constant, valid);
            v128.store(q, dx);
          }
          if (args.pad && n % args.xNb == 0) zero(end - ((n % args.xNb) << 2), args.pad);
        }
      }
    }
  }
}

// @ts-ignore: decorator
@inline
function normalGradient(d: v128, z: usize, slope: v128, zSlope: v128, constant: v128, valid: v128): v128 {
  return v128.and(multiplyAdd(multiplyAdd(constant, zSlope, v128.load(z)), slope, d), valid);
}

@unmanaged
class MaxPoolGradientSums {
  /** inputs of the batch norm before the pool */
  x: usize;
  xTask: i32;
  xBlock: i32;
  xRow: i32;
  xChannel: i32;
  xNb: i32;
  y: usize;
  yTask: i32;
  yBlock: i32;
  yRow: i32;
  yChannel: i32;
  yNb: i32;
  images: i32;
  channels: i32;
  height: i32;
  width: i32;
  size: i32;
  choices: usize;
  choicesTask: i32;
  mean: usize;
  sums: usize;
}

/** Sums of dx and of dx · (z − mean) over a task's images, as channelGradientSums leaves them, from dy. */
export function maxPoolGradientSums(task: i32, args: MaxPoolGradientSums): void {
  const x0 = part(args.x, args.xTask, task), y0 = part(args.y, args.yTask, task);
  const choices = part(args.choices, args.choicesTask, task);
  const size = args.size, height = args.height / size, width = args.width / size, channels = args.channels;
  const xPixel = args.xNb << 2, yPixel = args.yNb << 2, xRow = args.xRow, yNb = args.yNb;
  const sums = args.sums + <usize>task * (channels * SUM_BYTES);
  zero(sums, channels * SUM_BYTES);
  for (let h = 0; h < height; h++) {
    for (let c = 0; c < channels; c++) {
      const mean = v128.load_splat<f32>(args.mean + (<usize>c << 2));
      let s = f32x4.splat(0), t = s;
      for (let n = 0; n < args.images; n += 4) {
        const yBlock = n / args.yNb;
        let p = x0 + (n / args.xNb) * args.xBlock + ((n % args.xNb) << 2) + h * size * xRow + c * args.xChannel;
        let y = y0 + yBlock * args.yBlock + ((n % yNb) << 2) + h * args.yRow + c * args.yChannel;
        let choice = choices + ((yBlock * height + h) * channels + c) * width * yNb + (n % yNb);
        for (let w = 0; w < width; w++) {
          const chosen = loadChoices(choice);
          const d = v128.and(v128.load(y), i32x4.lt_s(chosen, i32x4.splat(255)));
          let z = mean;
          if (size == 2) {
            z = v128.bitselect(v128.load(p), z, i32x4.eq(chosen, i32x4.splat(0)));
            z = v128.bitselect(v128.load(p + xPixel), z, i32x4.eq(chosen, i32x4.splat(1)));
            z = v128.bitselect(v128.load(p + xRow), z, i32x4.eq(chosen, i32x4.splat(2)));
            z = v128.bitselect(v128.load(p + xRow + xPixel), z, i32x4.eq(chosen, i32x4.splat(3)));
          } else {
            for (let i = 0, k = 0; i < size; i++) {
              for (let j = 0; j < size; j++, k++) {
                z = v128.bitselect(v128.load(p + i * xRow + j * xPixel), z, i32x4.eq(chosen, i32x4.splat(k)));
              }
            }
          }
          s = f32x4.add(s, d);
          t = multiplyAdd(t, d, f32x4.sub(z, mean));
          p += size * xPixel; y += yPixel; choice += yNb;
        }
      }
      const at = sums + c * SUM_BYTES;
      v128.store(at, f32x4.add(v128.load(at), s));
      v128.store(at, f32x4.add(v128.load(at, 16), t), 16);
    }
  }
}

@unmanaged
class AveragePool {
  x: usize;
  xTask: i32;
  xBlock: i32;
  xRow: i32;
  xChannel: i32;
  xNb: i32;
  y: usize;
  yTask: i32;
  yBlock: i32;
  yChannel: i32;
  yNb: i32;
  images: i32;
  channels: i32;
  height: i32;
  width: i32;
  pad: i32;
}

/** The mean over all pixels. */
export function averagePool(task: i32, args: AveragePool): void {
  const x0 = part(args.x, args.xTask, task), y0 = part(args.y, args.yTask, task);
  const area = f32x4.splat(<f32>(args.height * args.width));
  for (let n = 0; n < args.images; n += 4) {
    const x = x0 + (n / args.xNb) * args.xBlock + ((n % args.xNb) << 2);
    const y = y0 + (n / args.yNb) * args.yBlock + ((n % args.yNb) << 2);
    for (let c = 0; c < args.channels; c++) {
      let sum = f32x4.splat(0);
      for (let h = 0; h < args.height; h++) {
        let p = x + h * args.xRow + c * args.xChannel;
        for (let w = 0; w < args.width; w++, p += args.xNb << 2) sum = f32x4.add(sum, v128.load(p));
      }
      v128.store(y + c * args.yChannel, f32x4.div(sum, area));
    }
  }
}

/** dx (in the place of x) from dy (in the place of y). */
export function averagePoolGradient(task: i32, args: AveragePool): void {
  const x0 = part(args.x, args.xTask, task), y0 = part(args.y, args.yTask, task);
  const area = f32x4.splat(<f32>(args.height * args.width));
  zero(x0 - args.pad, args.pad);
  for (let n = 0; n < args.images; n += 4) {
    const x = x0 + (n / args.xNb) * args.xBlock + ((n % args.xNb) << 2);
    const y = y0 + (n / args.yNb) * args.yBlock + ((n % args.yNb) << 2);
    for (let c = 0; c < args.channels; c++) {
      const d = f32x4.div(v128.load(y + c * args.yChannel), area);
      for (let h = 0; h < args.height; h++) {
        let p = x + h * args.xRow + c * args.xChannel;
        for (let w = 0; w < args.width; w++, p += args.xNb << 2) v128.store(p, d);
        if (args.pad && n % args.xNb == 0) zero(p, args.pad);
      }
    }
  }
}
