// Pooling of plain tensors [image][row][column][channel] over windows of any size, stride and padding: four channels at a
// time, a window clipped to the image. Gradients go to all of an image's inputs at once, for windows may overlap, so their
// tasks are images, or where there are few, some of their channels.
import { larger, loadLanes, storeLanes } from '../shared/common';

@unmanaged
class PoolWindows {
  /** inputs, or what becomes their gradients */
  x: usize;
  /** outputs, or their gradients */
  y: usize;
  /** for the gradient of maxima, the inputs */
  source: usize;
  batch: i32;
  height: i32;
  width: i32;
  channels: i32;
  rows: i32;
  columns: i32;
  windowRows: i32;
  windowColumns: i32;
  rowStride: i32;
  columnStride: i32;
  top: i32;
  left: i32;
  /** 1: means of the inputs that a window meets, else maxima */
  mean: i32;
  /** of the outputs: rows of all images that a task takes; of gradients: channels, a multiple of 4 */
  chunk: i32;
}

/** The part of an image that a window meets: its first pixel, rows, columns, and bytes from one to the next. */
// @ts-ignore: decorator
@inline
function first(args: PoolWindows, top: i32, left: i32): i32 { return (max(0, top) * args.width + max(0, left)) * args.channels << 2; }
// @ts-ignore: decorator
@inline
function rowsOf(args: PoolWindows, top: i32): i32 { return min(args.height, top + args.windowRows) - max(0, top); }
// @ts-ignore: decorator
@inline
function columnsOf(args: PoolWindows, left: i32): i32 { return min(args.width, left + args.windowColumns) - max(0, left); }

export function poolWindows(task: i32, args: PoolWindows): void {
  const channels = args.channels, pixel = channels << 2, whole = channels & ~3;
  const image = args.height * args.width * pixel, end = min((task + 1) * args.chunk, args.batch * args.rows);
  for (let index = task * args.chunk; index < end; index++) {
    const top = (index % args.rows) * args.rowStride - args.top, rows = rowsOf(args, top);
    let y = args.y + index * args.columns * pixel;
    for (let w = 0; w < args.columns; w++, y += pixel) {
      const left = w * args.columnStride - args.left, columns = columnsOf(args, left);
      const x = args.x + (index / args.rows) * image + first(args, top, left);
      for (let c = 0; c < whole; c += 4) poolVector(args, x + (c << 2), rows, columns, y + (c << 2), 4);
      if (whole < channels) poolVector(args, x + (whole << 2), rows, columns, y + (whole << 2), channels - whole);
    }
  }
}

/** Four channels of a window, or the `lanes` last ones. */
// @ts-ignore: decorator
@inline
function poolVector(args: PoolWindows, x: usize, rows: i32, columns: i32, y: usize, lanes: i32): void {
  storeLanes(y, args.mean ? average(args, x, rows, columns, lanes) : maximum(args, x, rows, columns, lanes), lanes);
}

/** Windows that lie wholly in the padding have no mean. */
// @ts-ignore: decorator
@inline
function average(args: PoolWindows, x: usize, rows: i32, columns: i32, lanes: i32): v128 {
  const pixel = args.channels << 2, row = args.width * pixel;
  let sum = f32x4.splat(0);
  for (let h = 0; h < rows; h++, x += row) {
    for (let w = 0; w < columns; w++) sum = f32x4.add(sum, loadLanes(x + w * pixel, lanes));
  }
  return f32x4.div(sum, f32x4.splat(<f32>(max(0, rows) * max(0, columns))));
}

// @ts-ignore: decorator
@inline
function maximum(args: PoolWindows, x: usize, rows: i32, columns: i32, lanes: i32): v128 {
  const pixel = args.channels << 2, row = args.width * pixel;
  let best = f32x4.splat(-Infinity);
  for (let h = 0; h < rows; h++, x += row) {
    for (let w = 0; w < columns; w++) best = larger(best, loadLanes(x + w * pixel, lanes));
  }
  return best;
}

/** dx from dy: a mean's gradient goes to its inputs in equal parts, a maximum's to the first of the largest. */
export function poolWindowsGradient(task: i32, args: PoolWindows): void {
  const channels = args.channels, pixel = channels << 2;
  const parts = (channels + args.chunk - 1) / args.chunk, image = task / parts, from = (task % parts) * args.chunk;
  const to = min(from + args.chunk, channels), whole = from + ((to - from) & ~3);
  const area = args.height * args.width, x = args.x + <usize>(image * area) * pixel;
  for (let i = 0; i < area; i++) memory.fill(x + i * pixel + (from << 2), 0, (to - from) << 2);
  let y = args.y + <usize>(image * args.rows * args.columns) * pixel;
  for (let h = 0; h < args.rows; h++) {
    const top = h * args.rowStride - args.top, rows = rowsOf(args, top);
    for (let w = 0; w < args.columns; w++, y += pixel) {
      const left = w * args.columnStride - args.left, columns = columnsOf(args, left), p = x + first(args, top, left);
      for (let c = from; c < whole; c += 4) gradientVector(args, p + (c << 2), rows, columns, y + (c << 2), 4);
      if (whole < to) gradientVector(args, p + (whole << 2), rows, columns, y + (whole << 2), to - whole);
    }
  }
}

// @ts-ignore: decorator
@inline
function gradientVector(args: PoolWindows, x: usize, rows: i32, columns: i32, y: usize, lanes: i32): void {
  const pixel = args.channels << 2, row = args.width * pixel, source = x - args.x + args.source;
  const d = loadLanes(y, lanes), share = f32x4.div(d, f32x4.splat(<f32>(rows * columns)));
  const best = args.mean ? d : maximum(args, source, rows, columns, lanes);
  let open = i32x4.splat(-1);
  for (let h = 0; h < rows; h++) {
    for (let w = 0; w < columns; w++) {
      const offset = h * row + w * pixel;
      let part = share;
      if (!args.mean) {
        const chosen = v128.and(open, f32x4.eq(loadLanes(source + offset, lanes), best));
        part = v128.and(d, chosen);
        open = v128.andnot(open, chosen);
      }
      storeLanes(x + offset, f32x4.add(loadLanes(x + offset, lanes), part), lanes);
    }
  }
}
