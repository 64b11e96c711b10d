// Resolves, compares and names the configurations of training runs; the settings themselves are rows of settings.ts.
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { everyNorm } from '../../../attacks/norms/index.ts';
import { UsageError } from '../../core/errors.ts';
import { formatEpsilon } from '../../evaluation/epsilon.ts';
import { corrects, type Deciding, isAdversarial, isSparseMethod } from './conditions.ts';
import { contradictions, explain, type NameOf, show } from './problems.ts';
import { settingsOfRecipe } from './recipes.ts';
import {
  defaultOf,
  type SETTINGS,
  type Setting,
  settingRows,
  settingsAffecting,
  type TrainConfig,
  type TrainOptions,
  uselessIn,
} from './settings.ts';

export { corrects, isSparseMethod } from './conditions.ts';
export type { NameOf } from './problems.ts';
export * from './settings.ts';

const schema = z
  .strictObject(
    Object.fromEntries(settingRows.map(([name, row]) => [name, row.schema])) as {
      readonly [Name in Setting]: (typeof SETTINGS)[Name]['schema'];
    },
  )
  .partial();

interface ParseOptions {
  /** What messages call a setting; its own name if left out. */
  readonly nameOf?: NameOf;
}

/**
 * The resolved configuration of a training run. Resolving a resolved one changes nothing. At sparsity 0 every method is
 * `dense`, so that a sweep can start there.
 *
 * @param options settings; absent ones get their defaults, or what a `recipe` says
 * @throws UsageError that names each wrong setting, its value and what is allowed
 */
export const parseConfig = (options: TrainOptions, parse: ParseOptions = {}): TrainConfig => readConfig(options, parse);

/** `parseConfig` for a record that nobody has checked: from a command line, a file or a job. */
export function readConfig(input: unknown, { nameOf = String }: ParseOptions = {}): TrainConfig {
  const given = withRecipe(checked(input, nameOf));
  const config = resolve(given);
  const problems = contradictions(given, config, nameOf);
  if (problems.length > 0) throw new UsageError(problems.join('\n'));
  return inOrder(config);
}

/** A record of settings each of which is in range. */
function checked(input: unknown, nameOf: NameOf): TrainOptions {
  const { success, data, error } = schema.safeParse(input);
  if (success) return withoutAbsent(data);
  throw new UsageError(error.issues.map((issue) => explain(issue, input, nameOf)).join('\n'));
}

const withoutAbsent = (given: TrainOptions): TrainOptions =>
  Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));

/** `given` with what its recipe says beside it, as far as that applies there. */
function withRecipe({ recipe, ...given }: TrainOptions): TrainOptions {
  if (recipe === undefined) return given;
  const says: TrainOptions = {
    ...settingsOfRecipe(recipe, given),
    ...(given.method === 'dense' && { sparsity: undefined }),
    ...(given.layerSparsities && { distribution: undefined }),
  };
  const all = withoutAbsent({ ...says, ...given });
  const useless = uselessIn(resolve(all));
  return Object.fromEntries(Object.entries(all).filter(([key]) => key in given || !useless.includes(key as Setting)));
}

/** Every setting given or by default, without those that do not apply. */
function resolve(given: TrainOptions): TrainConfig {
  const isDense = given.sparsity === 0 && given.layerSparsities === undefined;
  const config: Record<string, unknown> = { ...given, ...(isDense && { method: 'dense' }) };
  for (const [name] of settingRows) config[name] ??= defaultOf(name, config as unknown as Deciding);
  const useless = uselessIn(config as unknown as Deciding);
  return Object.fromEntries(
    Object.entries(config).filter(([name, value]) => value !== undefined && !useless.includes(name as Setting)),
  ) as TrainConfig;
}

/**
 * `input` without the settings that do not apply to the configuration it leads to: a cell of a sweep's grid.
 *
 * @throws UsageError as `readConfig` does for each wrong setting
 */
export function applicable(input: unknown, { nameOf = String }: ParseOptions = {}): TrainOptions {
  const given = checked(input, nameOf);
  const useless = uselessIn(resolve(withRecipe(given)));
  return Object.fromEntries(Object.entries(given).filter(([key]) => !useless.includes(key as Setting)));
}

/** The record with its settings in the order of the table, and layers in that of their names, so that equal records are written alike. */
const inOrder = (config: TrainConfig): TrainConfig =>
  Object.fromEntries(
    settingRows.flatMap(([name]) => {
      const value = inOneOrder(name, config);
      return value === undefined ? [] : [[name, value]];
    }),
  ) as TrainConfig;

