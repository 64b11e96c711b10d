import { createHash } from 'node:crypto';
import { z } from 'zod';
import { UsageError } from '../core/errors.ts';
import { datasets } from '../data/datasets.ts';
import type { DatasetDefaults } from '../data/defaults.ts';
import { formatEpsilon } from '../evaluation/epsilon.ts';
import { objectives } from '../objectives/objectives.ts';
import { AGENT_DEFAULTS, coefficientRules } from '../optimizers/coefficients.ts';
import type { PrepassName } from '../optimizers/prepasses.ts';
import { corrects, isAdversarial, isSparseMethod, uselessIn } from './conditions.ts';
import { methodDefaults } from './method-settings.ts';
import { contradictions, explain, type NameOf, show } from './problems.ts';
import { settingsOfRecipe } from './recipes.ts';
import {
  BESIDE_TRAINING,
  CONFIG_VERSION,
  SETTINGS,
  type Setting,
  type TrainConfig,
  type TrainOptions,
} from './settings.ts';

export { corrects, isSparseMethod } from './conditions.ts';
export type { NameOf } from './problems.ts';
export * from './settings.ts';

const schema = z.strictObject(SETTINGS).partial();

/** Step of an attack of `steps` steps that nothing else is said about: 2.5 · epsilon / steps (Madry et al. 2018). */
export const defaultStepSize = (epsilon: number, steps: number): number => (2.5 * epsilon) / steps;

/**
 * What settings younger than the record's first version are where they do not stand in it: a record that leaves them so
 * is written as before they were there, and keeps its name.
 */
const UNWRITTEN = {
  dropSchedule: 'cosine',
  updateBegin: 0,
  firstStageDensity: 0.2,
  maskUpdate: 'after-step',
  noise: 1e-6,
  weightDecayScope: 'all',
} as const satisfies TrainOptions;

/** Defaults that follow from nothing else; those of methods are in their table. */
export const FIXED_DEFAULTS = {
  dataset: 'mnist10k',
  width: 1,
  sparsity: 0,
  denseLastLayer: false,
  firstStageDensity: UNWRITTEN.firstStageDensity,
  maskUpdate: UNWRITTEN.maskUpdate,
  optimizer: 'sgd',
  agentPrepassShare: 0.2,
  agentGamma: AGENT_DEFAULTS.gamma,
  agentAlpha: AGENT_DEFAULTS.alpha,
  objective: 'at',
  extraShare: 0.5,
  awpGamma: 0,
  labelSmoothing: 0,
  momentum: 0.9,
  nesterov: false,
  weightDecay: 5e-4,
  weightDecayMode: 'coupled',
  weightDecayScope: UNWRITTEN.weightDecayScope,
  schedule: 'cosine',
  decayFactor: 0.1,
  seed: 0,
  norm: 'linf',
  attackWarmup: 0,
  attackBn: 'evaluate',
  backend: 'auto',
  checkpointEvery: BESIDE_TRAINING.checkpointEvery,
} as const satisfies TrainOptions;

/**
 * The resolved configuration of a training run. Resolving a resolved one changes nothing. At sparsity 0 every method is
 * `dense`, so that a sweep can start there.
 *
 * @param input a record of settings, as from a command line, a file or a job; absent ones get their defaults, or what a
 * `recipe` says
 * @param nameOf what messages call a setting; its own name if left out
 * @throws UsageError which names each wrong setting, what came and what is allowed
 */
