// Chooses the classes that a targeted search aims at.
import type { ReadGoal } from './goals.ts';
import type { Attempt, Clean, Problem } from './problem.ts';

/** The classes to aim at for every image, those with the highest clean logits first. If the goal has targets, these alone. */
export function rankTargets({ goal }: Problem, { logits, classes }: Clean): readonly (readonly number[])[] {
  return Array.from(goal.classes, (wanted, image) => {
    if (goal.kind === 'targeted') return [wanted];
    const own = logits.subarray(image * classes, (image + 1) * classes);
    return Array.from(own.keys())
      .filter((name) => name !== wanted)
      .sort((a, b) => own[b] - own[a] || a - b);
  });
}

/**
 * The goal of a loss that compares a target with the label, one a row.
 *
 * @param rankOf which of its image's targets an attempt aims at
 */
export function towards(
  { goal }: Problem,
  { logits, classes }: Clean,
  ranked: readonly (readonly number[])[],
  rows: readonly Attempt[],
  rankOf: (restart: number) => number,
): ReadGoal {
  const targets = Int32Array.from(rows, ({ image, restart }) => ranked[image][rankOf(restart)]);
  const labels = Int32Array.from(rows, ({ image }, row) => {
    if (goal.kind === 'untargeted') return goal.classes[image];
    if (goal.labels) return goal.labels[image];
    const own = logits.subarray(image * classes, (image + 1) * classes);
    return strongestBut(targets[row], own);
  });
  return { kind: 'targeted', classes: targets, labels };
}

/** The class of highest logit but for one. */
export function strongestBut(excluded: number, logits: Float32Array): number {
  let at = excluded === 0 ? 1 : 0;
  logits.forEach((logit, name) => {
    if (name !== excluded && logit > logits[at]) at = name;
  });
  return at;
}
