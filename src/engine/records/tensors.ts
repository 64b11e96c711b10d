/** Argument records of the elementwise, broadcast, reduction and copy kernels; see records.ts. */
export const TENSOR_RECORDS = {
  /** y = f(x); `low` and `high` are the bounds of a clip, `low` the lower step. */
  unary: ['operation', 'x', 'y', 'length', 'chunk', 'low', 'high'],
  /** y = f(a, b) over six dimensions with a stride each; the operation says of what type the values are. */
  // biome-ignore format: a dimension of each a line
  binary: [
    'operation', 'a', 'b', 'y', 'length', 'chunk',
    'size0', 'size1', 'size2', 'size3', 'size4', 'size5',
    'a0', 'a1', 'a2', 'a3', 'a4', 'a5',
    'b0', 'b1', 'b2', 'b3', 'b4', 'b5',
  ],
  /** y = t where the condition (bytes) is 1, else e. */
  select: ['condition', 't', 'e', 'y', 'length', 'chunk'],
  /** and, or, not of bytes. */
  logical: ['operation', 'a', 'b', 'y', 'length', 'chunk'],
  /** Conversions between float32, int32 and bool. */
  cast: ['operation', 'x', 'y', 'length', 'chunk'],
  /** Reduces the middle of [outer, length, inner] in units of one part and one block of columns each. */
  // biome-ignore format: what, where, and how it is cut
  reduce: [
    'operation', 'type', 'x', 'y', 'outer', 'length', 'inner',
    'part', 'parts', 'columns', 'blocks', 'chunk', 'divisor',
  ],
  /** Reduces the results of parts, [outer, parts, inner] in f64. */
  reduceParts: ['operation', 'type', 'x', 'y', 'outer', 'parts', 'inner', 'divisor'],
  /** The index of the largest or smallest along the middle of [outer, length, inner]. */
  arg: ['operation', 'x', 'y', 'outer', 'length', 'inner', 'chunk'],
  softmax: ['x', 'y', 'rows', 'length', 'chunk'],
  cumsum: ['x', 'y', 'rows', 'length', 'exclusive', 'reverse', 'chunk'],
  /** Between a contiguous tensor and one with a stride for each of six dimensions. */
  // biome-ignore format: a dimension of each a line
  copy: [
    'size', 'x', 'y', 'length', 'chunk', 'placed',
    'size0', 'size1', 'size2', 'size3', 'size4', 'size5',
    'x0', 'x1', 'x2', 'x3', 'x4', 'x5',
  ],
  /** y = (x − mean) · scale + offset, with a value of each for each of `period` places. */
  normalize: ['x', 'y', 'length', 'chunk', 'period', 'mean', 'scale', 'offset'],
  gather: ['x', 'indices', 'y', 'outer', 'length', 'count', 'bytes', 'chunk'],
  /** The k largest of each row and their indices. */
  topK: ['x', 'values', 'indices', 'rows', 'length', 'k', 'scratch', 'chunk'],
} as const satisfies Record<string, readonly string[]>;
