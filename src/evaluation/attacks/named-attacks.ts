import { apgd, apgdT, autoattack, cwL2, deepFool, fabT, fgsm, pgd, square } from '../../../attacks/index.ts';
import type { Attack, NormName } from '../../../attacks/types.ts';
import { didYouMean, suggestion } from '../../core/did-you-mean.ts';
import { UsageError } from '../../core/errors.ts';

/** The losses that an attack of an evaluation can climb: the short names of labels and flags, and what they stand for. */
export const LOSSES = { ce: 'cross-entropy', cw: 'cw-margin', dlr: 'dlr' } as const;
export type LossName = keyof typeof LOSSES;

/** An attack of an evaluation as data; the radius and the norm are set apart from it. */
export type AttackSpec =
  | { readonly kind: 'fgsm'; readonly loss: LossName }
  | {
      readonly kind: 'pgd';
      readonly steps: number;
      readonly restarts: number;
      readonly loss: LossName;
      /** Null: 2.5 · epsilon / steps. */
      readonly stepSize: number | null;
    }
  | { readonly kind: 'apgd'; readonly steps: number; readonly restarts: number; readonly loss: LossName }
  | { readonly kind: 'apgd-t' | 'fab' | 'deepfool' | 'cw'; readonly steps: number }
  | { readonly kind: 'square'; readonly queries: number }
  | { readonly kind: 'autoattack'; readonly version: 'standard' | 'rand' };

/** What an attack's name leaves open. */
export interface AttackDefaults {
  readonly steps: number;
  readonly restarts: number;
  readonly stepSize: number | null;
}

const pgdSpec = (steps: number, restarts: number, loss: LossName): AttackSpec => ({
  kind: 'pgd',
  steps,
  restarts,
  loss,
  stepSize: null,
});

/** Sets of attacks that people agree on; the figure to quote is that of their union. */
export const PROTOCOLS = {
  /** PGD-20 on cross-entropy and, restarted, on the CW margin. */
  quick: [pgdSpec(20, 1, 'ce'), pgdSpec(20, 2, 'cw')],
  /** As the BSR-Net paper: PGD-50 with 10 restarts. */
  bsr: [pgdSpec(50, 10, 'ce')],
  /** The standard AutoAttack. */
  autoattack: [{ kind: 'autoattack', version: 'standard' }],
} as const satisfies Readonly<Record<string, readonly AttackSpec[]>>;

/** The names of the protocols. */
export type ProtocolName = keyof typeof PROTOCOLS;

/**
 * The attacks of a protocol.
 *
 * @throws UsageError for an unknown name
 */
export function protocol(name: string): readonly AttackSpec[] {
  if (Object.hasOwn(PROTOCOLS, name)) return PROTOCOLS[name as ProtocolName];
  const names = Object.keys(PROTOCOLS);
  throw new UsageError(
    `There is no protocol ${name}.${suggestion(didYouMean(name, names))} Protocols are ${names.join(', ')}.`,
  );
}

const FORM =
  /^(?<kind>fgsm|pgd|apgd-t|apgd|fab|deepfool|cw|square|autoattack)(?:-(?<steps>\d+))?(?:x(?<restarts>\d+))?(?:-(?<word>[a-z]+))?$/;

/** What may follow the name of an attack: a number of steps or queries, of restarts, and a loss or a version. */
const PARTS = {
  fgsm: { steps: false, restarts: false, word: 'loss' },
  pgd: { steps: true, restarts: true, word: 'loss' },
  apgd: { steps: true, restarts: true, word: 'loss' },
  'apgd-t': { steps: true, restarts: false, word: null },
  fab: { steps: true, restarts: false, word: null },
  deepfool: { steps: true, restarts: false, word: null },
  cw: { steps: true, restarts: false, word: null },
  square: { steps: true, restarts: false, word: null },
  autoattack: { steps: false, restarts: false, word: 'version' },
} as const satisfies Readonly<
  Record<
    AttackSpec['kind'],
    { readonly steps: boolean; readonly restarts: boolean; readonly word: 'loss' | 'version' | null }
  >
>;

const KNOWN =
  'Attacks are fgsm, pgd-STEPS, pgd-STEPSxRESTARTS, apgd-STEPS, apgd-STEPSxRESTARTS, each with an optional loss (pgd-20x5-cw), apgd-t-STEPS, fab-STEPS, deepfool-STEPS, cw-STEPS, square-QUERIES, autoattack and autoattack-rand; numbers may be left out.';

