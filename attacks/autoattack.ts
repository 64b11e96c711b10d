// AutoAttack.
import { apgd, apgdT } from './apgd.ts';
import { cascade } from './cascade.ts';
import { fabT } from './fab.ts';
import { dlrOrMargin } from './losses.ts';
import { square } from './square.ts';
import { BALL_OPTIONS, count, oneOf, pixelBounds, title } from './support/option-kinds.ts';
import { type OptionsOf, type OptionTable, readOptions, type ValuesOf } from './support/options.ts';
import type { Attack, Cascade, NormName } from './types.ts';

export const AUTOATTACK_OPTIONS = {
  ...BALL_OPTIONS,
  /** `standard` (default), or `rand` for models that are random. */
  version: oneOf(['standard', 'rand'], 'standard'),
  /** What the attack is called in results; default `autoattack`, of the version rand `autoattack-rand`. */
  name: title(({ version }: { version: string }) => (version === 'standard' ? 'autoattack' : `autoattack-${version}`)),
  /** Steps of APGD and FAB-T; default 100, and only those are AutoAttack's figures. */
  steps: count(100),
  /** Queries of Square; default 5000, as above. */
  queries: count(5000),
  /** Calls of the model whose mean each answer is, for models that are random; default 1, of the version rand 20. */
  eot: count(({ version }: { version: string }) => (version === 'rand' ? 20 : 1)),
  /** The lowest and the highest value of a pixel; default [0, 1]. */
  bounds: pixelBounds,
} as const satisfies OptionTable;

/** Options of `autoattack`. */
export type AutoAttackOptions = OptionsOf<typeof AUTOATTACK_OPTIONS>;

/** Versions of AutoAttack. */
export type AutoAttackVersion = ValuesOf<typeof AUTOATTACK_OPTIONS>['version'];

type Shared = Omit<ValuesOf<typeof AUTOATTACK_OPTIONS>, 'name' | 'version'>;

/** How the version `standard` runs APGD-CE and targeted APGD in each norm. */
const ascents: {
  readonly [Norm in NormName]: { readonly restarts: number; readonly targets: number; readonly multiEpsilon: boolean };
} = {
  linf: { restarts: 1, targets: 9, multiEpsilon: false },
  l2: { restarts: 1, targets: 9, multiEpsilon: false },
  l1: { restarts: 5, targets: 5, multiEpsilon: true },
};

const versions = {
  standard: ({ queries, ...o }) => {
    const { steps: _, ...withoutSteps } = o;
    const { restarts, targets, multiEpsilon } = ascents[o.norm];
    return [
      apgd({ ...o, restarts, multiEpsilon }),
      apgdT({ ...o, targets, multiEpsilon }),
      fabT(o),
      square({ ...withoutSteps, queries }),
    ];
  },
  rand: ({ queries: _, ...o }) => [apgd(o), apgd({ ...o, name: 'apgd-dlr', loss: dlrOrMargin })],
} as const satisfies Readonly<Record<AutoAttackVersion, (shared: Shared) => readonly Attack[]>>;

/**
 * AutoAttack (Croce and Hein 2020, arXiv:2003.01690), a cascade in which each attack runs on the images that are still
 * right: `standard` is APGD-CE, targeted APGD and FAB-T with 9 targets each, and Square with 5000 queries; `rand`
 * APGD-CE and APGD-DLR, with answers of the model that are means of 20. In l1 (Croce and Hein 2021, arXiv:2103.01208) both APGD
 * of `standard` go through larger balls first (`multiEpsilon`), APGD-CE from 5 starts and targeted APGD to 5 targets. With fewer
 * than 10 classes every other one is a target; where there are too few for the difference of logits ratio, the margin takes its place.
 *
 * `run` tells what each attack did.
 */
export function autoattack(options: AutoAttackOptions): Cascade {
  const { name, version, ...shared } = readOptions('autoattack', options, AUTOATTACK_OPTIONS);
  return cascade(versions[version](shared), { name, bounds: shared.bounds });
}
