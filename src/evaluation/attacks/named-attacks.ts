// Attacks by the names that command lines and results use, such as `pgd-20x5-cw`. The names follow from the table of attacks:
// the attack, its number of steps or queries, its restarts, a loss or a version, and how many calls of the model it averages.
import { type AttackRow, attackNames, attackRows } from '../../../attacks/attacks.ts';
import type { AttackName, AutoAttackVersion, LossName } from '../../../attacks/index.ts';
import { losses } from '../../../attacks/losses.ts';
import { resolveOptions } from '../../../attacks/support/options.ts';
import type { Attack, NormName } from '../../../attacks/types.ts';
import { didYouMean, suggestion } from '../../core/did-you-mean.ts';
import { UsageError } from '../../core/errors.ts';

/** An attack of an evaluation as data: its name and the options that it does not take by default, without norm and radius. */
export interface AttackSpec {
  readonly kind: AttackName;
  readonly steps?: number;
  readonly queries?: number;
  readonly restarts?: number;
  /** The step size; default: that of the attack. */
  readonly stepSize?: number;
  readonly loss?: LossName;
  readonly version?: AutoAttackVersion;
  /** Calls of the model whose mean each answer is. Left out: the attack's default. */
  readonly eot?: number;
}

/** What the names of attacks leave open. */
export interface AttackDefaults {
  readonly steps: number;
  readonly restarts: number;
  readonly stepSize: number | null;
  readonly eot: number;
}

const rowOf = (kind: AttackName): AttackRow => attackRows[kind];

/** Other tools' names of attacks and losses. */
const ALIASES: Readonly<Record<string, AttackName>> = {
  aa: 'autoattack',
  'auto-attack': 'autoattack',
  fab: 'fab-t',
  'cw-l2': 'cw',
  'i-fgsm': 'bim',
  ifgsm: 'bim',
  mifgsm: 'mi-fgsm',
  fgm: 'fgsm',
  'auto-pgd': 'apgd',
};
const LOSS_ALIASES: Readonly<Record<string, LossName>> = {
  'cross-entropy': 'ce',
  xent: 'ce',
  margin: 'cw',
  'cw-margin': 'cw',
};

/** The names of attacks and their aliases, longer ones first, as a pattern. */
const KINDS = [...attackNames, ...Object.keys(ALIASES)].sort((a, b) => b.length - a.length).join('|');
const FORM = new RegExp(
  `^(?<kind>${KINDS})(?:-(?<number>\\d+))?(?:x(?<restarts>\\d+))?(?:-(?<word>[a-z-]+))?(?:-eot(?<eot>\\d+))?$`,
);

/** The forms of all names, for messages. */
const KNOWN = attackNames
  .map((kind) => {
    const { number, options } = rowOf(kind);
    const restarts = 'restarts' in options ? '[xRESTARTS]' : '';
    const word = 'loss' in options ? '[-LOSS]' : 'version' in options ? '[-rand]' : '';
    return `${kind}${number ? `[-${number.option.toUpperCase()}]` : ''}${restarts}${word}`;
  })
  .join(', ');

const FORMS = `Attacks are ${KNOWN}; parts in brackets may be left out. Each may end in -eotCALLS. Losses are ${Object.keys(losses).join(', ')}.`;

/**
 * Reads attacks by name, separated by commas: `fgsm`, `pgd`, `pgd-20` (20 steps), `pgd-20x5` (5 restarts), `pgd-20x5-cw`
 * (with a loss), `square-5000` (queries), `autoattack`, `autoattack-rand`, and any of them with `-eot20` behind it (each answer
 * of the model is the mean of 20 calls). Restarts are extra starts of the whole attack; every image keeps the worst of them.
 *
 * @param defaults what a name leaves open: by default 1 restart, the attack's usual number of steps or queries, and its
 * usual step size
 * @throws UsageError which says what a name may be
 */
export function parseAttacks(text: string, defaults: Partial<AttackDefaults> = {}): AttackSpec[] {
  return text.split(',').map((part) => readAttack(part.trim(), defaults));
}

function readAttack(name: string, defaults: Partial<AttackDefaults>): AttackSpec {
  const { kind: found, number, restarts, word, eot = defaults.eot } = FORM.exec(name)?.groups ?? {};
  if (found === undefined) throw new UsageError(`There is no attack ${name || '(empty)'}.${meant(name)} ${FORMS}`);
  const kind = ALIASES[found] ?? (found as AttackName);
  const row = rowOf(kind);
  const takes = (option: string): boolean => option in row.options;
  const refused =
    (number !== undefined && row.number === null && 'number of steps') ||
    (restarts !== undefined && !takes('restarts') && 'number of restarts') ||
    (word !== undefined && !takes('loss') && !takes('version') && 'loss');
  if (refused) {
    const hint = kind === 'fgsm' ? ` Did you mean pgd${name.slice(found.length)}?` : '';
    throw new UsageError(`${kind} has no ${refused}, got ${name}.${hint} ${FORMS}`);
  }
  const { steps: defaultSteps, restarts: defaultRestarts = 1, stepSize } = defaults;
  const count = (what: string, value: number): number => {
    if (Number.isSafeInteger(value) && value >= 1) return value;
    const range = value > 1 ? `from 1 to ${Number.MAX_SAFE_INTEGER}` : 'of at least 1';
    throw new UsageError(`${name}: expected a whole number of ${what} ${range}, got ${value}.`);
  };
  const usual = row.number?.option === 'steps' ? (defaultSteps ?? row.number.usual) : row.number?.usual;
  const spec = {
    kind,
    ...(row.number && { [row.number.option]: count(row.number.option, Number(number ?? usual)) }),
    ...(takes('restarts') && {
      restarts: count('restarts', Number(restarts ?? (takes('queries') ? 1 : defaultRestarts))),
    }),
    ...(takes('loss') && { loss: readLoss(name, word, (row.options.loss.fallback as LossName) ?? 'ce') }),
    ...(takes('version') && { version: readVersion(name, word) }),
    ...(typeof stepSize === 'number' && row.number && takes('stepSize') && { stepSize: readStepSize(name, stepSize) }),
  };
  return eot === undefined ? spec : withEot(spec, count('calls to average', Number(eot)));
}

