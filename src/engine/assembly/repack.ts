// Copies activations between layouts: plain tensors (one image a "block"), blocks of 4 to 32 images, and the planes of
// strided convolutions (columns of equal remainder, each plane a set of channels of its own).
//
//   image n    block n / nb, lane n % nb
//   column w   of plane q, index j:  w = planes · j + q
import { part, zero } from './common';

@unmanaged
class Repack {
  x: usize;
  xTask: i32;
  xNb: i32;
  xBlock: i32;
  xRow: i32;
  xChannel: i32;
  xPixel: i32;
  xPlane: i32;
  y: usize;
  yTask: i32;
  yNb: i32;
  yBlock: i32;
  yRow: i32;
  yChannel: i32;
  yPixel: i32;
  yPlane: i32;
  /** images a task, and of the whole batch: those beyond are zero */
  images: i32;
  batch: i32;
  rows: i32;
  channels: i32;
  width: i32;
  planes: i32;
  /** columns that are written in each plane of the output, or in all planes together; zeros after the last real one */
  columns: i32;
  interleaved: i32;
  /** zero bytes before the output */
  pad: i32;
}

export function repack(task: i32, a: usize): void {
  const args = changetype<Repack>(a);
  const x0 = part(args.x, args.xTask, task), y0 = part(args.y, args.yTask, task);
  const valid = args.batch - task * args.images, xPixel = args.xPixel, yPixel = args.yPixel;
  if (args.pad) zero(y0 - args.pad, args.pad);
  for (let h = 0; h < args.rows; h++) {
    for (let q = 0; q < args.planes; q++) {
      const count = (args.width - q + args.planes - 1) / args.planes;
      const columns = args.interleaved ? (args.columns - q + args.planes - 1) / args.planes : args.columns;
      for (let c = 0; c < args.channels; c++) {
        const xOffset = h * args.xRow + q * args.xPlane + c * args.xChannel;
        const yOffset = h * args.yRow + q * args.yPlane + c * args.yChannel;
        for (let n = 0; n < args.images; n += 4) {
          if (args.xNb > 1 && args.yNb > 1) {
            let x = x0 + (n / args.xNb) * args.xBlock + ((n % args.xNb) << 2) + xOffset;
            let y = y0 + (n / args.yNb) * args.yBlock + ((n % args.yNb) << 2) + yOffset;
            for (let j = 0; j < count; j++, x += xPixel, y += yPixel) v128.store(y, v128.load(x));
            for (let j = count; j < columns; j++, y += yPixel) v128.store(y, f32x4.splat(0));
          } else if (args.yNb > 1) {
            const x = x0 + n * args.xBlock + xOffset;
            let y = y0 + (n / args.yNb) * args.yBlock + ((n % args.yNb) << 2) + yOffset;
            const m = min(4, valid - n);
            for (let j = 0; j < columns; j++, y += yPixel) {
              v128.store(y, f32x4.splat(0));
              if (j < count) {
                for (let i = 0; i < m; i++) store<f32>(y + (i << 2), load<f32>(x + i * args.xBlock + j * xPixel));
              }
            }
          } else {
            const x = x0 + (n / args.xNb) * args.xBlock + ((n % args.xNb) << 2) + xOffset;
            const y = y0 + n * args.yBlock + yOffset;
            const m = min(4, valid - n);
            for (let i = 0; i < m; i++) {
              for (let j = 0; j < count; j++) {
                store<f32>(y + i * args.yBlock + j * yPixel, load<f32>(x + (i << 2) + j * xPixel));
              }
            }
          }
        }
      }
    }
  }
}
