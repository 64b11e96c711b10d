// Compressed sparse rows (assembly/blocked/sparse-convolution.ts has the picture) out of the sorted positions of a kernel's nonzeros.
//
//   positions   [kernel row][kernel column][input][output]      ascending; the nonzeros of one input at one place of the
//                                                               kernel, a site, follow each other
//   records     [slice][output][kernel row][input][column]      forward rows
//               [slice][plane][input][kernel row][output][column]   transposed rows
//
// Counting sorts: nonzeros are counted by group (one kernel row of one row), and then put to where the groups before
// end, in an order that leaves each group sorted. Each call of a chain is for one task, the rows of one convolution.

@unmanaged
class ForwardRows {
  task: i32;
  positions: usize;
  nonzeros: u32;
  height: i32;
  width: i32;
  inputs: i32;
  outputs: i32;
  stride: i32;
  /** columns of padding on the left */
  left: i32;
  /** input channels a slice */
  size: i32;
  slices: i32;
  xRow: i32;
  xChannel: i32;
  xPixel: i32;
  pointers: usize;
  records: usize;
  /** u32 a record: the number of the nonzero */
  permutation: usize;
  /** u32: the first nonzero of each site and their end; then the next record of each group */
  scratch: usize;
}

export function forwardRows(task: i32, args: ForwardRows): void {
  if (task != args.task) return;
  const height = args.height, width = args.width, inputs = args.inputs, outputs = args.outputs;
  const size = args.size, sliceStep = outputs * height, stride = args.stride;
  const starts = args.scratch, next = starts + (<usize>(height * width * inputs + 1) << 2);
  clear(next, args.slices * sliceStep);
  let i: u32 = 0, first: u32 = 0, start = starts;
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      for (let input = 0; input < inputs; input++, first += outputs, start += 4) {
        store<u32>(start, i);
        const groups = next + (<usize>((input / size) * sliceStep + row) << 2);
        for (; i < args.nonzeros; i++) {
          const output = load<u32>(args.positions + (<usize>i << 2)) - first;
          if (output >= <u32>outputs) break;
          const group = groups + (<usize>(output * height) << 2);
          store<u32>(group, load<u32>(group) + 1);
        }
      }
    }
  }
  store<u32>(start, args.nonzeros);
  pointersFromCounts(next, args.slices * outputs, height, args.pointers);
  for (let row = 0; row < height; row++) {
    for (let input = 0; input < inputs; input++) {
      const groups = next + (<usize>((input / size) * sliceStep + row) << 2);
      for (let column = 0; column < width; column++) {
        const site = (row * width + column) * inputs + input;
        const plane = modulo(column - args.left, stride), step = (column - args.left - plane) / stride;
        const offset = row * args.xRow + (plane * inputs + input) * args.xChannel + step * args.xPixel;
        const from = load<u32>(starts + (<usize>site << 2)), end = load<u32>(starts + (<usize>site << 2), 4);
        const first = <u32>site * outputs;
        for (let i = from; i < end; i++) {
          const output = load<u32>(args.positions + (<usize>i << 2)) - first;
          put(groups + (<usize>(output * height) << 2), args.records, offset, args.permutation, i);
        }
      }
    }
  }
}

@unmanaged
class TransposedRows {
  task: i32;
  positions: usize;
  nonzeros: u32;
  height: i32;
  width: i32;
  inputs: i32;
  outputs: i32;
  stride: i32;
  left: i32;
  /** output channels a slice */
  size: i32;
  slices: i32;
  yRow: i32;
  yChannel: i32;
  yPixel: i32;
  pointers: usize;
  records: usize;
  /** u32 a record: the number of the same weight's record in the forward rows */
  permutation: usize;
  /** the forward rows' */
  sources: usize;
  sourcePointers: usize;
  /** slices · outputs */
  sourceRows: i32;
  /** u32: the group and the offset of each site; then the next record of each group */
  scratch: usize;
}

/** Groups are the kernel's rows in the order of (row mod stride, row). */
export function transposedRows(task: i32, args: TransposedRows): void {
  if (task != args.task) return;
  const height = args.height, width = args.width, inputs = args.inputs, outputs = args.outputs, stride = args.stride;
  const size = args.size, channels = stride * inputs, sliceStep = channels * height;
  const sites = args.scratch, next = sites + (<usize>(height * width * inputs) << 3);
  clear(next, args.slices * sliceStep);
  let i: u32 = 0, first: u32 = 0, site = sites;
  for (let row = 0; row < height; row++) {
    let rank = row / stride;
    for (let residue = row % stride - 1; residue >= 0; residue--) rank += (height - residue + stride - 1) / stride;
    for (let column = 0; column < width; column++) {
      const plane = modulo(column - args.left, stride), step = (column - args.left - plane) / stride;
      for (let input = 0; input < inputs; input++, first += outputs, site += 8) {
        const group = (plane * inputs + input) * height + rank;
        store<u32>(site, group);
        store<i32>(site, -(row / stride) * args.yRow - step * args.yPixel, 4);
        for (; i < args.nonzeros; i++) {
          const output = load<u32>(args.positions + (<usize>i << 2)) - first;
          if (output >= <u32>outputs) break;
          const count = next + (<usize>(group + (<i32>output / size) * sliceStep) << 2);
          store<u32>(count, load<u32>(count) + 1);
        }
      }
    }
  }
  pointersFromCounts(next, args.slices * channels, height, args.pointers);
  for (let row = 0; row < args.sourceRows; row++) {
    const output = row % outputs, groups = next + (<usize>((output / size) * sliceStep) << 2);
    const pointers = args.sourcePointers + (<usize>(row * (height + 1)) << 2);
    const end = load<u32>(pointers + (<usize>height << 2)) >> 3;
    for (let r = load<u32>(pointers) >> 3; r < end; r++) {
      const position = load<u32>(args.positions + (<usize>load<u32>(args.sources + (<usize>r << 2)) << 2));
      const site = sites + (<usize>(position / outputs) << 3);
      const offset = load<i32>(site, 4) + output * args.yChannel;
      put(groups + (<usize>load<u32>(site) << 2), args.records, offset, args.permutation, r);
    }
  }
}

// @ts-ignore: decorator
@inline
function modulo(a: i32, b: i32): i32 {
  const rest = a % b;
  return rest < 0 ? rest + b : rest;
}

function clear(counts: usize, length: i32): void {
  const end = counts + (<usize>length << 2);
  for (; counts < end; counts += 4) store<u32>(counts, 0);
}

/** Turns the counts of the groups into where each begins, and writes the rows' pointers. */
function pointersFromCounts(counts: usize, rows: i32, groups: i32, pointers: usize): void {
  let sum: u32 = 0;
  for (let row = 0; row < rows; row++, pointers += 4) {
    for (let group = 0; group < groups; group++, counts += 4, pointers += 4) {
      store<u32>(pointers, sum << 3);
      const count = load<u32>(counts);
      store<u32>(counts, sum);
      sum += count;
    }
    store<u32>(pointers, sum << 3);
  }
}

/** Appends a record to a group; its weight is written later. */
// @ts-ignore: decorator
@inline
function put(group: usize, records: usize, offset: i32, permutation: usize, number: u32): void {
  const record = <usize>load<u32>(group);
  store<u32>(group, <u32>record + 1);
  store<i32>(records + (record << 3), offset);
  store<u32>(permutation + (record << 2), number);
}