const sorted = (layers: TrainConfig['layerSparsities']): TrainConfig['layerSparsities'] =>
  layers && Object.fromEntries(Object.entries(layers).sort(([a], [b]) => (a < b ? -1 : 1)));

/** The value of a setting, with the entries of a record in one order. */
function inOneOrder(name: Setting, config: TrainConfig): TrainConfig[Setting] {
  if (name === 'layerSparsities') return sorted(config[name]);
  return name === 'norms' ? config[name] && normsInOrder(config[name]) : config[name];
}

const normsInOrder = (norms: NonNullable<TrainConfig['norms']>): TrainConfig['norms'] =>
  Object.fromEntries(everyNorm.flatMap((norm) => (norms[norm] === undefined ? [] : [[norm, norms[norm]]])));

/** A configuration, or one as a checkpoint has recorded it. */
type Recorded = Readonly<Partial<Record<Setting, unknown>>>;

/** The settings that training computes with, in the order of the table. */
const ofTraining = (config: Recorded): readonly unknown[] =>
  settingsAffecting('training').map((name) => config[name] ?? null);

/** True if two runs compute the same. */
export const isSameTraining = (a: Recorded, b: Recorded): boolean =>
  JSON.stringify(ofTraining(a)) === JSON.stringify(ofTraining(b));

const SAVING = settingsAffecting('saving');

/**
 * The name of the job that a configuration is: 16 hexadecimal digits of the SHA-256 of its record, without the settings of how
 * often the run is saved. The test images count, since a job of a sweep is evaluated too.
 */
export const configHash = (config: TrainConfig): string =>
  createHash('sha256')
    .update(JSON.stringify(Object.entries(inOrder(config)).filter(([name]) => !SAVING.includes(name as Setting))))
    .digest('hex')
    .slice(0, 16);

/**
 * What differs in the training of two configurations, in words. A setting that only one of them has follows from the rest, and
 * is named where nothing else differs.
 */
export function changesBetween(before: TrainConfig, now: TrainConfig, nameOf: NameOf = String): string[] {
  const differences = settingsAffecting('training')
    .map((name) => ({ name, values: [before[name], now[name]] }))
    .filter(({ values: [was, is] }) => JSON.stringify(was) !== JSON.stringify(is));
  const inBoth = differences.filter(({ values }) => !values.includes(undefined));
  const words = (value: unknown) => (value === undefined ? 'not given' : show(value));
  return (inBoth.length > 0 ? inBoth : differences).map(
    ({ name, values: [was, is] }) => `${nameOf(name)} was ${words(was)}, now ${words(is)}`,
  );
}

/** What training is against: a norm with its radius, or several and how they are combined. */
const threatName = ({ norm, epsilon, norms, combineNorms }: TrainConfig): string =>
  norms === undefined
    ? `${norm} ${formatEpsilon(epsilon)}`
    : `${combineNorms} of ${Object.entries(norms)
        .map(([name, radius]) => `${name} ${formatEpsilon(radius)}`)
        .join(', ')}`;

/** The training attack in a word, such as `PGD-10` or `RS-FGSM`; under a schedule with its steps. */
function attackName({ trainingAttack = 'pgd', stepsSchedule, steps }: TrainConfig): string {
  const name = trainingAttack.toUpperCase();
  if (stepsSchedule !== undefined) return `${name} (steps ${stepsSchedule})`;
  return steps === undefined ? name : `${name}-${steps}`;
}

/** One line about a configuration for people, such as `vgg16 ×0.25 on cifar10, rigl 95 % (erk), agent, at linf 8/255 …`. */
export function describe(config: TrainConfig): string {
  const network = config.width === 1 ? config.model : `${config.model} ×${config.width}`;
  const sparse = isSparseMethod(config)
    ? `${config.method} ${Number((100 * config.sparsity).toFixed(4))} % (${config.distribution})`
    : 'dense';
  const { agentVariant, agentPrepass } = config;
  const correction = agentVariant === 'published' ? agentPrepass : `${agentVariant}, ${agentPrepass}`;
  const optimizer = corrects(config) ? `${config.optimizer} (${correction})` : config.optimizer;
  const objective = !isAdversarial(config)
    ? config.objective
    : `${config.objective} ${threatName(config)} ${attackName(config)}`;
  const from = config.from === undefined ? '' : `, from checkpoint ${config.from.slice(0, 8)}`;
  return `${network} on ${config.dataset}, ${sparse}, ${optimizer}, ${objective}, ${config.epochs} epochs, seed ${config.seed}${from}`;
}
