// Dimensions and strides of the operands of elementwise kernels, merged where that is possible.

/** Dimensions that a kernel walks, the last the fastest, with a stride for each of several operands (in values). */
export interface Walk {
  readonly sizes: readonly number[];
  /** One list an operand. */
  readonly strides: readonly (readonly number[])[];
}

/** Dimensions that the kernels' argument records have room for. */
export const DIMENSIONS = 6;

/** Strides of a row-major tensor. */
export function rowMajor(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length);
  for (let i = shape.length - 1, stride = 1; i >= 0; stride *= shape[i--]) strides[i] = stride;
  return strides;
}

/** Strides of a row-major tensor repeated to `shape`: 0 where it has one value or no dimension. */
export function repeated(tensor: readonly number[], shape: readonly number[]): number[] {
  const missing = shape.length - tensor.length;
  const strides = rowMajor(tensor);
  return shape.map((_, i) => (i < missing || tensor[i - missing] === 1 ? 0 : strides[i - missing]));
}

/**
 * A walk with neighbouring dimensions merged if all operands allow it, and filled up with dimensions of 1 in front; undefined if
 * more than six dimensions are left.
 */
export function merged({ sizes, strides }: Walk): Walk | undefined {
  const kept: number[] = [];
  const keptStrides = strides.map((): number[] => []);
  for (let i = 0; i < sizes.length; i++) {
    const size = sizes[i];
    if (size === 1) continue;
    const last = kept.length - 1;
    if (last >= 0 && strides.every((of, k) => keptStrides[k][last] === of[i] * size)) {
      kept[last] *= size;
      keptStrides.forEach((of, k) => {
        of[last] = strides[k][i];
      });
    } else {
      kept.push(size);
      keptStrides.forEach((of, k) => {
        of.push(strides[k][i]);
      });
    }
  }
  const missing = DIMENSIONS - kept.length;
  if (missing < 0) return undefined;
  const fill = (values: number[], value: number) => [...new Array<number>(missing).fill(value), ...values];
  return { sizes: fill(kept, 1), strides: keptStrides.map((of) => fill(of, 0)) };
}
