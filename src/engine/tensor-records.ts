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
} as const satisfies Record<string, readonly string[]>;
