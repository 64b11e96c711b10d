// Whether a success survives another runtime: the same network in other software, or on another processor, adds its numbers in
// another order, and so gives logits that differ in their last digits.
import { clip } from '../norms/ball.ts';
import type { Bounds, Goal } from '../types.ts';
import { meets } from './goals.ts';
import type { Attempt, Clean, Problem } from './problem.ts';
import { ask, type Question } from './query.ts';

/** By how much logits of one network may differ between runtimes, as a share of the largest of them. */
const NOISE = 1e-5;

/**
 * Logits this many times further from 0 than the two largest are those of classes that a model never gives, such as −1e9 or −∞.
 * They are constants, whose size says nothing about rounding.
 */
const FAR = 1000;

/** The size of logits, to which rounding is in proportion: the largest magnitude, without classes that are never given. */
export function sizeOfLogits(logits: Float32Array): number {
  let [first, second] = [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const logit of logits) {
    if (logit > first) [first, second] = [logit, first];
    else if (logit > second) second = logit;
  }
  const limit = FAR * Math.max(Math.abs(first), Math.abs(second));
  let largest = 0;
  for (const logit of logits) {
    const magnitude = Math.abs(logit);
    if (magnitude > largest && magnitude <= limit && magnitude < Number.POSITIVE_INFINITY) largest = magnitude;
  }
  return largest;
}

/**
 * Whether logits meet a goal by so little that those of another runtime may not. Logits that are not numbers do not count.
 *
 * @param scale the size of the logits of which these are a change, if they may be small by chance
 */
export function isWithinNoise(kind: Goal['kind'], wanted: number, logits: Float32Array, scale = 0): boolean {
  let other = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < logits.length; i++) if (i !== wanted) other = Math.max(other, logits[i]);
  const margin = kind === 'targeted' ? logits[wanted] - other : other - logits[wanted];
  return margin >= 0 && margin <= NOISE * Math.max(scale, sizeOfLogits(logits));
}

/** Shares by which an example is moved further from its image: less than a thousandth in all, so that it stays a nearest one. */
const SHARES = [0, 1e-4, 3e-4, 9e-4] as const;

/** How often each attempt's example is looked at, at most. */
export const LOOKS_BEYOND_NOISE = SHARES.length;

/** An attempt's example of smallest distance. */
export interface NearestExample extends Attempt {
  readonly origin: Float32Array;
  readonly adversarial: Float32Array;
}

interface Within {
  readonly distance: (a: Float32Array, b: Float32Array) => number;
  readonly epsilon: number | null;
  readonly bounds: Bounds;
}

/**
 * Examples beyond float noise: each moved away from its image by the least share after which it meets the goal by a margin that
 * survives another runtime. An example that no share helps, or only one that leaves the ball, stays as it is.
 */
export async function beyondNoise(
  problem: Problem,
  clean: Clean,
  question: (rows: readonly Attempt[]) => Question,
  rows: readonly NearestExample[],
  { distance, epsilon, bounds }: Within,
): Promise<readonly Float32Array[]> {
  const { goal } = problem;
  const found = rows.map(({ adversarial }) => adversarial);
  let open = [...rows.keys()];
  for (const share of SHARES) {
    const moved = open
      .map((place) => {
        const { origin, adversarial, ...attempt } = rows[place];
        const pixels =
          share === 0
            ? adversarial
            : adversarial.map((pixel, i) => clip(origin[i] + (1 + share) * (pixel - origin[i]), bounds));
        return { ...attempt, origin, pixels, place };
      })
      .filter(({ pixels, origin }) => epsilon === null || distance(pixels, origin) <= epsilon);
    if (moved.length === 0) break;
    const answers = await ask(problem, clean, question(moved), moved);
    const sure = new Set<number>();
    moved.forEach(({ image, pixels, place }, i) => {
      const { logits, prediction } = answers[i];
      const wanted = goal.classes[image];
      const own = clean.logits.subarray(image * clean.classes, (image + 1) * clean.classes);
      if (!meets(goal.kind, wanted, prediction) || isWithinNoise(goal.kind, wanted, logits, sizeOfLogits(own))) return;
      found[place] = pixels;
      sure.add(place);
    });
    open = moved.map(({ place }) => place).filter((place) => !sure.has(place));
  }
  return found;
}
