// The class that logits name, in plain memory.

/** The first class of highest logit; −1 where a logit is not a number, so that it is no class. */
export function largestOf(logits: Float32Array): number {
  let at = 0;
  for (let i = 0; i < logits.length; i++) {
    if (Number.isNaN(logits[i])) return -1;
    if (logits[i] > logits[at]) at = i;
  }
  return at;
}

/** The class of each row of logits [batch · classes]. */
export const predictionsOf = (logits: Float32Array, classes: number): number[] =>
  Array.from({ length: logits.length / classes }, (_, row) =>
    largestOf(logits.subarray(row * classes, (row + 1) * classes)),
  );
