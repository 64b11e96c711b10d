import { InputError } from '../src/core/errors.ts';
import { apgd, apgdT } from './apgd.ts';
import { type Cascade, cascade } from './cascade.ts';
import { fabT } from './fab.ts';
import { dlrOrMargin } from './losses.ts';
import { square } from './square.ts';
import { checkOptions, type OptionNames } from './support/options.ts';
import type { Attack, Bounds, NormName } from './types.ts';

/** Options of AutoAttack. */
export interface AutoAttackOptions {
  /** What the attack is called in results; default `autoattack`, of the version rand `autoattack-rand`. */
  readonly name?: string;
  /** `linf` (default) or `l2`. */
  readonly norm?: NormName;
  /** The radius of the ball, in units of pixels: 0 or more, such as 8 / 255. */
  readonly epsilon: number;
  /** `standard` (default), or `rand` for models that are random. */
  readonly version?: AutoAttackVersion;
  /** Steps of APGD and FAB-T; default 100, and only those are AutoAttack's figures. */
  readonly steps?: number;
  /** Queries of Square; default 5000, as above. */
  readonly queries?: number;
  /** The lowest and the highest value of a pixel; default [0, 1]. */
  readonly bounds?: Bounds;
}

type Shared = Omit<AutoAttackOptions, 'name' | 'version'>;

const versions = {
  standard: ({ queries, ...o }) => {
    const { steps: _, ...withoutSteps } = o;
    return [apgd(o), apgdT(o), fabT(o), square({ ...withoutSteps, queries })];
  },
  rand: ({ queries: _, ...o }) => [
    apgd({ ...o, passes: 20 }),
    apgd({ ...o, name: 'apgd-dlr', loss: dlrOrMargin, passes: 20 }),
  ],
} as const satisfies Readonly<Record<string, (shared: Shared) => readonly Attack[]>>;

/** The versions of AutoAttack. */
export type AutoAttackVersion = keyof typeof versions;

const OPTIONS: OptionNames<AutoAttackOptions> = {
  name: true,
  norm: true,
  epsilon: true,
  version: true,
  steps: true,
  queries: true,
  bounds: true,
};

/**
 * AutoAttack (Croce and Hein 2020, arXiv:2003.01690), a cascade in which each attack runs on the images that are still
 * right: `standard` is APGD-CE, targeted APGD and FAB-T with 9 targets each, and Square with 5000 queries; `rand`
 * APGD-CE and APGD-DLR with gradients that are means of 20. With fewer than 10 classes every other one is a target;
 * where there are too few for the difference of logits ratio, the margin takes its place.
 *
 * `run` tells what each attack did.
 */
export function autoattack(options: AutoAttackOptions): Cascade {
  checkOptions('autoattack', options, OPTIONS);
  const { name, version = 'standard', ...shared } = options;
  if (!Object.hasOwn(versions, version)) {
    throw new InputError(`version is one of ${Object.keys(versions).join(', ')}; ${version} came.`);
  }
  const implied = version === 'standard' ? 'autoattack' : `autoattack-${version}`;
  return cascade(versions[version](shared), { name: name ?? implied, bounds: shared.bounds });
}