/**
 * Attacks by name, separated by commas: `fgsm`, `pgd`, `pgd-20` (20 steps), `pgd-20x5` (5 restarts), `apgd-100`, and any of
 * them with a loss, as in `pgd-20x5-cw`; the parts of AutoAttack `apgd-t-100`, `fab-100` and `square-5000`;
 * `autoattack` and `autoattack-rand` themselves; and `deepfool-50` and, in l2, `cw-1000`, which look for the smallest
 * change. Restarts are extra starts of the whole attack; every image keeps the worst of them.
 *
 * @param defaults what a name leaves open: by default 1 restart, PGD 20 steps of 2.5 · epsilon / steps, DeepFool 50, C&W 1000, the
 * others 100
 * @throws UsageError which says what a name may be
 */
export function parseAttacks(text: string, defaults: Partial<AttackDefaults> = {}): AttackSpec[] {
  return text.split(',').map((part) => readAttack(part.trim(), defaults));
}

function readAttack(name: string, open: Partial<AttackDefaults>): AttackSpec {
  const { kind: found, steps, restarts, word } = FORM.exec(name)?.groups ?? {};
  if (found === undefined) {
    throw new UsageError(
      `There is no attack ${name || '(empty)'}.${meant(name)} ${KNOWN} Losses are ${Object.keys(LOSSES).join(', ')}.`,
    );
  }
  const kind = found as AttackSpec['kind'];
  const takes = PARTS[kind];
  if (kind === 'fgsm' && (steps !== undefined || restarts !== undefined)) {
    throw new UsageError(`fgsm takes one step and starts once; ${name} came. Did you mean pgd${name.slice(4)}?`);
  }
  if (
    (steps !== undefined && !takes.steps) ||
    (restarts !== undefined && !takes.restarts) ||
    (word !== undefined && takes.word === null)
  ) {
    throw new UsageError(`There is no attack ${name}. ${KNOWN}`);
  }
  const atLeastOne = (setting: string, value: number): number => {
    if (!Number.isInteger(value) || value < 1) {
      throw new UsageError(`${name} needs at least 1 of ${setting}; ${value} came.`);
    }
    return value;
  };
  const stepsOr = (otherwise: number) => atLeastOne('steps', Number(steps ?? open.steps ?? otherwise));
  const starts = () => atLeastOne('restarts', Number(restarts ?? open.restarts ?? 1));
  switch (kind) {
    case 'fgsm':
      return { kind, loss: readLoss(name, word) };
    case 'pgd': {
      const { stepSize = null } = open;
      if (stepSize !== null && !(stepSize > 0)) {
        throw new UsageError(`${name} needs a step size above 0; ${stepSize} came.`);
      }
      return { kind, steps: stepsOr(20), restarts: starts(), loss: readLoss(name, word), stepSize };
    }
    case 'apgd':
      return { kind, steps: stepsOr(100), restarts: starts(), loss: readLoss(name, word) };
    case 'apgd-t':
    case 'fab':
      return { kind, steps: stepsOr(100) };
    case 'deepfool':
      return { kind, steps: stepsOr(50) };
    case 'cw':
      return { kind, steps: stepsOr(1000) };
    case 'square':
      return { kind, queries: atLeastOne('queries', Number(steps ?? 5000)) };
    case 'autoattack':
      if (word !== undefined && word !== 'rand') {
        throw new UsageError(
          `There is no version ${word} of autoattack, as ${name} asks for. It is rand, or left out.`,
        );
      }
      return { kind, version: word ?? 'standard' };
    default:
      return kind satisfies never;
  }
}

/** What attacks are called elsewhere, in the library of Equipoise among others. */
const ELSEWHERE: Readonly<Record<string, string>> = { aa: 'autoattack', 'fab-t': 'fab', 'cw-l2': 'cw', ifgsm: 'pgd' };

/** Attacks that only the library has. */
const LIBRARY_ONLY = ['bim', 'mi-fgsm'];

