import { fgsm, pgd } from '../../attacks/index.ts';
import type { Attack, NormName } from '../../attacks/types.ts';
import { UsageError } from '../core/errors.ts';

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
    };

/** What an attack's name leaves open. */
export interface AttackDefaults {
  readonly steps: number;
  readonly restarts: number;
  readonly stepSize: number | null;
}

const DEFAULTS: AttackDefaults = { steps: 20, restarts: 1, stepSize: null };

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
} as const satisfies Readonly<Record<string, readonly AttackSpec[]>>;

export type ProtocolName = keyof typeof PROTOCOLS;

/**
 * The attacks of a protocol.
 *
 * @throws UsageError for an unknown name
 */
export function protocol(name: string): readonly AttackSpec[] {
  if (Object.hasOwn(PROTOCOLS, name)) return PROTOCOLS[name as ProtocolName];
  throw new UsageError(`There is no protocol ${name}. Protocols are ${Object.keys(PROTOCOLS).join(', ')}.`);
}

const FORM = /^(?<kind>fgsm|pgd)(?:-(?<steps>\d+))?(?:x(?<restarts>\d+))?(?:-(?<loss>[a-z]+))?$/;

/**
 * Attacks by name, separated by commas: `fgsm`, `pgd`, `pgd-20` (20 steps), `pgd-20x5` (5 restarts), and any of them
 * with a loss, as in `pgd-20x5-cw`. Restarts are extra starts of the whole attack; every image keeps the worst of them.
 *
 * @param defaults what a name leaves open: 20 steps, 1 restart, steps of 2.5 · epsilon / steps
 * @throws UsageError which says what a name may be
 */
export function parseAttacks(text: string, defaults: Partial<AttackDefaults> = {}): AttackSpec[] {
  const open = { ...DEFAULTS, ...defaults };
  return text.split(',').map((part) => {
    const name = part.trim();
    const { kind, steps, restarts, loss = 'ce' } = FORM.exec(name)?.groups ?? {};
    if (kind === undefined) {
      throw new UsageError(
        `There is no attack ${name || '(empty)'}. Attacks are fgsm, pgd, pgd-STEPS and pgd-STEPSxRESTARTS, each with an optional loss: pgd-20x5-cw. Losses are ${Object.keys(LOSSES).join(', ')}.`,
      );
    }
    if (!isLoss(loss)) {
      throw new UsageError(
        `There is no loss ${loss}, as ${name} asks for. Losses are ${Object.keys(LOSSES).join(', ')}.`,
      );
    }
    if (kind === 'fgsm') {
      if (steps !== undefined || restarts !== undefined) {
        throw new UsageError(`fgsm takes one step and starts once; ${name} came. Did you mean pgd${name.slice(4)}?`);
      }
      return { kind, loss };
    }
    const spec = {
      kind: 'pgd',
      steps: Number(steps ?? open.steps),
      restarts: Number(restarts ?? open.restarts),
      loss,
      stepSize: open.stepSize,
    } as const;
    for (const setting of ['steps', 'restarts'] as const) {
      if (!Number.isInteger(spec[setting]) || spec[setting] < 1) {
        throw new UsageError(`${name} needs at least 1 of ${setting}; ${spec[setting]} came.`);
      }
    }
    if (spec.stepSize !== null && !(spec.stepSize > 0)) {
      throw new UsageError(`${name} needs a step size above 0; ${spec.stepSize} came.`);
    }
    return spec;
  });
}

const isLoss = (loss: string): loss is LossName => Object.hasOwn(LOSSES, loss);

/** The name by which results know an attack, such as `pgd-20x2-cw`. */
export function attackLabel(spec: AttackSpec): string {
  switch (spec.kind) {
    case 'fgsm':
      return spec.loss === 'ce' ? 'fgsm' : `fgsm-${spec.loss}`;
    case 'pgd':
      return `pgd-${spec.steps}${spec.restarts > 1 ? `x${spec.restarts}` : ''}-${spec.loss}`;
    default:
      return spec satisfies never;
  }
}

export interface AttackSettings {
  readonly steps: number;
  readonly stepSize: number;
  readonly restarts: number;
}

/** Steps, their size and the number of starts at one radius. */
export function attackSettings(spec: AttackSpec, epsilon: number): AttackSettings {
  switch (spec.kind) {
    case 'fgsm':
      return { steps: 1, stepSize: epsilon, restarts: 1 };
    case 'pgd':
      return {
        steps: spec.steps,
        stepSize: spec.stepSize ?? (2.5 * epsilon) / spec.steps,
        restarts: spec.restarts,
      };
    default:
      return spec satisfies never;
  }
}

/** The attack that a record describes, at one radius. */
export function buildAttack(spec: AttackSpec, norm: NormName, epsilon: number): Attack {
  const loss = LOSSES[spec.loss];
  switch (spec.kind) {
    case 'fgsm':
      return fgsm({ norm, epsilon, loss });
    case 'pgd':
      return pgd({ norm, epsilon, loss, ...attackSettings(spec, epsilon) });
    default:
      return spec satisfies never;
  }
}
