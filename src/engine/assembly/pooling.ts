// Pooling between activation blocks (see convolution.ts) whose images a block may differ: four images are moved at a
// time, from where they lie in the input's pixels to where they lie in the output's.
//
//   choices   [output vector][4 × u8]     which pixel of the window was the (first) maximum; 255: none, the gradient ends
import { part, zero } from './common';

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
  /** 1: where the maximum is not positive no pixel is chosen, for the input is a ReLU's output */
  relu: i32;
}

/** `index`, or `k` where v is greater than the best before it, for k that grow. */
// @ts-ignore: decorator
@inline
function chosen(v: v128, best: v128, index: v128, k: i32): v128 {
  return i32x4.max_s(index, v128.and(f32x4.gt(v, best), i32x4.splat(k)));
}

export function maxPool(task: i32, a: usize): void {
  const args = changetype<MaxPool>(a);
  const x0 = part(args.x, args.xTask, task), y0 = part(args.y, args.yTask, task);
  const choices = part(args.choices, args.choicesTask, task);
  const size = args.size, height = args.height / size, width = args.width / size, channels = args.channels;
  const xPixel = args.xNb << 2, yPixel = args.yNb << 2, xRow = args.xRow, yNb = args.yNb, relu = args.relu;
  zero(y0 - args.pad, args.pad);
  for (let h = 0; h < height; h++) {
    for (let c = 0; c < channels; c++) {
      for (let n = 0; n < args.images; n += 4) {
        const yBlock = n / args.yNb;
        const x = x0 + (n / args.xNb) * args.xBlock + ((n % args.xNb) << 2) + h * size * args.xRow + c * args.xChannel;
        let y = y0 + yBlock * args.yBlock + ((n % args.yNb) << 2) + h * args.yRow + c * args.yChannel;
        let choice = choices + ((yBlock * height + h) * channels + c) * width * args.yNb + (n % args.yNb);
        for (let w = 0; w < width; w++) {
          let p = x + w * size * xPixel;
          let best = v128.load(p), index = i32x4.splat(0);
          if (size == 2) {
            const v1 = v128.load(p + xPixel), v2 = v128.load(p + xRow), v3 = v128.load(p + xRow + xPixel);
            index = chosen(v1, best, index, 1);
            best = f32x4.pmax(best, v1);
            index = chosen(v2, best, index, 2);
            best = f32x4.pmax(best, v2);
            index = chosen(v3, best, index, 3);
            best = f32x4.pmax(best, v3);
          } else {
            for (let i = 0, k = 0; i < size; i++, p += xRow) {
              for (let j = 0; j < size; j++, k++) {
                const v = v128.load(p + j * xPixel);
                index = chosen(v, best, index, k);
                best = f32x4.pmax(best, v);
              }
            }
          }
          v128.store(y, best);
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

/** dx (in the place of x) from dy (in the place of y). */
export function maxPoolGradient(task: i32, a: usize): void {
  const args = changetype<MaxPool>(a);
  const x0 = part(args.x, args.xTask, task), y0 = part(args.y, args.yTask, task);
  const choices = part(args.choices, args.choicesTask, task);
  const size = args.size, height = args.height / size, width = args.width / size, channels = args.channels;
  const xPixel = args.xNb << 2, yPixel = args.yNb << 2;
  zero(x0 - args.pad, args.pad);
  for (let n = 0; n < args.images; n += 4) {
    const yBlock = n / args.yNb;
    const xImage = x0 + (n / args.xNb) * args.xBlock + ((n % args.xNb) << 2);
    const yImage = y0 + yBlock * args.yBlock + ((n % args.yNb) << 2);
    for (let h = 0; h < args.height; h++) {
      const outside = h >= height * size;
      for (let c = 0; c < channels; c++) {
        const x = xImage + h * args.xRow + c * args.xChannel;
        const target = h / size;
        let y = yImage + target * args.yRow + c * args.yChannel;
        let choice = choices + ((yBlock * height + target) * channels + c) * width * args.yNb + (n % args.yNb);
        const first = (h % size) * size;
        let p = x;
        if (!outside) {
          for (let w = 0; w < width; w++) {
            const chosen = i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(v128.load_zero<i32>(choice)));
            const d = v128.load(y);
            for (let j = 0; j < size; j++) {
              v128.store(p, v128.and(d, i32x4.eq(chosen, i32x4.splat(first + j))));
              p += xPixel;
            }
            y += yPixel; choice += args.yNb;
          }
        }
        for (const end = x + args.width * xPixel; p < end; p += xPixel) v128.store(p, f32x4.splat(0));
        if (args.pad && n % args.xNb == 0) zero(x + args.width * xPixel - ((n % args.xNb) << 2), args.pad);
      }
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
export function averagePool(task: i32, a: usize): void {
  const args = changetype<AveragePool>(a);
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
export function averagePoolGradient(task: i32, a: usize): void {
  const args = changetype<AveragePool>(a);
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
