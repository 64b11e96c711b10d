import type { NormName } from '../../attacks/types.ts';
import { UsageError } from '../core/errors.ts';
import { sizeOf } from '../core/structure.ts';
import type { Dataset, PixelShape } from '../data/types.ts';
import { PROTOCOLS } from './attacks/protocols.ts';
import type { MeasureOptions } from './measure/types.ts';

import type { EvaluateOptions } from './options.ts';
import type { Target } from './targets/target.ts';

/** What is measured, with the defaults that the model's training gives. */
export function settingsOf(target: Target, { imageShape }: Pick<Dataset, 'imageShape'>, options: EvaluateOptions) {
  const { attacks = PROTOCOLS.quick, seed = 0, batchSize = imagesTogether(imageShape) } = options;
  const limit = options.testLimit ?? target.testLimit ?? undefined;
  return { ...threatOf(target, options), attacks, seed, batchSize, limit } satisfies MeasureOptions;
}

/** Numbers in the images that are attacked together: 32 MB, of which attacks hold several copies. */
const NUMBERS_TOGETHER = 2 ** 23;

/** Images that are attacked together: 256, or fewer large ones, such as 55 of 224 × 224 pixels. */
export const imagesTogether = (shape: PixelShape): number =>
  Math.min(256, Math.max(1, Math.floor(NUMBERS_TOGETHER / sizeOf(shape))));

/** Radius and norm: those asked for, else those of the model's training; a radius belongs to its norm. */
export function threatOf(
  { threat }: Target,
  options: Pick<EvaluateOptions, 'norm' | 'epsilons'>,
): { norm: NormName; epsilons: readonly number[] } {
  const norm = options.norm ?? threat?.norm ?? 'linf';
  if (options.epsilons) return { norm, epsilons: options.epsilons };
  if (threat?.norm === norm) return { norm, epsilons: [threat.epsilon] };
  throw new UsageError(
    `An evaluation in ${norm} needs an epsilon, such as --epsilon 8/255: the model was not trained against ${norm}.`,
  );
}
