import { InputError } from '../core/errors.ts';

/**
 * A factor on the learning rate as a function of how much of the training is done, in [0, 1]. A pure function, so a
 * resumed run needs no state; given the steps done over all steps it changes by the step, given epochs by the epoch.
 */
export type Schedule = (progress: number) => number;

export const constant = (): Schedule => () => 1;

export interface StepOptions {
  /** The share of the training between two drops, in (0, 1]. */
  readonly every?: number;
  readonly factor?: number;
}

/** factor^⌊progress / every⌋; by default a tenth after each third. */
export const step = ({ every = 1 / 3, factor = 0.1 }: StepOptions = {}): Schedule => {
  if (!(every > 0))
    throw new InputError(`The time between two drops is a share of the training above 0; ${every} came.`);
  return (progress) => factor ** Math.floor(progress / every + 1e-9);
};

export interface MultiStepOptions {
  /** The shares of the training at which the rate drops, in [0, 1]. */
  readonly milestones?: readonly number[];
  readonly factor?: number;
}

/** factor to the number of milestones passed; by default a tenth at one half and again at three quarters. */
export const multiStep = ({ milestones = [0.5, 0.75], factor = 0.1 }: MultiStepOptions = {}): Schedule => {
  for (const milestone of milestones) {
    if (milestone >= 0 && milestone <= 1) continue;
    throw new InputError(
      `Milestones are shares of the training in [0, 1], such as 0.5 for half of it; ${milestone} came. Divide epochs by their number.`,
    );
  }
  return (progress) => factor ** milestones.filter((milestone) => progress >= milestone).length;
};

/** ½ (1 + cos(π · progress)), Loshchilov & Hutter (2017) without restarts. */
export const cosine = (): Schedule => (progress) => (1 + Math.cos(Math.PI * Math.min(1, progress))) / 2;

export type ScheduleName = 'constant' | 'step' | 'multi-step' | 'cosine';

/** The schedules by name, with their defaults. */
export const schedules: { readonly [Name in ScheduleName]: (options?: StepOptions & MultiStepOptions) => Schedule } = {
  constant,
  step,
  'multi-step': multiStep,
  cosine,
};
