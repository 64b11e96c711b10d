// The table of learning-rate schedules.
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
    throw new InputError(`The time between two drops must be a share of the training above 0, got ${every}.`);
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
      `Milestones must be shares of the training in [0, 1], such as 0.5 for half of it, got ${milestone}. Divide the epoch by the number of epochs.`,
    );
  }
  return (progress) => factor ** milestones.filter((milestone) => progress >= milestone).length;
};

/** ½ (1 + cos(π · progress)), Loshchilov & Hutter (2017) without restarts. */
export const cosine = (): Schedule => (progress) => (1 + Math.cos(Math.PI * Math.min(1, progress))) / 2;

export interface PeakOptions {
  /** The share of the training at which the factor is 1, in (0, 1). */
  readonly peak?: number;
}

/** Where the schedules that rise before they fall have their peak by default. */
const PEAKS = { linear: 0.5, 'one-cycle': 0.3 } as const satisfies { readonly [Name in ScheduleName]?: number };

/** The default peak of a schedule; undefined if it only falls. */
export const defaultPeak = (name: ScheduleName): number | undefined =>
  name in PEAKS ? PEAKS[name as keyof typeof PEAKS] : undefined;

function checkPeak(peak: number): void {
  if (peak > 0 && peak < 1) return;
  throw new InputError(`The peak of the learning rate is a share of the training between 0 and 1, got ${peak}.`);
}

/**
 * A straight line from 0 up to 1 at the peak, and another down to 0 at the end: the cyclic schedule of Wong et al.
 * (2020, https://arxiv.org/abs/2001.03994), whose peak is at one half (their CIFAR10/train_fgsm.py).
 */
export const linear = ({ peak = PEAKS.linear }: PeakOptions = {}): Schedule => {
  checkPeak(peak);
  return (progress) => (progress < peak ? progress / peak : Math.max(0, (1 - progress) / (1 - peak)));
};

/** The first factor of `oneCycle` is 1 / 25, as PyTorch's div_factor has it. */
const ONE_CYCLE_START = 1 / 25;
/** The last factor is 1e-4 of the first, as PyTorch's final_div_factor has it. */
const ONE_CYCLE_END = ONE_CYCLE_START * 1e-4;

/** Goes from `from` to `to` by half a cosine, as `share` goes from 0 to 1. */
const anneal = (from: number, to: number, share: number): number =>
  to + ((from - to) * (1 + Math.cos(Math.PI * share))) / 2;

/**
 * Half a cosine from 1/25 up to 1 at the peak, and another down to 4e-6: PyTorch's OneCycleLR with its defaults, after
 * Smith and Topin (2018, https://arxiv.org/abs/1708.07120). PyTorch reaches each value one step earlier, since it places
 * the end of the training at its last step and not behind it.
 */
export const oneCycle = ({ peak = PEAKS['one-cycle'] }: PeakOptions = {}): Schedule => {
  checkPeak(peak);
  return (progress) =>
    progress < peak
      ? anneal(ONE_CYCLE_START, 1, progress / peak)
      : anneal(1, ONE_CYCLE_END, Math.min(1, (progress - peak) / (1 - peak)));
};

/** The names of the learning-rate schedules. */
export type ScheduleName = 'constant' | 'step' | 'multi-step' | 'cosine' | 'linear' | 'one-cycle';

/** The schedules by name, with their defaults. */
export const schedules: {
  readonly [Name in ScheduleName]: (options?: StepOptions & MultiStepOptions & PeakOptions) => Schedule;
} = {
  constant,
  step,
  'multi-step': multiStep,
  cosine,
  linear,
  'one-cycle': oneCycle,
};