/** An attack that averages each answer of the model over so many calls, unless its record says how many. */
export const withEot = (spec: AttackSpec, eot: number): AttackSpec =>
  spec.eot !== undefined || eot === eotOf(spec) ? spec : { ...spec, eot };

/** Calls of the model whose mean each answer is. */
export const eotOf = ({ kind, ...given }: AttackSpec): number =>
  resolveOptions(given, rowOf(kind).options).eot as number;

function readStepSize(name: string, stepSize: number): number {
  if (stepSize > 0) return stepSize;
  throw new UsageError(`${name}: expected a step size above 0, got ${stepSize}.`);
}

function readLoss(name: string, word: string | undefined, usual: LossName): LossName {
  if (word === undefined) return usual;
  const loss = LOSS_ALIASES[word] ?? word;
  if (Object.hasOwn(losses, loss)) return loss as LossName;
  throw new UsageError(`${name}: expected one of the losses ${Object.keys(losses).join(', ')}, got ${word}.`);
}

function readVersion(name: string, word: string | undefined): AutoAttackVersion {
  if (word === undefined || word === 'rand') return word ?? 'standard';
  throw new UsageError(`${name}: expected rand or nothing after autoattack-, got ${word}.`);
}

/** ` Did you mean …?` for a name that is none. */
function meant(name: string): string {
  const [, word = '', rest = ''] = /^([a-z-]*?[a-z])[-_ ]?(\d.*)?$/i.exec(name) ?? [];
  const kind = ALIASES[word.toLowerCase()] ?? didYouMean(word, attackNames);
  const near = `${kind}${rest && `-${rest}`}`;
  return suggestion(kind !== undefined && FORM.test(near) ? near : undefined);
}

/** The name by which results know an attack, such as `pgd-20x2-cw`. */
export function attackLabel({ eot, ...spec }: AttackSpec): string {
  const { kind, steps, queries, restarts = 1, loss, version = 'standard' } = spec;
  const number = steps ?? queries;
  const { options, needsGradients } = rowOf(kind);
  const isNamed = needsGradients && number !== undefined;
  return [
    kind,
    ...(number === undefined ? [] : [`-${number}`]),
    ...(restarts > 1 ? [`x${restarts}`] : []),
    ...(loss === undefined || (!isNamed && loss === options.loss.fallback) ? [] : [`-${loss}`]),
    ...(version === 'standard' ? [] : [`-${version}`]),
    ...(eot === undefined || eot === eotOf(spec) ? [] : [`-eot${eot}`]),
  ].join('');
}

/** The numbers of an attack. Null if it has no such number: APGD chooses the size of its steps, AutoAttack is several. */
export interface AttackSettings {
  /** Steps, or queries of an attack without gradients. */
  readonly steps: number | null;
  readonly stepSize: number | null;
  readonly restarts: number | null;
}

/** Steps, their size and the number of starts at one radius. */
export function attackSettings({ kind, ...given }: AttackSpec, epsilon: number): AttackSettings {
  const { options: table, number } = rowOf(kind);
  const { stepSize, restarts, ...rest } = resolveOptions({ epsilon, ...given }, table);
  const isOneStep = number === null && stepSize !== undefined;
  const steps = number === null ? (isOneStep ? 1 : null) : rest[number.option];
  return {
    steps: steps as number | null,
    stepSize: (stepSize ?? null) as number | null,
    restarts: steps === null ? null : ((restarts ?? 1) as number),
  };
}

/**
 * The attack that a record describes, at one radius.
 *
 * @throws UsageError for an attack that does not know the norm, with its name
 */
export function buildAttack(spec: AttackSpec, norm: NormName, epsilon: number): Attack {
  const { kind, ...options } = spec;
  const { known } = rowOf(kind).options.norm;
  if (!known.includes(norm)) {
    const others = attackNames.filter((name) => rowOf(name).options.norm.known.includes(norm));
    throw new UsageError(
      `${attackLabel(spec)} attacks in ${known.join(' and ')} only, got the norm ${norm}. In ${norm} there are ${others.join(', ')}.`,
    );
  }
  return rowOf(kind).build({ norm, epsilon, ...options });
}
