// Kernels that move values without changing them, of 32 bits or of a byte.

@unmanaged
class Copy {
  /** log2 of the bytes of a value: 2 or 0 */
  size: u32;
  x: usize;
  y: usize;
  length: u32;
  chunk: u32;
  /** 1: y has the strides, x is contiguous */
  placed: u32;
  size0: u32;
  size1: u32;
  size2: u32;
  size3: u32;
  size4: u32;
  size5: u32;
  x0: u32;
  x1: u32;
  x2: u32;
  x3: u32;
  x4: u32;
  x5: u32;
}

/**
 * Between a contiguous tensor and one with a stride for each of six dimensions: slices, transposed and repeated tensors, or
 * placed in a larger one, parts of a concatenated or padded one.
 *
 *   x  | · · a0 a1 a2 · · · b0 b1 b2 · |   sizes [2, 3], strides [6, 1]
 *   y  | a0 a1 a2 b0 b1 b2 |               a task takes `chunk` values of this from anywhere within a row on
 */
export function copy(task: i32, args: Copy): void {
  const log = args.size, width = args.size5, stride = args.x5, placed = args.placed != 0;
  const loose = placed ? args.y : args.x, packed = placed ? args.x : args.y;
  let index = <u32>task * args.chunk;
  const end = min(index + args.chunk, args.length);
  while (index < end) {
    let rest = index / width;
    const column = index - rest * width, count = min(width - column, end - index);
    let offset = column * stride;
    // The row's coordinates from the last on; a stride lies six words after its size.
    for (let size = changetype<usize>(args) + offsetof<Copy>('size4'); rest != 0; size -= 4) {
      const outer = rest / load<u32>(size);
      offset += (rest - outer * load<u32>(size)) * load<u32>(size, 24);
      rest = outer;
    }
    const there = loose + (<usize>offset << log), here = packed + (<usize>index << log);
    const x = placed ? here : there, y = placed ? there : here;
    if (stride == 1) memory.copy(y, x, <usize>count << log);
    else copyApart(y, placed ? stride : 1, x, placed ? 1 : stride, count, log);
    index += count;
  }
}

/** Values one by one; steps are in values. */
// @ts-ignore: decorator
@inline
function copyApart(y: usize, yStep: u32, x: usize, xStep: u32, count: u32, log: u32): void {
  yStep <<= log; xStep <<= log;
  if (log == 2) for (; count > 0; count--, y += yStep, x += xStep) store<u32>(y, load<u32>(x));
  else for (; count > 0; count--, y += yStep, x += xStep) store<u8>(y, load<u8>(x));
}

@unmanaged
class Gather {
  x: usize;
  indices: usize;
  y: usize;
  /** x is [outer, length] of rows, y [outer, count] of rows */
  outer: u32;
  length: u32;
  count: u32;
  /** of a row */
  bytes: u32;
  /** rows of a task */
  chunk: u32;
}

/** y[o, i] = x[o, indices[i]] */
export function gather(task: i32, args: Gather): void {
  const bytes = <usize>args.bytes;
  let row = <u32>task * args.chunk;
  const end = min(row + args.chunk, args.outer * args.count);
  for (; row < end; row++) {
    const outer = row / args.count, index = load<u32>(args.indices + (<usize>(row - outer * args.count) << 2));
    memory.copy(args.y + <usize>row * bytes, args.x + (<usize>outer * args.length + index) * bytes, bytes);
  }
}