/** What someone meant by a name that is none. */
function meant(name: string): string {
  const [, word = '', rest = ''] = /^([a-z-]*?[a-z])[-_ ]?(\d.*)?$/i.exec(name) ?? [];
  if (LIBRARY_ONLY.includes(word.toLowerCase())) {
    return ` ${word} has no name here; the library has it (docs/attacks/${word}.md), and pgd is the same from random starts.`;
  }
  const kind = ELSEWHERE[word.toLowerCase()] ?? didYouMean(word, Object.keys(PARTS));
  const near = `${kind}${rest && `-${rest}`}`;
  return suggestion(kind !== undefined && FORM.test(near) ? near : undefined);
}

function readLoss(name: string, loss = 'ce'): LossName {
  if (isLoss(loss)) return loss;
  throw new UsageError(`There is no loss ${loss}, as ${name} asks for. Losses are ${Object.keys(LOSSES).join(', ')}.`);
}

const isLoss = (loss: string): loss is LossName => Object.hasOwn(LOSSES, loss);

/** The name by which results know an attack, such as `pgd-20x2-cw`. */
export function attackLabel(spec: AttackSpec): string {
  switch (spec.kind) {
    case 'fgsm':
      return spec.loss === 'ce' ? 'fgsm' : `fgsm-${spec.loss}`;
    case 'pgd':
    case 'apgd':
      return `${spec.kind}-${spec.steps}${spec.restarts > 1 ? `x${spec.restarts}` : ''}-${spec.loss}`;
    case 'apgd-t':
    case 'fab':
    case 'deepfool':
    case 'cw':
      return `${spec.kind}-${spec.steps}`;
    case 'square':
      return `square-${spec.queries}`;
    case 'autoattack':
      return spec.version === 'standard' ? 'autoattack' : `autoattack-${spec.version}`;
    default:
      return spec satisfies never;
  }
}

/** Null where an attack has no such number: those of APGD choose the size of their steps, and AutoAttack is several. */
export interface AttackSettings {
  /** Queries of an attack without gradients. */
  readonly steps: number | null;
  readonly stepSize: number | null;
  readonly restarts: number | null;
}

const stepSizeOf = ({ stepSize, steps }: AttackSpec & { readonly kind: 'pgd' }, epsilon: number): number =>
  stepSize ?? (2.5 * epsilon) / steps;

/** Steps, their size and the number of starts at one radius. */
export function attackSettings(spec: AttackSpec, epsilon: number): AttackSettings {
  switch (spec.kind) {
    case 'fgsm':
      return { steps: 1, stepSize: epsilon, restarts: 1 };
    case 'pgd':
      return { steps: spec.steps, stepSize: stepSizeOf(spec, epsilon), restarts: spec.restarts };
    case 'apgd':
      return { steps: spec.steps, stepSize: null, restarts: spec.restarts };
    case 'apgd-t':
    case 'fab':
    case 'deepfool':
    case 'cw':
      return { steps: spec.steps, stepSize: null, restarts: 1 };
    case 'square':
      return { steps: spec.queries, stepSize: null, restarts: 1 };
    case 'autoattack':
      return { steps: null, stepSize: null, restarts: null };
    default:
      return spec satisfies never;
  }
}

/** The attack that a record describes, at one radius. */
export function buildAttack(spec: AttackSpec, norm: NormName, epsilon: number): Attack {
  switch (spec.kind) {
    case 'fgsm':
      return fgsm({ norm, epsilon, loss: LOSSES[spec.loss] });
    case 'pgd': {
      const { steps, restarts, loss } = spec;
      return pgd({ norm, epsilon, steps, restarts, loss: LOSSES[loss], stepSize: stepSizeOf(spec, epsilon) });
    }
    case 'apgd': {
      const { steps, restarts, loss } = spec;
      return apgd({ norm, epsilon, steps, restarts, loss: LOSSES[loss] });
    }
    case 'apgd-t':
      return apgdT({ norm, epsilon, steps: spec.steps });
    case 'fab':
      return fabT({ norm, epsilon, steps: spec.steps });
    case 'deepfool':
      return deepFool({ norm, epsilon, steps: spec.steps });
    case 'cw':
      return cwL2({ norm, epsilon, steps: spec.steps });
    case 'square':
      return square({ norm, epsilon, queries: spec.queries });
    case 'autoattack':
      return autoattack({ norm, epsilon, version: spec.version });
    default:
      return spec satisfies never;
  }
}
