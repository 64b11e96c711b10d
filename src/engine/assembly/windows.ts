// Pooling of plain tensors [image][row][column][channel] over windows of any size, stride and padding: four channels at a
// time, a window clipped to the image. Gradients go to all of an image's inputs at once, for windows may overlap, so their
// tasks are images, or where there are few, some of their channels.
import { loadLanes, storeLanes } from './common';

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

export function poolWindows(task: i32, a: usize): void {
  const args = changetype<PoolWindows>(a), pixel = args.channels << 2, xRow = args.width * pixel;
  const end = min((task + 1) * args.chunk, args.batch * args.rows);
  for (let row = task * args.chunk; row < end; row++) {
    const top = (row % args.rows) * args.rowStride - args.top;
    const x = args.x + (row / args.rows) * args.height * xRow;
    let y = args.y + row * args.columns * pixel;
    for (let w = 0; w < args.columns; w++, y += pixel) {
      const left = w * args.columnStride - args.left;
      for (let c = 0; c < args.channels; c += 4) {
        store4(args, y + (c << 2), c, args.mean ? average(args, x, top, left, c) : maximum(args, x, top, left, c));
      }
    }
  }
}

// @ts-ignore: decorator
@inline
function load4(args: PoolWindows, p: usize, c: i32): v128 { return loadLanes(p, args.channels - c); }
// @ts-ignore: decorator
@inline
function store4(args: PoolWindows, p: usize, c: i32, v: v128): void { storeLanes(p, v, args.channels - c); }

/** Windows that lie wholly in the padding have no inputs. */
// @ts-ignore: decorator
@inline
function inputsOf(args: PoolWindows, top: i32, left: i32): i32 {
  const rows = min(args.height, top + args.windowRows) - max(0, top);
  return max(0, rows) * max(0, min(args.width, left + args.windowColumns) - max(0, left));
}

// @ts-ignore: decorator
@inline
function average(args: PoolWindows, x: usize, top: i32, left: i32, c: i32): v128 {
  const pixel = args.channels << 2, row = args.width * pixel;
  const endRow = min(args.height, top + args.windowRows), endColumn = min(args.width, left + args.windowColumns);
  let sum = f32x4.splat(0);
  for (let h = max(0, top); h < endRow; h++) {
    for (let w = max(0, left); w < endColumn; w++) sum = f32x4.add(sum, load4(args, x + h * row + w * pixel + (c << 2), c));
  }
  return f32x4.div(sum, f32x4.splat(<f32>inputsOf(args, top, left)));
}

// @ts-ignore: decorator
@inline
function maximum(args: PoolWindows, x: usize, top: i32, left: i32, c: i32): v128 {
  const pixel = args.channels << 2, row = args.width * pixel;
  const endRow = min(args.height, top + args.windowRows), endColumn = min(args.width, left + args.windowColumns);
  let best = f32x4.splat(-Infinity);
  for (let h = max(0, top); h < endRow; h++) {
    for (let w = max(0, left); w < endColumn; w++) best = f32x4.pmax(best, load4(args, x + h * row + w * pixel + (c << 2), c));
  }
  return best;
}

/** dx from dy: a mean's gradient goes to its inputs in equal parts, a maximum's to the first of the largest. */
export function poolWindowsGradient(task: i32, a: usize): void {
  const args = changetype<PoolWindows>(a), pixel = args.channels << 2, row = args.width * pixel;
  const parts = (args.channels + args.chunk - 1) / args.chunk, image = task / parts, first = (task % parts) * args.chunk;
  const end = min(first + args.chunk, args.channels), bytes = (end - first) << 2;
  const offset = <usize>(image * args.height) * row, x = args.x + offset, source = args.source + offset;
  for (let i = 0; i < args.height * args.width; i++) memory.fill(x + i * pixel + (first << 2), 0, bytes);
  let y = args.y + <usize>(image * args.rows * args.columns) * pixel;
  for (let h = 0; h < args.rows; h++) {
    const top = h * args.rowStride - args.top;
    for (let w = 0; w < args.columns; w++, y += pixel) {
      const left = w * args.columnStride - args.left;
      for (let c = first; c < end; c += 4) {
        const d = load4(args, y + (c << 2), c);
        if (args.mean) {
          spread(args, x, top, left, c, f32x4.div(d, f32x4.splat(<f32>inputsOf(args, top, left))), f32x4.splat(0), 0);
        } else {
          spread(args, x, top, left, c, d, maximum(args, source, top, left, c), source);
        }
      }
    }
  }
}

/** Adds d to the inputs of a window, or with `source` to the first there that is equal to `best`. */
// @ts-ignore: decorator
@inline
function spread(args: PoolWindows, x: usize, top: i32, left: i32, c: i32, d: v128, best: v128, source: usize): void {
  const pixel = args.channels << 2, row = args.width * pixel;
  const endRow = min(args.height, top + args.windowRows), endColumn = min(args.width, left + args.windowColumns);
  let open = i32x4.splat(-1);
  for (let h = max(0, top); h < endRow; h++) {
    for (let w = max(0, left); w < endColumn; w++) {
      const offset = h * row + w * pixel + (c << 2);
      let share = d;
      if (source) {
        const chosen = v128.and(open, f32x4.eq(load4(args, source + offset, c), best));
        share = v128.and(d, chosen);
        open = v128.andnot(open, chosen);
      }
      store4(args, x + offset, c, f32x4.add(load4(args, x + offset, c), share));
    }
  }
}
