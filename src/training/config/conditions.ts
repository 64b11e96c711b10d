// Predicates on a configuration, and from them the conditions under which settings apply.
import type { NormName } from '../../../attacks/types.ts';
import type { DatasetName } from '../../data/sets/datasets.ts';
import type { Augmentation } from '../../data/types.ts';
import { type ObjectiveName, objectives } from '../../objectives/objectives.ts';
import type { OptimizerName } from '../../optimizers/coefficients.ts';
import { type PrepassName, prepasses } from '../../optimizers/prepasses.ts';
import { defaultPeak, type ScheduleName } from '../../optimizers/schedules.ts';
import type { AgentVariantName } from '../../optimizers/variants.ts';
import type { DistributionName } from '../../sparsity/distributions.ts';
import { type MethodName, methods } from '../../sparsity/methods.ts';
import { type TrainingAttackName, trainingAttacks } from '../adversary/training-attacks.ts';

/** The settings that defaults and conditions of other settings read. */
export interface Deciding {
  readonly dataset: DatasetName;
  readonly augment: Augmentation;
  readonly noise?: number;
  readonly epochs: number;
  readonly schedule: ScheduleName;
  readonly objective: ObjectiveName;
  readonly norm: NormName;
  readonly epsilon: number;
  readonly norms?: Readonly<Partial<Record<NormName, number>>>;
  readonly trainingAttack?: TrainingAttackName;
  readonly stepsSchedule?: string;
  readonly steps?: number;
  readonly sparsity: number;
  readonly layerSparsities?: Readonly<Record<string, number>>;
  readonly from?: string;
  readonly method: MethodName;
  readonly distribution?: DistributionName | 'global';
  readonly optimizer: OptimizerName;
  readonly updateInterval?: number;
  readonly agentVariant?: AgentVariantName;
  readonly agentPrepass?: PrepassName;
  readonly agentAttackSteps?: number;
}

/** When a setting applies. */
export interface Condition {
  holds(config: Deciding): boolean;
  /** The condition in words, after "the setting applies to". */
  readonly to: string;
  /** The settings on which the condition depends. */
  readonly by: readonly (keyof Deciding)[];
}

/** True if the configuration trains sparse kernels. */
export const isSparseMethod = ({ method }: Pick<Deciding, 'method'>): boolean => methods[method].sparse;

/** True if training sees adversarial examples. */
export const isAdversarial = ({ objective }: Pick<Deciding, 'objective'>): boolean =>
  objectives[objective]().adversarial;

/** True if batches have images beside those of the data set. */
export const usesExtraImages = ({ objective }: Pick<Deciding, 'objective'>): boolean =>
  objectives[objective]().extraShare > 0;

/** True if gradients are corrected by those at a snapshot. */
export const corrects = ({ optimizer }: Pick<Deciding, 'optimizer'>): boolean => optimizer !== 'sgd';

/** True if g̃ is the gradient that the batch gave one epoch ago, and no snapshot is taken. */
export const remembers = ({ optimizer, agentPrepass }: Pick<Deciding, 'optimizer' | 'agentPrepass'>): boolean =>
  corrects({ optimizer }) && agentPrepass !== undefined && prepasses[agentPrepass].gradients === 'remembered';

/** True if masks change from time to time, and not after every step. */
const updatesMasks = ({ method }: Pick<Deciding, 'method'>): boolean =>
  methods[method].defaults?.interval !== undefined;

/** True if the examples of a pre-pass are those of the epoch's own steps, attacked again. */
const attacksPrepass = ({ agentPrepass, objective }: Pick<Deciding, 'agentPrepass' | 'objective'>): boolean =>
  agentPrepass !== undefined && prepasses[agentPrepass].examples === 'epoch' && isAdversarial({ objective });

/** The number of steps of the training attack, or undefined if a schedule says it. */
export const configuredSteps = ({
  trainingAttack = 'pgd',
  stepsSchedule,
  steps,
}: Pick<Deciding, 'trainingAttack' | 'stepsSchedule' | 'steps'>): number | undefined =>
  stepsSchedule === undefined ? (trainingAttacks[trainingAttack].steps ?? steps) : undefined;

/** True if the pre-pass sees other examples than the steps, so that u − g̃ has a mean other than 0. */
export function seesOtherExamples(config: Deciding): boolean {
  const { agentPrepass, agentAttackSteps, augment, noise } = config;
  if (agentPrepass === undefined || prepasses[agentPrepass].gradients !== 'computed') return false;
  const attacked = isAdversarial(config);
  return prepasses[agentPrepass].examples === 'clean'
    ? attacked || augment !== 'none' || noise !== undefined
    : attacked && agentAttackSteps !== undefined && agentAttackSteps !== configuredSteps(config);
}

