import { type RewireOptions, rewire } from './rewire.ts';
import type { Sparsifier } from './types.ts';

/** What a user may set about the mask updates of a method; each method has its own defaults. */
export type MethodOptions = Partial<Omit<RewireOptions, 'drop' | 'grow'>>;

/** A way of training sparse networks. */
export interface Method {
  /** Whether kernels are sparse at all. */
  readonly sparse: boolean;
  /** The values of its options, those that are used where a user sets none; null where the masks never change. */
  readonly defaults: RewireOptions | null;
  /** Its mask updates; null where the masks never change. */
  sparsifier(options?: MethodOptions): Sparsifier | null;
}

/** Drop 30 % at first, cosine to 0 at three quarters of the training, every 100 steps (Evci et al. 2020). */
const RIGL_SCHEDULE = {
  interval: 100,
  begin: 0,
  end: 0.75,
  dropFraction: 0.3,
  dropFractionSchedule: 'cosine',
  finalDropFraction: 0,
  rounding: 'floor',
} as const;

/**
 * Half of the weights at first, by a cosine to 0.5 % at the end of training (Liu et al. 2021, as their code). Intervals
 * are long, so that grown weights are trained before they are judged and the masks explore more weights in all (Rs).
 */
const ITOP_SCHEDULE = {
  begin: 0,
  end: 1,
  dropFraction: 0.5,
  dropFractionSchedule: 'cosine',
  finalDropFraction: 0.005,
  rounding: 'ceil',
} as const;

const fixed = (sparse: boolean): Method => ({ sparse, defaults: null, sparsifier: () => null });

const dynamic = (name: string, defaults: RewireOptions): Method => ({
  sparse: true,
  defaults,
  sparsifier: (options = {}) => rewire(name, { ...defaults, ...options }),
});

export type MethodName = 'dense' | 'static' | 'set' | 'rigl' | 'set-itop' | 'rigl-itop';

export const methods: { readonly [Name in MethodName]: Method } = {
  dense: fixed(false),
  /** A random mask that stays. */
  static: fixed(true),
  /** Sparse evolutionary training (Mocanu et al. 2018, https://arxiv.org/abs/1707.04780). */
  set: dynamic('set', { ...RIGL_SCHEDULE, drop: 'magnitude', grow: 'random' }),
  /** The rigged lottery (Evci et al. 2020, https://arxiv.org/abs/1911.11134). */
  rigl: dynamic('rigl', { ...RIGL_SCHEDULE, drop: 'magnitude', grow: 'gradientMagnitude' }),
  /** SET with in-time over-parameterisation (Liu et al. 2021, https://arxiv.org/abs/2102.02887). */
  'set-itop': dynamic('set-itop', { ...ITOP_SCHEDULE, interval: 1500, drop: 'magnitude', grow: 'random' }),
  /** RigL with in-time over-parameterisation (the same). */
  'rigl-itop': dynamic('rigl-itop', {
    ...ITOP_SCHEDULE,
    interval: 4000,
    drop: 'magnitude',
    grow: 'gradientMagnitude',
  }),
};
