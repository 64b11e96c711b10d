// How the number of attack steps changes over the training. `0@0,1@0.3` is natural training at first, and one step from 30 %
// of the training on. In a configuration a schedule is written like that.

/** A number of attack steps, and the share of the training from which on it holds. */
export interface StepsFrom {
  /** The number of steps; 0 is training on the images as they are. */
  readonly steps: number;
  /** The share of the training from which on the number holds, in [0, 1). */
  readonly from: number;
}

/** Numbers of steps in the order of time; the first one holds from 0 on. */
export type StepsSchedule = readonly StepsFrom[];

/** The schedule in its one written form, such as `0@0,1@0.3`. */
export const formatSteps = (schedule: StepsSchedule): string =>
  schedule.map(({ steps, from }) => `${steps}@${from}`).join(',');

/** The schedule that a text writes; null unless the text is the written form of a schedule that attacks at some time. */
export function parseSteps(text: string): StepsSchedule | null {
  const schedule = text.split(',').map((part) => {
    const [steps, from] = part.split('@').map(Number);
    return { steps, from };
  });
  const isSchedule =
    schedule.every(
      ({ steps, from }, i) =>
        Number.isSafeInteger(steps) && steps >= 0 && (i === 0 ? from === 0 : from > schedule[i - 1].from && from < 1),
    ) && schedule.some(({ steps }) => steps > 0);
  return isSchedule && formatSteps(schedule) === text ? schedule : null;
}

/** What a schedule looks like, for a message about a text that is none. */
export const STEPS_SCHEDULE =
  'steps at ascending shares of the training, the first at 0 and the last before 1, not all of 0 steps, as 0@0,1@0.3';

/** The number of steps where the share `progress` of the training is done. */
export function stepsAt(schedule: StepsSchedule, progress: number): number {
  let current = 0;
  for (const { steps, from } of schedule) if (from <= progress) current = steps;
  return current;
}

/** The entries that hold in none of a training's epochs, each of which has the steps of its start. */
export const unusedSteps = (schedule: StepsSchedule, epochs: number): StepsSchedule =>
  schedule.filter(({ from }, i) => {
    const next = schedule[i + 1]?.from ?? 1;
    return !Array.from({ length: epochs }, (_, epoch) => epoch / epochs).some((at) => from <= at && at < next);
  });