/** Conditions by name. */
export const when = {
  sparse: { holds: isSparseMethod, to: 'sparse methods', by: ['method'] },
  perLayer: {
    holds: (config) => isSparseMethod(config) && config.distribution === 'per-layer',
    to: 'the distribution per-layer',
    by: ['method', 'distribution'],
  },
  bsrNetDistribution: {
    holds: (config) => isSparseMethod(config) && config.distribution === 'bsr-net',
    to: 'the distribution bsr-net',
    by: ['method', 'distribution'],
  },
  rewires: {
    holds: ({ method }) => methods[method].defaults?.dropFraction !== undefined,
    to: 'methods that drop and grow weights',
    by: ['method'],
  },
  updatesMasks: {
    holds: updatesMasks,
    to: 'methods that change their masks from time to time',
    by: ['method'],
  },
  bsrNet: {
    holds: ({ method }) => methods[method].defaults?.noise !== undefined,
    to: 'the method bsr-net',
    by: ['method'],
  },
  takesWeights: {
    holds: ({ method }) => methods[method].givenWeights !== undefined,
    to: 'the methods dense, gradual and one-shot (others draw their masks without a look at the weights)',
    by: ['method'],
  },
  adversarial: { holds: isAdversarial, to: 'adversarial objectives', by: ['objective'] },
  notAdversarial: {
    holds: (config) => !isAdversarial(config),
    to: 'objectives that train on no adversarial examples, such as natural',
    by: ['objective'],
  },
  at: { holds: ({ objective }) => objective === 'at', to: 'the objective at', by: ['objective'] },
  severalNorms: {
    holds: ({ objective, norms }) => objective === 'at' && norms !== undefined,
    to: 'training against several norms',
    by: ['objective', 'norms'],
  },
  oneNorm: {
    holds: (config) => isAdversarial(config) && config.norms === undefined,
    to: 'adversarial objectives against one norm (against several, each has steps of the usual size at its radius)',
    by: ['objective', 'norms'],
  },
  choosesSteps: {
    holds: ({ objective, trainingAttack = 'pgd', stepsSchedule }) =>
      isAdversarial({ objective }) && trainingAttacks[trainingAttack].steps === null && stepsSchedule === undefined,
    to: 'adversarial objectives with the training attack pgd and no schedule of steps',
    by: ['objective', 'trainingAttack', 'stepsSchedule'],
  },
  robustTerm: {
    holds: ({ objective }) => objectives[objective]().beta !== null,
    to: 'objectives with a robust term beside another, such as trades and mart',
    by: ['objective'],
  },
  extraImages: { holds: usesExtraImages, to: 'objectives with extra images, such as rst', by: ['objective'] },
  corrected: { holds: corrects, to: 'the optimizers agent, svrg and alpha-svrg', by: ['optimizer'] },
  agent: { holds: ({ optimizer }) => optimizer === 'agent', to: 'the optimizer agent', by: ['optimizer'] },
  attackedPrepass: {
    holds: attacksPrepass,
    to: 'the pre-passes matched and subsampled of adversarial training',
    by: ['optimizer', 'agentPrepass', 'objective'],
  },
  subsampledPrepass: {
    holds: ({ agentPrepass }) => agentPrepass === 'subsampled',
    to: 'the pre-pass subsampled',
    by: ['optimizer', 'agentPrepass', 'objective'],
  },
  estimated: {
    holds: ({ optimizer, agentPrepass }) =>
      optimizer === 'agent' && agentPrepass !== undefined && prepasses[agentPrepass].estimates,
    to: 'the optimizer agent with a pre-pass that estimates c',
    by: ['optimizer', 'agentPrepass'],
  },
  snapshotsBetweenUpdates: {
    holds: (config) => corrects(config) && !remembers(config) && updatesMasks(config),
    to: 'corrections by a snapshot of methods that change their masks from time to time',
    by: ['optimizer', 'agentPrepass', 'method'],
  },
  remembered: {
    holds: remembers,
    to: 'the pre-pass memory',
    by: ['optimizer', 'agentPrepass'],
  },
  rememberedByAgent: {
    holds: (config) => config.optimizer === 'agent' && remembers(config),
    to: 'the optimizer agent with the pre-pass memory',
    by: ['optimizer', 'agentPrepass'],
  },
  multiStep: { holds: ({ schedule }) => schedule === 'multi-step', to: 'the schedule multi-step', by: ['schedule'] },
  step: { holds: ({ schedule }) => schedule === 'step', to: 'the schedule step', by: ['schedule'] },
  stepped: {
    holds: ({ schedule }) => schedule === 'step' || schedule === 'multi-step',
    to: 'the schedules step and multi-step',
    by: ['schedule'],
  },
  peaked: {
    holds: ({ schedule }) => defaultPeak(schedule) !== undefined,
    to: 'the schedules linear and one-cycle',
    by: ['schedule'],
  },
} as const satisfies Readonly<Record<string, Condition>>;
