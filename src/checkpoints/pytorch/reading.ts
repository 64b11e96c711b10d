// Facts about a network that its weights do not show: where it pools, the stride of its stem, and its activation. Two networks that
// differ only in these have the same state dict. What the user does not give is assumed as published, and a note says so.
import { UsageError } from '../../core/errors.ts';
import { ACTIVATIONS, type ActivationName } from '../../ops/activations.ts';

/** The first layers of a ResNet, by name: the stride of its first convolution, and whether a 3×3 max pool follows. */
export const STEMS = {
  cifar: { stride: 1, pool: false },
  imagenet: { stride: 2, pool: true },
  'stride-2': { stride: 2, pool: false },
  'max-pool': { stride: 1, pool: true },
} as const;

/** The names of the first layers that a ResNet may have. */
export type StemName = keyof typeof STEMS;

/** How a state dict is read where its weights do not say. */
export interface Reading {
  /** The first layers of a ResNet; default: `cifar` for a 3×3 stem, `imagenet` for a 7×7 one. */
  readonly stem?: StemName;
  /** The numbers of a VGG's convolutions, from 1, that a 2×2 max pool follows. */
  readonly pools?: readonly number[];
  /** The activation; default `relu`. */
  readonly activation?: ActivationName;
}

/** The flags of the command line that ask for a reading; empty for none. */
export const readingFlags = ({ stem, pools, activation }: Reading): string =>
  [
    ...(stem === undefined ? [] : [`--stem ${stem}`]),
    ...(pools === undefined ? [] : [`--pools ${pools.join(',')}`]),
    ...(activation === undefined ? [] : [`--activation ${activation}`]),
  ].join(' ');

/** @throws UsageError for what is no reading */
export function checkReading({ stem, pools, activation }: Reading): void {
  if (stem !== undefined && !Object.hasOwn(STEMS, stem)) {
    throw new UsageError(`--stem must be one of ${Object.keys(STEMS).join(', ')}, got ${stem}.`);
  }
  if (activation !== undefined && !ACTIVATIONS.includes(activation)) {
    throw new UsageError(
      `--activation must be one of ${ACTIVATIONS.join(', ')}, got ${activation}. Wrap a model with another one with --module.`,
    );
  }
  if (pools?.some((pool, i) => !Number.isInteger(pool) || pool <= (pools[i - 1] ?? 0))) {
    throw new UsageError(
      `--pools takes the numbers of convolutions in ascending order, from 1, such as 2,4,7,10,13, got ${pools}.`,
    );
  }
}
