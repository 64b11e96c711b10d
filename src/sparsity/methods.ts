// The table of sparse training methods.
import { InputError } from '../core/errors.ts';
import type { Key } from '../core/key.ts';
import { copyParams, type Params } from '../core/params.ts';
import { type BsrNetOptions, bsrNet, startBsrNet } from './bsr-net.ts';
import type { WeightCounts } from './distributions.ts';
import { type GradualOptions, gradual } from './gradual.ts';
import { checkEnoughToPrune, prune } from './prune.ts';
import { type RewireOptions, rewire } from './rewire.ts';
import type { Signs } from './signs.ts';
import { sparsify } from './sparsify.ts';
import type { Sparsifier } from './types.ts';

/** The options of mask updates. Each method has its own defaults, and ignores options that it does not have. */
export type MethodOptions = Partial<Omit<RewireOptions, 'drop' | 'grow'> & BsrNetOptions & GradualOptions>;

/** What the network before the first step is made of. */
export interface Start {
  /** How many weights each kernel has, in the end if the method prunes. */
  readonly counts: WeightCounts;
  /** How many of them have an initial weight; `bsr-net` connects the others anew, over all kernels. `counts` if left out. */
  readonly connected?: WeightCounts;
  /** `bsr-net`: the fixed signs of the weights, those of its sparsifier. */
  readonly signs?: Signs;
  /** The key that draws the positions. */
  readonly key: Key;
}

/** A way of training sparse networks. */
export interface Method {
  /** True if kernels are sparse. */
  readonly sparse: boolean;
  /** The default value of each option that the method has; null if its masks never change. */
  readonly defaults: MethodOptions | null;
  /** `needed` if the method must start from trained weights, `taken` if it can; absent if its masks do not depend on weights. */
  readonly givenWeights?: 'needed' | 'taken';
  /** Makes the network before the first step from dense weights, which are borrowed. The caller owns the result. */
  start(dense: Params, start: Start): Promise<Params>;
  /** Makes the method's mask updates; null if its masks never change. */
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

const randomMasks: Method['start'] = async (dense, { counts, key }) => sparsify(dense, counts, key);
const asItIs: Method['start'] = async (dense) => copyParams(dense);

const dynamic = (name: string, defaults: RewireOptions): Method => ({
  sparse: true,
  defaults,
  start: randomMasks,
  sparsifier: (options = {}) => rewire(name, { ...defaults, ...options }),
});

/** @throws InputError if the option that a method cannot do without is missing */
function required<T>(value: T | undefined, method: string, option: string): T {
  if (value === undefined) throw new InputError(`The method ${method} needs ${option}, got none.`);
  return value;
}

const BSR_NET_DEFAULTS = { noise: 1e-6 } as const;
const GRADUAL_DEFAULTS = { interval: 100, begin: 0, end: 0.75 } as const;

const methodRows = {
  dense: { sparse: false, defaults: null, givenWeights: 'taken', start: asItIs, sparsifier: () => null },
  /** A random mask that stays. */
  static: { sparse: true, defaults: null, start: randomMasks, sparsifier: () => null },
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
  /** Fixed signs, rewiring after every step (Özdenizci and Legenstein 2021). */
  'bsr-net': {
    sparse: true,
    defaults: BSR_NET_DEFAULTS,
    start: async (dense, { counts, connected = counts, signs, key }) => {
      const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
      return startBsrNet(
        dense,
        { signs: required(signs, 'bsr-net', 'its signs, fixedSigns(key)'), connected, total },
        key,
      );
    },
    sparsifier: ({ signs, ...options } = {}) =>
      bsrNet({ ...BSR_NET_DEFAULTS, ...options, signs: required(signs, 'bsr-net', 'its signs, fixedSigns(key)') }),
  },
  /** Prunes a dense or less sparse network by magnitude, step by step (Zhu and Gupta 2017, https://arxiv.org/abs/1710.01878). */
  gradual: {
    sparse: true,
    defaults: GRADUAL_DEFAULTS,
    givenWeights: 'taken',
    start: async (given, { counts }) => {
      checkEnoughToPrune(given, counts);
      return copyParams(given);
    },
    sparsifier: ({ counts, ...options } = {}) =>
      gradual({ ...GRADUAL_DEFAULTS, ...options, counts: required(counts, 'gradual', 'the counts it ends at') }),
  },
  /** Given weights pruned once by magnitude, then trained with that mask. */
  'one-shot': {
    sparse: true,
    defaults: null,
    givenWeights: 'needed',
    start: (dense, { counts }) => prune(dense, counts),
    sparsifier: () => null,
  },
} satisfies Readonly<Record<string, Method>>;

/** The names of the sparse training methods. */
export type MethodName = keyof typeof methodRows;

/** The sparse training methods by name. */
export const methods: { readonly [Name in MethodName]: Method } = methodRows;
