// Kernels that move values without changing them, of 32 bits or of a byte.

@unmanaged
class Copy {
  /** log2 of the bytes of a value: 2 or 0 */
  size: u32;
  x: usize;
  y: usize;
  length: u32;
  chunk: u32;
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
 * y, contiguous, from x with a stride for each of six dimensions: slices, transposed and repeated tensors.
 *
 *   x  | · · a0 a1 a2 · · · b0 b1 b2 · |   sizes [2, 3], strides [6, 1]
 *   y  | a0 a1 a2 b0 b1 b2 |               a task takes `chunk` values of y from anywhere within a row on
 */
export function copy(task: i32, p: usize): void {
  const args = changetype<Copy>(p), log = args.size, width = args.size5, stride = args.x5;
  let index = <u32>task * args.chunk;
  const end = min(index + args.chunk, args.length);
  while (index < end) {
    let rest = index / width;
    const column = index - rest * width, count = min(width - column, end - index);
    let offset = column * stride;
    // The row's coordinates from the last on; a stride lies six words after its size.
    for (let size = p + offsetof<Copy>('size4'); rest != 0; size -= 4) {
      const outer = rest / load<u32>(size);
      offset += (rest - outer * load<u32>(size)) * load<u32>(size, 24);
      rest = outer;
    }
    let x = args.x + (<usize>offset << log), y = args.y + (<usize>index << log);
    if (stride == 1) memory.copy(y, x, <usize>count << log);
    else if (log == 2) {
      const after = y + (<usize>count << 2);
      for (; y < after; y += 4, x += <usize>stride << 2) store<u32>(y, load<u32>(x));
    } else {
      const after = y + count;
      for (; y < after; y++, x += stride) store<u8>(y, load<u8>(x));
    }
    index += count;
  }
}

@unmanaged
class CopyRows {
  x: usize;
  y: usize;
  rows: u32;
  /** of a row, of the last row, and from one row of y to the next, in bytes */
  bytes: u32;
  last: u32;
  yStride: u32;
  /** rows of a task */
  chunk: u32;
}

/** Rows of x, one after the other, into rows of y that may lie apart. */
export function copyRows(task: i32, a: usize): void {
  const args = changetype<CopyRows>(a);
  let row = <u32>task * args.chunk;
  const end = min(row + args.chunk, args.rows);
  for (; row < end; row++) {
    const bytes = row == args.rows - 1 ? args.last : args.bytes;
    memory.copy(args.y + <usize>row * args.yStride, args.x + <usize>row * args.bytes, bytes);
  }
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
export function gather(task: i32, a: usize): void {
  const args = changetype<Gather>(a), bytes = <usize>args.bytes;
  let row = <u32>task * args.chunk;
  const end = min(row + args.chunk, args.outer * args.count);
  for (; row < end; row++) {
    const outer = row / args.count, index = load<u32>(args.indices + (<usize>(row - outer * args.count) << 2));
    memory.copy(args.y + <usize>row * bytes, args.x + (<usize>outer * args.length + index) * bytes, bytes);
  }
}
