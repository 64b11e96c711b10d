// When masks change, and which share of the weights each change drops.
import { InputError } from '../core/errors.ts';
import type { Progress, Sparsifier } from './types.ts';

/** When masks change. */
export interface UpdateSchedule {
  /** Steps between two updates. */
  readonly interval: number;
  /** The first step at which the masks may change. */
  readonly begin: number;
  /** The share of all steps after which they stay, in (0, 1]. */
  readonly end: number;
}

/** @throws InputError for an interval, a first step or an end out of range */
export function checkUpdateSchedule({ interval, begin, end }: UpdateSchedule): void {
  const require = (holds: boolean, expected: string, value: number) => {
    if (!holds) throw new InputError(`${expected}, got ${value}.`);
  };
  const whole = Number.isInteger(interval) && interval > 0;
  require(whole, 'The interval of mask updates must be a positive whole number', interval);
  require(begin >= 0, 'The first step of mask updates must be 0 or later', begin);
  require(end > 0 && end <= 1, 'The end of mask updates must be a share of the training above 0 and at most 1', end);
}

/** After which step the masks no longer change. */
const endStep = ({ end }: UpdateSchedule, { totalSteps }: Progress): number => end * totalSteps;

/** True if masks change at any step after one. */
export function updatesAfter(sparsifier: Pick<Sparsifier, 'updatesAt'>, { step, totalSteps }: Progress): boolean {
  for (let later = step + 1; later <= totalSteps; later++) {
    if (sparsifier.updatesAt({ step: later, totalSteps })) return true;
  }
  return false;
}

/** True if masks change after `step`: a multiple of the interval, from `begin` on and before the end. */
export const updatesAt = (schedule: UpdateSchedule, progress: Progress): boolean =>
  progress.step > 0 &&
  progress.step >= schedule.begin &&
  progress.step < endStep(schedule, progress) &&
  progress.step % schedule.interval === 0;

/** How far the time between `begin` and the end of the mask updates has gone, in [0, 1]. */
export function updateTime(schedule: UpdateSchedule, progress: Progress): number {
  const span = endStep(schedule, progress) - schedule.begin;
  return span <= 0 ? 1 : Math.min(1, Math.max(0, (progress.step - schedule.begin) / span));
}

/** The share of a kernel's weights that one update drops, over the time of the updates in [0, 1]. */
export type DropFractionSchedule = (initial: number, time: number, final?: number) => number;

const dropFractionRows = {
  constant: (initial) => initial,
  /** final + (initial − final)/2 · (1 + cos(π · time)), Dettmers & Zettlemoyer (2019). */
  cosine: (initial, time, final = 0) => final + ((initial - final) / 2) * (1 + Math.cos(Math.PI * time)),
  linear: (initial, time, final = 0) => initial + (final - initial) * time,
} satisfies Readonly<Record<string, DropFractionSchedule>>;

/** The names of the schedules of drop fractions. */
export type DropFractionName = keyof typeof dropFractionRows;

/** The schedules of drop fractions. */
export const dropFractions: { readonly [Name in DropFractionName]: DropFractionSchedule } = dropFractionRows;
