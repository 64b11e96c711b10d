// Takes and replaces rows of batches of tensors.
import type { Tensor } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';

// Rows are taken as runs of neighbours: slices along the first axis and their concatenation copy memory in one piece,
// where a gather computes an index for every number.

interface Run {
  readonly from: number;
  readonly start: number;
  readonly length: number;
}

/** Rows of several tensors of equal shape: row i of the result is row `indices[i]` of `sources[origins[i]]`. */
function assemble<T extends Tensor>(sources: readonly T[], origins: readonly number[], indices: readonly number[]): T {
  const runs: Run[] = [];
  for (let i = 0; i < indices.length; ) {
    let end = i + 1;
    while (end < indices.length && origins[end] === origins[i] && indices[end] === indices[end - 1] + 1) end++;
    runs.push({ from: origins[i], start: indices[i], length: end - i });
    i = end;
  }
  return tf.tidy(() => {
    const pieces = runs.map(({ from, start, length }) => {
      const source = sources[from];
      if (length === source.shape[0]) return tf.clone(source);
      const rest = source.shape.slice(1);
      return tf.slice(source, [start, ...rest.map(() => 0)], [length, ...rest]);
    });
    return (pieces.length === 1 ? pieces[0] : tf.concat(pieces, 0)) as T;
  });
}

/** The rows `indices` of a tensor, at least one, in that order; owned by the caller. */
export const takeRows = <T extends Tensor>(tensor: T, indices: readonly number[]): T =>
  assemble([tensor], new Array<number>(indices.length).fill(0), indices);

/** Each row from `yes` where chosen, else from `no`; owned by the caller. */
export const chooseRows = <T extends Tensor>(chosen: readonly boolean[], yes: T, no: T): T =>
  assemble(
    [no, yes],
    chosen.map(Number),
    chosen.map((_, i) => i),
  );
