// The settings of an evaluation, with the defaults that the training of the model gives.
import { everyNorm } from '../../attacks/norms/index.ts';
import type { NormName } from '../../attacks/types.ts';
import { UsageError } from '../core/errors.ts';
import { sizeOf } from '../core/structure.ts';
import type { Dataset, PixelShape } from '../data/types.ts';
import { PROTOCOLS } from './attacks/protocols.ts';
import type { MeasureOptions } from './measure/types.ts';

import type { EvaluateOptions } from './options.ts';
import type { Target } from './targets/target.ts';
import { inNorm, type Threat } from './threat.ts';

/** What is measured, with the defaults that the model's training gives. */
export function settingsOf(target: Target, { imageShape }: Pick<Dataset, 'imageShape'>, options: EvaluateOptions) {
  const { attacks = PROTOCOLS.quick, seed = 0, batchSize = imagesTogether(imageShape) } = options;
  const limit = options.testLimit ?? target.testLimit ?? undefined;
  return { threats: threatsOf(target, options), attacks, seed, batchSize, limit } satisfies MeasureOptions;
}

/** Numbers in the images that are attacked together: 32 MB, of which attacks hold several copies. */
const NUMBERS_TOGETHER = 2 ** 23;

/** Images that are attacked together: 256, or fewer large ones, such as 55 of 224 × 224 pixels. */
export const imagesTogether = (shape: PixelShape): number =>
  Math.min(256, Math.max(1, Math.floor(NUMBERS_TOGETHER / sizeOf(shape))));

/** Norms and radii: those asked for, else those of the model's training; a radius belongs to its norm. */
export function threatsOf(
  { threat }: Pick<Target, 'threat'>,
  { norm: asked, epsilons, norms }: Pick<EvaluateOptions, 'norm' | 'epsilons' | 'norms'>,
): readonly Threat[] {
  if (norms !== undefined) {
    if (asked !== undefined || epsilons !== undefined) {
      throw new UsageError(
        '--norms says norms and radii, so --norm and --epsilon must be left out. Give several norms as --norms linf=8/255,l2=0.5, or radii in one norm.',
      );
    }
    return inNorms(norms);
  }
  if (asked === undefined && epsilons === undefined && threat?.norms !== undefined) return inNorms(threat.norms);
  const norm = asked ?? threat?.norm ?? 'linf';
  if (epsilons) return inNorm(norm, epsilons);
  const trained = threat?.norm === norm ? threat.epsilon : threat?.norms?.[norm];
  if (trained !== undefined) return inNorm(norm, [trained]);
  throw new UsageError(
    `An evaluation in ${norm} needs an epsilon, such as --epsilon 8/255: the model was not trained against ${norm}.`,
  );
}

/** Several norms, each at one radius. */
function inNorms(norms: NonNullable<EvaluateOptions['norms']>): readonly Threat[] {
  const threats = Object.entries(norms).map(([norm, epsilon]) => ({ norm: norm as NormName, epsilon }));
  const strange = threats.find(({ norm }) => !everyNorm.includes(norm));
  if (strange !== undefined) {
    throw new UsageError(
      `--norms: expected norms among ${everyNorm.join(', ')}, each with a radius, as linf=8/255,l2=0.5, got ${strange.norm}.`,
    );
  }
  if (threats.length === 0) throw new UsageError('--norms: expected a radius for each norm, as linf=8/255,l2=0.5.');
  return threats;
}