export function parseConfig(input: unknown, { nameOf = String }: { readonly nameOf?: NameOf } = {}): TrainConfig {
  const parsed = schema.safeParse(input);
  if (!parsed.success) {
    throw new UsageError(parsed.error.issues.map((issue) => explain(issue, input, nameOf)).join('\n'));
  }
  const given = withRecipe(withoutAbsent(parsed.data));
  const config = resolve(given);
  const problems = contradictions(given, config, nameOf);
  if (problems.length > 0) throw new UsageError(problems.join('\n'));
  return sortKeys(config);
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

/** Settings without a default. */
type Undecided = 'recipe' | 'mean' | 'std' | 'layerSparsities' | 'from' | 'extraImages' | 'trainLimit' | 'testLimit';

function resolve(given: TrainOptions): TrainConfig {
  const { dataset, optimizer, objective, norm } = { ...FIXED_DEFAULTS, ...given };
  const { defaults }: { readonly defaults: DatasetDefaults } = datasets[dataset];
  const sparsity = given.sparsity ?? 0;
  const sparse = sparsity > 0 || given.layerSparsities !== undefined;
  const usual = sparse ? (given.from === undefined ? 'rigl' : 'one-shot') : 'dense';
  const method = !sparse && given.sparsity !== undefined ? 'dense' : (given.method ?? usual);
  const distribution = given.distribution ?? (given.layerSparsities ? 'per-layer' : 'erk');
  const epochs = given.epochs ?? defaults.epochs;
  const epsilon = given.epsilon ?? defaults.epsilon[norm] ?? Number.NaN;
  const steps = given.steps ?? defaults.steps;
  const customary = norm === 'linf' && epsilon === defaults.epsilon.linf && steps === defaults.steps;
  const all: Required<Omit<TrainOptions, Undecided>> = {
    version: CONFIG_VERSION,
    ...FIXED_DEFAULTS,
    model: defaults.model,
    distribution,
    denseFirstConv: distribution === 'uniform',
    ...methodDefaults(method),
    agentPrepass: usualPrepass({ optimizer, objective }),
    agentAttackSteps: steps,
    beta: objectives[objective]().beta ?? 0,
    batchSize: defaults.batchSize,
    lr: defaults.lr,
    milestones: unique([Math.max(1, Math.floor(epochs / 2)), Math.max(1, Math.floor((3 * epochs) / 4))]),
    decayEvery: Math.max(1, Math.ceil(epochs / 3)),
    augment: defaults.augment,
    stepSize: (customary ? defaults.stepSize : null) ?? defaultStepSize(epsilon, steps),
    ...given,
    sparsity,
    method,
    epochs,
    epsilon,
    steps,
  };
  const config = all as TrainConfig;
  const useless = uselessIn(config);
  const unwritten: TrainOptions = UNWRITTEN;
  return Object.fromEntries(
    Object.entries(config).filter(
      ([key, value]) => !useless.includes(key as Setting) && value !== unwritten[key as Setting],
    ),
  ) as TrainConfig;
}

/**
 * AGENT's is what its authors publish, whose u is of clean images. A rule that takes all or most of u − g̃ whatever c would be
 * pulled to clean training by that, so where training attacks it gets the u of its own examples.
 */
function usualPrepass({ optimizer, objective }: Pick<TrainConfig, 'optimizer' | 'objective'>): PrepassName {
  const { corrects, adaptive } = coefficientRules[optimizer];
  return corrects && !adaptive && isAdversarial({ objective }) ? 'matched' : 'published';
}

/** `given` without the settings that do not apply to the configuration it leads to: a cell of a sweep's grid. */
export function applicable(given: TrainOptions): TrainOptions {
  const useless = uselessIn(resolve(withRecipe(withoutAbsent(given))));
  return Object.fromEntries(Object.entries(given).filter(([key]) => !useless.includes(key as Setting)));
}

const unique = (values: readonly number[]): number[] => [...new Set(values)];

/** The record with its keys in the order of `SETTINGS`, and layers in that of their names, so that equal records are written alike. */
const sortKeys = (config: TrainConfig): TrainConfig =>
  Object.fromEntries(
    (Object.keys(SETTINGS) as Setting[]).flatMap((key) => {
      const value = key === 'layerSparsities' ? sorted(config[key]) : config[key];
      return value === undefined ? [] : [[key, value]];
    }),
  ) as TrainConfig;

const sorted = (layers: TrainConfig['layerSparsities']): TrainConfig['layerSparsities'] =>
  layers && Object.fromEntries(Object.entries(layers).sort(([a], [b]) => (a < b ? -1 : 1)));

/** What training computes: the record with the settings beside that at their defaults. */
const ofTraining = (config: TrainConfig): TrainConfig => ({ ...config, ...BESIDE_TRAINING });

/** Whether two runs compute the same. */
export const isSameTraining = (a: TrainConfig, b: TrainConfig): boolean =>
  JSON.stringify(ofTraining(a)) === JSON.stringify(ofTraining(b));

/**
 * The name of the job that a configuration is: 16 hexadecimal digits of the SHA-256 of its record, whatever that says of how
 * often the run is saved. The test images count: a job of a sweep is evaluated too.
 */
export const configHash = (config: TrainConfig): string =>
  createHash('sha256')
    .update(JSON.stringify(sortKeys({ ...config, checkpointEvery: BESIDE_TRAINING.checkpointEvery })))
    .digest('hex')
    .slice(0, 16);

/**
 * What differs in the training of two configurations, in words. What only one of them has follows from the rest, and is
 * named where nothing else differs.
 */
export function changesBetween(before: TrainConfig, now: TrainConfig, nameOf: NameOf = String): string[] {
  const unwritten: TrainOptions = UNWRITTEN;
  const differences = (Object.keys(SETTINGS) as Setting[])
    .filter((key) => !(key in BESIDE_TRAINING))
    .map((key) => ({ key, values: [before, now].map((config) => config[key] ?? unwritten[key]) }))
    .filter(({ key }) => JSON.stringify(before[key]) !== JSON.stringify(now[key]));
  const inBoth = differences.filter(({ values }) => !values.includes(undefined));
  const words = (value: unknown) => (value === undefined ? 'not given' : show(value));
  return (inBoth.length > 0 ? inBoth : differences).map(
    ({ key, values: [was, is] }) => `${nameOf(key)} was ${words(was)}, now ${words(is)}`,
  );
}

/** One line about a configuration for people, such as `vgg16 ×0.25 on cifar10, rigl 95 % (erk), agent, at linf 8/255 …`. */
export function describe(config: TrainConfig): string {
  const network = config.width === 1 ? config.model : `${config.model} ×${config.width}`;
  const sparse = isSparseMethod(config)
    ? `${config.method} ${Number((100 * config.sparsity).toFixed(4))} % (${config.distribution})`
    : 'dense';
  const optimizer = corrects(config) ? `${config.optimizer} (${config.agentPrepass})` : config.optimizer;
  const objective = !isAdversarial(config)
    ? config.objective
    : `${config.objective} ${config.norm} ${formatEpsilon(config.epsilon)} PGD-${config.steps}`;
  const from = config.from === undefined ? '' : `, from checkpoint ${config.from.slice(0, 8)}`;
  return `${network} on ${config.dataset}, ${sparse}, ${optimizer}, ${objective}, ${config.epochs} epochs, seed ${config.seed}${from}`;
}
