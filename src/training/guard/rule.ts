// The rule of the guard against collapse, in plain numbers: what a check changes, and when a network counts as collapsed.
// Adversarial training with few attack steps can lose all robustness within an epoch ("catastrophic overfitting", Wong et al.
// 2020): the network then resists the training attack only. A stronger attack shows that.

/** What the guard knows. A checkpoint holds it, so that a resumed run collapses where an undisturbed one does. */
export interface GuardState {
  /** Highest accuracy of all checks. */
  readonly best: number;
  /** How many of the last checks in a row were below half of that. */
  readonly low: number;
  /** Lowest accuracy at a check of the epoch so far; null before its first one. */
  readonly lowest: number | null;
  /** The newest number of completed epochs at whose end the check was not low: where a collapsed network goes back to. */
  readonly safe: number;
  /** How often the run went back. */
  readonly collapses: number;
}

export const UNCHECKED: GuardState = { best: 0, low: 0, lowest: null, safe: 0, collapses: 0 };

/** Low checks in a row that make a collapse. */
const LOW_CHECKS = 2;

/** How often a run goes back at most. */
export const MOST_COLLAPSES = 3;

/** The checks within an epoch, its end aside. */
const CHECKS_WITHIN = 3;

/**
 * The state after a check that found `accuracy`, a fraction.
 *
 * A network that gives every image the same class resists every attack on the images of that class. It has learnt nothing
 * that it could lose, so a best accuracy of no more than that makes no check low.
 *
 * @param constant the highest accuracy that one class for all images reaches
 */
export function afterCheck(guard: GuardState, accuracy: number, constant: number): GuardState {
  const best = Math.max(guard.best, accuracy);
  return {
    ...guard,
    best,
    low: best > constant && accuracy < best / 2 ? guard.low + 1 : 0,
    lowest: Math.min(guard.lowest ?? accuracy, accuracy),
  };
}

/** The state at the start of an epoch after `epochs` completed ones. */
export const afterEpoch = (guard: GuardState, epochs: number): GuardState => ({
  ...guard,
  lowest: null,
  safe: guard.low === 0 ? epochs : guard.safe,
});

/** True if the last check was low. */
export const isLow = (guard: GuardState | null): boolean => guard !== null && guard.low > 0;

/** True if the last check completed a collapse. Further low checks in the same row say nothing new. */
export const isNewlyCollapsed = ({ low }: GuardState): boolean => low === LOW_CHECKS;

/** True if the run goes back now. */
export const goesBack = (guard: GuardState): boolean => isNewlyCollapsed(guard) && guard.collapses < MOST_COLLAPSES;

/** The batches of an epoch, counted from 0, before which the network is checked: three, evenly spread, if there are as many. */
export const checksWithin = (batches: number): ReadonlySet<number> =>
  new Set(
    Array.from({ length: CHECKS_WITHIN }, (_, i) => Math.floor(((i + 1) * batches) / (CHECKS_WITHIN + 1))).filter(
      (batch) => batch > 0,
    ),
  );
