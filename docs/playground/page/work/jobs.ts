// The order of the attacks, and what the worker is asked for each of them.

import type { Request, Side } from '../../worker/protocol.ts';
import { labelOfSample } from '../choices/samples.ts';
import { epsilonOf, pointsOf, radiiOfCurve, type State, soundSides } from '../state.ts';
import { nextRadius } from '../sweep.ts';

/** An attack that is to be made. */
export interface Job {
  readonly side: Side;
  readonly radius: number;
  /** False at the radius of the settings, which is shown above the curve. */
  readonly isOfCurve: boolean;
}

/** The attack to make next: at the radius of the settings on both sides, then at radii of the curves in turn. Null at the end. */
export function nextJob(state: State): Job | null {
  const sides = soundSides(state);
  const outcomesOf = (side: Side) => state.sides[side].outcomes;
  const epsilon = epsilonOf(state);
  const waiting = sides.find((side) => epsilon !== null && !outcomesOf(side).has(epsilon));
  if (epsilon !== null && waiting !== undefined) return { side: waiting, radius: epsilon, isOfCurve: false };
  if (state.isStopped) return null;
  const jobs = sides.flatMap((side): Job[] => {
    const radius = nextRadius(radiiOfCurve(state), pointsOf(state, side));
    return radius === null ? [] : [{ side, radius, isOfCurve: true }];
  });
  return jobs.sort((a, b) => outcomesOf(a.side).size - outcomesOf(b.side).size)[0] ?? null;
}

/** The attack of a job by the settings. Its label is null if only the model can say the class of the picture. */
export function requestOf({ settings, ownPicture }: State, { side, radius }: Job): Request {
  const { attack, norm, steps, goal, seed, bytes } = settings;
  const isLabelled = ownPicture === null && settings[side] !== 'own';
  const label = settings.label ?? (isLabelled ? labelOfSample(settings.pictures, settings.picture) : null);
  return { attack, norm, epsilon: radius, steps, label, target: goal, seed, bytes };
}
